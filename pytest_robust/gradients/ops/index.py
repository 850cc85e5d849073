"""Values picked and placed by index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pytest_robust.gradients.registry import Node, operator

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_robust.gradients.registry import Kernel


def _places(indices: Tensor, size: int, x: Tensor) -> Tensor:
    """Indices from 0 up, on the device of `x`; ONNX counts negative ones from the end."""
    indices = indices.to(x.device)
    return torch.where(indices < 0, indices + size, indices)


@operator("Gather")
def _gather(node: Node) -> Kernel:
    axis = node.get("axis", 0)

    def kernel(x: Tensor, indices: Tensor) -> Tensor:
        if indices.ndim == 0:
            return x.select(axis, int(indices))
        where = axis % x.ndim
        made = x.index_select(where, _places(indices, x.shape[where], x).flatten())
        return made.reshape(*x.shape[:where], *indices.shape, *x.shape[where + 1 :])

    return kernel


@operator("GatherElements")
def _gather_elements(node: Node) -> Kernel:
    axis = node.get("axis", 0)
    return lambda x, indices: x.gather(axis, _places(indices, x.shape[axis], x))


@operator("GatherND")
def _gather_nd(node: Node) -> Kernel:
    batch = node.get("batch_dims", 0)

    def kernel(x: Tensor, indices: Tensor) -> Tensor:
        shared = [
            torch.arange(size, device=x.device).reshape([-1 if i == axis else 1 for i in range(indices.ndim - 1)])
            for axis, size in enumerate(x.shape[:batch])
        ]
        return x[(*shared, *indices.to(x.device).unbind(-1))]

    return kernel


_ELEMENTS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


@operator("ScatterElements", "Scatter")
def _scatter_elements(node: Node) -> Kernel:
    axis, reduction = node.get("axis", 0), node.get("reduction", "none")

    def kernel(x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
        where = _places(indices, x.shape[axis], x)
        if reduction == "none":
            return x.scatter(axis, where, updates)
        return x.scatter_reduce(axis, where, updates, _ELEMENTS[reduction])

    return kernel


@operator("ScatterND")
def _scatter_nd(node: Node) -> Kernel:
    reduction = node.get("reduction", "none")
    if reduction not in ("none", "add"):
        raise node.refuse(f"scatters by {reduction}")

    def kernel(x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
        return x.index_put(indices.to(x.device).unbind(-1), updates.to(x.device), accumulate=reduction == "add")

    return kernel


@operator("NonZero")
def _non_zero(node: Node) -> Kernel:
    return lambda x: x.nonzero().T
