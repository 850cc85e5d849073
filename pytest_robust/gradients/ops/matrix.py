"""Products of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from pytest_robust.gradients.registry import Node, operator

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_robust.gradients.registry import Kernel


@operator("MatMul")
def _matmul(node: Node) -> Kernel:
    return torch.matmul


@operator("Gemm")
def gemm(node: Node) -> Kernel:
    """The general product alpha * A B + beta * C, either factor transposed."""
    alpha: float = node.get("alpha", 1.0)
    beta: float = node.get("beta", 1.0)
    turn_a, turn_b = node.get("transA", 0), node.get("transB", 0)

    def kernel(a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
        a = a.T if turn_a else a
        if alpha == beta == 1 and c is not None and c.ndim == 1:
            return functional.linear(a, b if turn_b else b.T, c)
        made = alpha * (a @ (b.T if turn_b else b))
        return made if c is None else made + beta * c

    return kernel


@operator("Einsum")
def _einsum(node: Node) -> Kernel:
    equation = node.get("equation")
    return lambda *tensors: torch.einsum(equation, *tensors)


@operator("Det")
def _determinant(node: Node) -> Kernel:
    return lambda x: torch.linalg.det(x)
