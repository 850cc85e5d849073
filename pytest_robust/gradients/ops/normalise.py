"""Normalisation: by stored statistics, and over batch, channel, group or layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from pytest_robust.gradients.registry import Node, operator

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_robust.gradients.registry import Kernel


@operator("BatchNormalization", since=7)
def _batch(node: Node) -> Kernel:
    epsilon = node.get("epsilon", 1e-5)
    if node.get("training_mode", 0) or not node.get("spatial", 1):
        raise node.refuse("normalises in training mode or per place")

    def kernel(x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        return functional.batch_norm(x, mean, variance, scale, bias, False, 0.0, epsilon)

    return kernel


@operator("InstanceNormalization")
def _instance(node: Node) -> Kernel:
    epsilon = node.get("epsilon", 1e-5)
    # As groups of one channel: torch refuses a single place per channel otherwise.
    return lambda x, scale, bias: functional.group_norm(x, x.shape[1], scale, bias, epsilon)


@operator("GroupNormalization", since=18)
def _group(node: Node) -> Kernel:
    groups, epsilon = node.get("num_groups"), node.get("epsilon", 1e-5)
    per_group = node.opset < 21

    def kernel(x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        if per_group:
            each = x.shape[1] // groups
            scale, bias = scale.repeat_interleave(each), bias.repeat_interleave(each)
        return functional.group_norm(x, groups, scale, bias, epsilon)

    return kernel


@operator("LayerNormalization")
def _layer(node: Node) -> Kernel:
    axis, epsilon = node.get("axis", -1), node.get("epsilon", 1e-5)
    if node.outputs > 1:
        raise node.refuse("gives the statistics that it normalises by")

    def kernel(x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
        shape = x.shape[axis:]
        if scale.shape == shape and (bias is None or bias.shape == shape):
            return functional.layer_norm(x, shape, scale, bias, epsilon)
        made = functional.layer_norm(x, shape, eps=epsilon) * scale
        return made if bias is None else made + bias

    return kernel


@operator("RMSNormalization")
def _root_mean_square(node: Node) -> Kernel:
    axis, epsilon = node.get("axis", -1), node.get("epsilon", 1e-5)
    return lambda x, scale: functional.rms_norm(x, x.shape[axis:], eps=epsilon) * scale


@operator("LRN")
def _local_response(node: Node) -> Kernel:
    size: int = node.get("size")
    alpha: float = node.get("alpha", 1e-4)
    beta: float = node.get("beta", 0.75)
    bias: float = node.get("bias", 1.0)
    return lambda x: functional.local_response_norm(x, size, alpha, beta, bias)


@operator("LpNormalization")
def _lp(node: Node) -> Kernel:
    axis, power = node.get("axis", -1), node.get("p", 2)

    def kernel(x: Tensor) -> Tensor:
        norm = torch.linalg.vector_norm(x, power, dim=axis, keepdim=True)
        return torch.where(norm == 0, torch.zeros_like(x), x / torch.where(norm == 0, torch.ones_like(norm), norm))

    return kernel
