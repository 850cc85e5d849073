"""Elementwise arithmetic, comparison and logic, with broadcasting."""

from __future__ import annotations

import math
from functools import reduce
from typing import TYPE_CHECKING, Any

import torch

from pytest_robust.gradients.registry import Node, functions, operator

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from pytest_robust.gradients.registry import Kernel


def together(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors on one device: integers that live on the CPU follow the others."""
    device = next((one.device for one in tensors if one.device.type != "cpu"), None)
    return tensors if device is None else tuple(one.to(device) for one in tensors)


def _divide(a: Tensor, b: Tensor) -> Tensor:
    return torch.div(a, b) if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


def _pairwise(function: Callable[[Tensor, Tensor], Tensor]) -> Kernel:
    def kernel(first: Tensor, *others: Tensor) -> Tensor:
        for other in others:
            first = function(*together(first, other))
        return first

    return kernel


_PAIRWISE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "Add": torch.add,
    "And": torch.logical_and,
    "Div": _divide,
    "Equal": torch.eq,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "Max": torch.maximum,
    "Min": torch.minimum,
    "Mul": torch.mul,
    "Or": torch.logical_or,
    "Sub": torch.sub,
    "Sum": torch.add,
    "Xor": torch.logical_xor,
}
functions({name: _pairwise(function) for name, function in _PAIRWISE.items()})


def step(function: Callable[[Tensor], Tensor]) -> Kernel:
    """A function that is constant almost everywhere: torch would call its gradient zero, here there is none."""
    return lambda x: function(x.detach())


_UNARY: dict[str, Kernel] = {
    "Abs": torch.abs,
    "Acos": torch.acos,
    "Asin": torch.asin,
    "Atan": torch.atan,
    "Ceil": step(torch.ceil),
    "Cos": torch.cos,
    "Cosh": torch.cosh,
    "Exp": torch.exp,
    "Floor": step(torch.floor),
    "IsInf": torch.isinf,
    "IsNaN": torch.isnan,
    "Log": torch.log,
    "Neg": torch.neg,
    "Not": torch.logical_not,
    "Reciprocal": torch.reciprocal,
    "Round": step(torch.round),
    "Sign": step(torch.sign),
    "Sin": torch.sin,
    "Sinh": torch.sinh,
    "Sqrt": torch.sqrt,
    "Tan": torch.tan,
}
functions(_UNARY)


@operator("Pow")
def _power(node: Node) -> Kernel:
    exponent = node.constants[1]
    # A tensor as the exponent costs a logarithm and loses the gradient at 0.
    number = float(exponent) if exponent is not None and exponent.ndim == 0 else None

    def kernel(x: Tensor, exponent: Tensor) -> Tensor:
        if not x.is_floating_point():
            return torch.pow(*together(x, exponent)).to(torch.int64)
        return torch.pow(*together(x, exponent)) if number is None else torch.pow(x, number)

    return kernel


@operator("Mean")
def _mean(node: Node) -> Kernel:
    return lambda *tensors: reduce(torch.add, together(*tensors)) / len(tensors)


@operator("Mod")
def _modulo(node: Node) -> Kernel:
    function = torch.fmod if node.get("fmod", 0) else torch.remainder
    return lambda a, b: function(*together(a, b))


@operator("Clip", since=1)
def _clip_attributes(node: Node) -> Kernel:
    low, high = node.get("min"), node.get("max")
    return lambda x: _clip(x, low, high)


@operator("Clip", since=11)
def _clip_inputs(node: Node) -> Kernel:
    # As plain numbers the limits need no broadcasting and no gradient of their own.
    low, high = node.scalar(1), node.scalar(2)
    return lambda x, *_: _clip(x, low, high)


def _clip(x: Tensor, low: float | None, high: float | None) -> Tensor:
    if low is None and high is None:
        return x
    return _Clip.apply(x, low, high) if x.requires_grad else torch.clamp(x, low, high)  # type: ignore[no-untyped-call]


def _next(limit: float, towards: float, like: Tensor) -> float:
    return float(torch.nextafter(*torch.tensor([limit, towards], dtype=like.dtype)))


class _Clip(torch.autograd.Function):
    """Torch's clamp, of which the backward pass is one kernel and not five."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float | None, high: float | None) -> Tensor:
        ctx.save_for_backward(x)
        ctx.limits = low, high
        return torch.clamp(x, low, high)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        # The kernel stops what lies on a limit, such as a black pixel: the next number outwards lets it pass.
        low, high = (
            far if limit is None else _next(limit, far, x)
            for limit, far in zip(ctx.limits, (-math.inf, math.inf), strict=True)
        )
        return torch.ops.aten.hardtanh_backward(gradient, x, low, high), None, None


@operator("Where")
def _where(node: Node) -> Kernel:
    return lambda *three: torch.where(*together(*three))
