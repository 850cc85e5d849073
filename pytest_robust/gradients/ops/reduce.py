"""Reductions over axes, and what orders the values of one axis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from pytest_robust.gradients.registry import Node, operator

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from pytest_robust.gradients.registry import Kernel


def _product(x: Tensor, dim: list[int], keepdim: bool) -> Tensor:
    for axis in sorted((axis % x.ndim for axis in dim), reverse=True):
        x = x.prod(axis, keepdim=keepdim)
    return x


_REDUCTIONS: dict[str, Callable[[Tensor, list[int], bool], Tensor]] = {
    "ReduceMax": torch.amax,
    "ReduceMean": torch.mean,
    "ReduceMin": torch.amin,
    "ReduceProd": _product,
    "ReduceSum": torch.sum,
    "ReduceL1": lambda x, dim, keepdim: x.abs().sum(dim, keepdim),
    "ReduceL2": lambda x, dim, keepdim: torch.linalg.vector_norm(x, 2, dim, keepdim),
    "ReduceLogSum": lambda x, dim, keepdim: x.sum(dim, keepdim).log(),
    "ReduceLogSumExp": torch.logsumexp,
    "ReduceSumSquare": lambda x, dim, keepdim: x.square().sum(dim, keepdim),
}


@operator(*_REDUCTIONS)
def _reduce(node: Node) -> Kernel:
    function = _REDUCTIONS[node.kind]
    attribute, keep = node.get("axes"), bool(node.get("keepdims", 1))
    nothing = bool(node.get("noop_with_empty_axes", 0))

    def kernel(x: Tensor, given: Tensor | None = None) -> Tensor:
        axes = attribute if given is None else given.tolist()
        if not axes and nothing:
            return x
        return function(x, axes or list(range(x.ndim)), keep) if x.ndim else x

    return kernel


@operator("ArgMax", "ArgMin")
def _extreme(node: Node) -> Kernel:
    function = torch.argmax if node.kind == "ArgMax" else torch.argmin
    keep, last = bool(node.get("keepdims", 1)), node.get("select_last_index", 0)
    axis: int = node.get("axis", 0)

    def kernel(x: Tensor) -> Tensor:
        if last:
            return x.shape[axis] - 1 - function(x.flip(axis), axis, keep)
        return function(x, axis, keep)

    return kernel


@operator("TopK")
def _top(node: Node) -> Kernel:
    axis, largest, attribute = node.get("axis", -1), bool(node.get("largest", 1)), node.get("k")

    def kernel(x: Tensor, given: Tensor | None = None) -> tuple[Tensor, Tensor]:
        count = attribute if given is None else int(given)
        # A stable sort, because of equal values the one with the lowest index comes first.
        values, places = torch.sort(x, dim=axis, descending=largest, stable=True)
        return values.narrow(axis, 0, count), places.narrow(axis, 0, count)

    return kernel


@operator("CumSum")
def _running_sum(node: Node) -> Kernel:
    reverse, exclusive = node.get("reverse", 0), node.get("exclusive", 0)

    def kernel(x: Tensor, given: Tensor) -> Tensor:
        axis = int(given)
        x = x.flip(axis) if reverse else x
        made = x.cumsum(axis)
        if exclusive:
            made = made - x
        return made.flip(axis) if reverse else made

    return kernel


@operator("Trilu")
def _triangle(node: Node) -> Kernel:
    function = torch.triu if node.get("upper", 1) else torch.tril
    return lambda x, diagonal=None: function(x, 0 if diagonal is None else int(diagonal))


@operator("Size")
def _size(node: Node) -> Kernel:
    return lambda x: torch.tensor(math.prod(x.shape))
