"""Activation functions. Those that ONNX itself defines by other operators are left to that definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from pytest_robust.gradients.registry import Node, functions, operator

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_robust.gradients.registry import Kernel

_PLAIN: dict[str, Kernel] = {
    "Erf": torch.erf,
    "HardSwish": functional.hardswish,
    "Mish": functional.mish,
    "Relu": torch.relu,
    "Sigmoid": torch.sigmoid,
    "Softplus": torch.nn.Softplus(threshold=1e9),
    "Softsign": functional.softsign,
    "Tanh": torch.tanh,
}
functions(_PLAIN)


@operator("LeakyRelu")
def leaky_relu(node: Node) -> Kernel:
    """The identity above 0, `alpha` times it below."""
    slope = node.get("alpha", 0.01)
    return lambda x: functional.leaky_relu(x, slope)


@operator("Elu")
def _elu(node: Node) -> Kernel:
    alpha = node.get("alpha", 1.0)
    return lambda x: functional.elu(x, alpha)


@operator("PRelu")
def _prelu(node: Node) -> Kernel:
    return lambda x, slope: torch.where(x < 0, x * slope, x)


@operator("HardSigmoid")
def _hard_sigmoid(node: Node) -> Kernel:
    alpha, beta = node.get("alpha", 0.2), node.get("beta", 0.5)
    return lambda x: torch.clamp(alpha * x + beta, 0, 1)


@operator("Gelu")
def _gelu(node: Node) -> Kernel:
    approximate = node.get("approximate", "none")
    return lambda x: functional.gelu(x, approximate=approximate)


@operator("Swish")
def _swish(node: Node) -> Kernel:
    alpha = node.get("alpha", 1.0)
    return lambda x: x * torch.sigmoid(alpha * x)


_SOFTMAX = {"Softmax": torch.softmax, "LogSoftmax": torch.log_softmax}


@operator("Softmax", "LogSoftmax", since=13)
def softmax(node: Node) -> Kernel:
    """Over one axis."""
    function, axis = _SOFTMAX[node.kind.removeprefix("QLinear")], node.get("axis", -1)
    return lambda x: function(x, dim=axis)


@operator("Softmax", "LogSoftmax", since=1)
def flat_softmax(node: Node) -> Kernel:
    """Until opset 12 the softmax ran over all axes from `axis` on."""
    function, axis = _SOFTMAX[node.kind.removeprefix("QLinear")], node.get("axis", 1)

    def kernel(x: Tensor) -> Tensor:
        return function(x.flatten(axis), dim=-1).reshape(x.shape)

    return kernel
