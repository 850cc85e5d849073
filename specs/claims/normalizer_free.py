"""A normalizer-free ResNet (Brock et al. 2021, arXiv 2101.08692): no normalisation, and variances that are kept."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from specs.claims.nets import WIDTHS, Head, conv


class ScaledStandardised(nn.Module):
    """Scaled weight standardisation: each filter at mean 0 and variance 1 / fan-in, times a learnt gain.

    ``gain * (W - mean(W)) / sqrt(max(var(W) * fan_in, 1e-4))``.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(outputs, 1, 1, 1))

    def forward(self, weight: Tensor) -> Tensor:
        """Weights (C', C, h, w) -> the same, standardised."""
        mean = weight.mean((1, 2, 3), keepdim=True)
        spread = weight.var((1, 2, 3), unbiased=False, keepdim=True) * weight[0].numel()
        return (weight - mean) * spread.clamp(min=1e-4).rsqrt() * self.gain


def _standardised(layer: nn.Conv2d) -> nn.Conv2d:
    parametrize.register_parametrization(layer, "weight", ScaledStandardised(layer.out_channels))
    return layer


def relu_of_variance_one(x: Tensor) -> Tensor:
    """ReLU scaled so that a normal input of variance 1 gives variance 1."""
    return functional.relu(x) * math.sqrt(2 / (1 - 1 / math.pi))


class FreeBlock(nn.Module):
    """A normalizer-free block: ``shortcut(x) + alpha * gain * f(x / beta)``, the gain of the branch starting at 0."""

    alpha = 0.2

    def __init__(self, inputs: int, outputs: int, stride: int, variance: float) -> None:
        super().__init__()
        self.beta = math.sqrt(variance)
        self.first = _standardised(conv(inputs, outputs, stride, bias=True))
        self.second = _standardised(conv(outputs, outputs, bias=True))
        self.gain = nn.Parameter(torch.zeros(()))
        self.shortcut = None
        if inputs != outputs:
            self.shortcut = nn.Sequential(nn.AvgPool2d(2), _standardised(nn.Conv2d(inputs, outputs, 1)))

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, C, H, W) -> (N, C', H / stride, W / stride)."""
        active = relu_of_variance_one(x / self.beta)
        inner = self.second(relu_of_variance_one(self.first(active)))
        around = x if self.shortcut is None else self.shortcut(active)
        summed: Tensor = around + self.alpha * self.gain * inner
        return summed


class NormalizerFree(nn.Module):
    """The plain ResNet's shape; the variance that reaches a block is known, and divided out in front of it."""

    def __init__(self) -> None:
        super().__init__()
        one, two, three = WIDTHS
        after = 1 + FreeBlock.alpha**2
        self.stem = _standardised(conv(3, one, 2, bias=True))
        self.blocks = nn.Sequential(
            FreeBlock(one, one, 1, 1.0), FreeBlock(one, two, 2, after), FreeBlock(two, three, 2, after)
        )
        self.head = Head(three)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, 3, H, W) -> logits (N, 10)."""
        logits: Tensor = self.head(relu_of_variance_one(self.blocks(self.stem(x))))
        return logits


def baked(net: nn.Module) -> nn.Module:
    """The net with every parametrised weight replaced by its value; changed in place."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d) and parametrize.is_parametrized(layer):
            parametrize.remove_parametrizations(layer, "weight")
    return net
