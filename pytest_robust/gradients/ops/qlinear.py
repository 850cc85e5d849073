"""Operators on quantized values, straight through as in `quantise`.

Most are the float operator between a dequantization and a quantization. Those of the domain com.microsoft are what
ONNX Runtime's quantizer writes in its QOperator format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pytest_robust.gradients.ops.activation import flat_softmax, leaky_relu, softmax
from pytest_robust.gradients.ops.convolution import convolution
from pytest_robust.gradients.ops.matrix import gemm
from pytest_robust.gradients.ops.pooling import average_pool, spatial
from pytest_robust.gradients.ops.quantise import limits_of, quantized
from pytest_robust.gradients.registry import Node, operator

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from pytest_robust.gradients.registry import Kernel

_MICROSOFT = "com.microsoft"


def _float(x: Tensor, scale: Tensor, zero: Tensor | None) -> Tensor:
    return (x if zero is None else x - zero) * scale


def _channel(factor: Tensor, rank: int) -> Tensor:
    """A factor per output channel, the first axis of a convolution's weights."""
    return factor if factor.numel() == 1 else factor.reshape(-1, *[1] * (rank - 1))


@operator("QLinearConv")
def _convolution(node: Node) -> Kernel:
    product, limits = convolution(node), limits_of(node, 7)

    def kernel(
        x: Tensor,
        x_scale: Tensor,
        x_zero: Tensor,
        weight: Tensor,
        w_scale: Tensor,
        w_zero: Tensor,
        y_scale: Tensor,
        y_zero: Tensor,
        bias: Tensor | None = None,
    ) -> Tensor:
        # Whole numbers until the sum is complete, as the integer kernel has it.
        sums = product(x - x_zero, weight - _channel(w_zero, weight.ndim), None if bias is None else bias.to(x))
        return quantized(sums * _channel(x_scale * w_scale, sums.ndim - 1), y_scale, y_zero, limits)

    return kernel


@operator("QLinearMatMul")
def _matmul(node: Node) -> Kernel:
    limits = limits_of(node, 7)

    def kernel(
        a: Tensor,
        a_scale: Tensor,
        a_zero: Tensor,
        b: Tensor,
        b_scale: Tensor,
        b_zero: Tensor,
        y_scale: Tensor,
        y_zero: Tensor,
    ) -> Tensor:
        return quantized(torch.matmul(a - a_zero, b - b_zero) * (a_scale * b_scale), y_scale, y_zero, limits)

    return kernel


@operator("QGemm", domain=_MICROSOFT)
def _gemm(node: Node) -> Kernel:
    product, alpha = gemm(node), node.get("alpha", 1.0)
    transposed = node.get("transB", 0)
    limits = limits_of(node, 8) if len(node.types) > 8 else None

    def kernel(
        a: Tensor,
        a_scale: Tensor,
        a_zero: Tensor,
        b: Tensor,
        b_scale: Tensor,
        b_zero: Tensor,
        bias: Tensor | None = None,
        y_scale: Tensor | None = None,
        y_zero: Tensor | None = None,
    ) -> Tensor:
        per_column = [_channel(one, 2) if transposed else one for one in (b_scale, b_zero)]
        made = product(_float(a, a_scale, a_zero), _float(b, *per_column))
        if bias is not None:
            made = made + bias.to(made) * (alpha * a_scale * b_scale)
        return made if y_scale is None or limits is None else quantized(made, y_scale, y_zero, limits)

    return kernel


def _two(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Node], Kernel]:
    def factory(node: Node) -> Kernel:
        limits = limits_of(node, 7)

        def kernel(
            a: Tensor,
            a_scale: Tensor,
            a_zero: Tensor | None,
            b: Tensor,
            b_scale: Tensor,
            b_zero: Tensor | None,
            y_scale: Tensor,
            y_zero: Tensor | None = None,
        ) -> Tensor:
            return quantized(function(_float(a, a_scale, a_zero), _float(b, b_scale, b_zero)), y_scale, y_zero, limits)

        return kernel

    return factory


operator("QLinearAdd", domain=_MICROSOFT)(_two(torch.add))
operator("QLinearMul", domain=_MICROSOFT)(_two(torch.mul))


def _one(factory: Callable[[Node], Kernel]) -> Callable[[Node], Kernel]:
    def make(node: Node) -> Kernel:
        function, limits = factory(node), limits_of(node, 4)

        def kernel(x: Tensor, x_scale: Tensor, x_zero: Tensor, y_scale: Tensor, y_zero: Tensor) -> Tensor:
            return quantized(function(_float(x, x_scale, x_zero)), y_scale, y_zero, limits)

        return kernel

    return make


def _global_average(node: Node) -> Kernel:
    return lambda x: x.mean(dim=spatial(x), keepdim=True)


def _softmax(node: Node) -> Kernel:
    return softmax(node) if node.get("opset", 13) >= 13 else flat_softmax(node)


def _planar(factory: Callable[[Node], Kernel]) -> Callable[[Node], Kernel]:
    def make(node: Node) -> Kernel:
        if node.get("channels_last", 0):
            raise node.refuse("has its channels last")
        return factory(node)

    return make


operator("QLinearAveragePool", domain=_MICROSOFT)(_one(_planar(average_pool)))
operator("QLinearGlobalAveragePool", domain=_MICROSOFT)(_one(_planar(_global_average)))
operator("QLinearLeakyRelu", domain=_MICROSOFT)(_one(leaky_relu))
operator("QLinearSigmoid", domain=_MICROSOFT)(_one(lambda node: torch.sigmoid))
operator("QLinearSoftmax", domain=_MICROSOFT)(_one(_softmax))


@operator("QLinearConcat", domain=_MICROSOFT)
def _concat(node: Node) -> Kernel:
    axis, limits = node.get("axis"), limits_of(node, 1)

    def kernel(y_scale: Tensor, y_zero: Tensor, *parts: Tensor) -> Tensor:
        triples = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
        return quantized(torch.cat([_float(*three) for three in triples], dim=axis), y_scale, y_zero, limits)

    return kernel


@operator("ConvInteger", "MatMulInteger")
def _integer(node: Node) -> Kernel:
    """The int32 sums are floats here, whole numbers up to 2**24."""
    over_images = node.kind == "ConvInteger"
    product = convolution(node) if over_images else torch.matmul

    def kernel(a: Tensor, b: Tensor, a_zero: Tensor | None = None, b_zero: Tensor | None = None) -> Tensor:
        if a_zero is not None:
            a = a - (a_zero if a_zero.numel() == 1 else a_zero.unsqueeze(-1))
        if b_zero is not None:
            b = b - (_channel(b_zero, b.ndim) if over_images else b_zero)
        return product(a, b)

    return kernel
