"""Quantization by straight-through estimation (Bengio et al., arXiv 1308.3432).

Forwards a value is divided by the scale, rounded half to even, shifted by the zero point and saturated, as ONNX defines
it. Backwards the rounding counts as the identity: the gradient passes where the value was not saturated and is zero
elsewhere. Quantized values are floats, see `registry`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from onnx import TensorProto

from pytest_robust.gradients.registry import ABSENT, Node, operator
from pytest_robust.gradients.tensors import QUANTIZED

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_robust.gradients.registry import Kernel


class _Quantize(torch.autograd.Function):
    """One step, that keeps one bool per value for the backward pass and not five float tensors."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, zero: Tensor | None, low: int, high: int) -> Tensor:
        made = (x / scale).round_()
        if zero is not None:
            made = made.add_(zero)
        kept = made.clamp(low, high)
        ctx.save_for_backward(kept != made, scale)
        return kept

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        outside, scale = ctx.saved_tensors
        return (gradient / scale).masked_fill_(outside, 0), None, None, None, None


def quantized(x: Tensor, scale: Tensor, zero: Tensor | None, limits: tuple[int, int]) -> Tensor:
    """`x` in units of `scale`, rounded, shifted by `zero` and kept within `limits`; see the module."""
    return _Quantize.apply(x, scale, zero, *limits)  # type: ignore[no-any-return, no-untyped-call]


def limits_of(node: Node, index: int) -> tuple[int, int]:
    """Smallest and largest value of the type that the zero point at input `index` has.

    Raises:
        RobustError: the type is not known, or is no integer of 16 bits or less.
    """
    element = node.types[index] if index < len(node.types) else ABSENT
    if element == ABSENT:
        element = node.get("output_dtype") or TensorProto.UINT8
    if element not in QUANTIZED:
        raise node.refuse("quantizes to a type that is no integer of 16 bits or less, or is not known")
    return QUANTIZED[element]


def _aligned(factor: Tensor | None, x: Tensor, axis: int, block: int) -> Tensor | None:
    """Scale or zero point in a shape that broadcasts over `x`: one per tensor, place on the axis, or block of it."""
    if factor is None or factor.numel() == 1:
        return None if factor is None else factor.reshape(())
    if block:
        return factor.repeat_interleave(block, axis).narrow(axis, 0, x.shape[axis])
    return factor.reshape([-1 if one == axis % x.ndim else 1 for one in range(x.ndim)])


@operator("QuantizeLinear")
@operator("QuantizeLinear", domain="com.microsoft")
def _quantize(node: Node) -> Kernel:
    axis, block = node.get("axis", 1), node.get("block_size", 0)
    limits = limits_of(node, 2)

    def kernel(x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
        return quantized(x, _scale(scale, x, axis, block), _aligned(zero, x, axis, block), limits)

    return kernel


@operator("DequantizeLinear")
@operator("DequantizeLinear", domain="com.microsoft")
def _dequantize(node: Node) -> Kernel:
    axis, block = node.get("axis", 1), node.get("block_size", 0)

    def kernel(x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
        shift = _aligned(zero, x, axis, block)
        # int32 biases are integers still.
        x = x.to(scale)
        return (x if shift is None else x - shift.to(scale)) * _scale(scale, x, axis, block)

    return kernel


def _scale(scale: Tensor, x: Tensor, axis: int, block: int) -> Tensor:
    aligned = _aligned(scale, x, axis, block)
    assert aligned is not None
    return aligned


@operator("DynamicQuantizeLinear")
def _dynamic(node: Node) -> Kernel:
    def kernel(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # The range is measured, not passed through: its gradient would be that of two single values.
        still = x.detach()
        low, high = still.amin().clamp(max=0), still.amax().clamp(min=0)
        scale = (high - low) / 255
        scale = torch.where(scale == 0, torch.ones_like(scale), scale)
        zero = (-low / scale).round().clamp(0, 255)
        return quantized(x, scale, zero, (0, 255)), scale, zero

    return kernel
