"""A small ResNet-RS (Bello et al. 2021, arXiv 2103.07579); half of what it gains comes of how it is trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from specs.claims.nets import WIDTHS, Head, conv

_STEM = ((3, 2), (WIDTHS[0], 1), (WIDTHS[0], 1))
"""Input channels and stride of the stem's layers."""


class SqueezeExcite(nn.Module):
    """Channels weighed by what the whole image shows (Hu et al. 2018), squeezed to a quarter, at least 4."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inside = max(4, width // 4)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, inside, 1), nn.ReLU(), nn.Conv2d(inside, width, 1), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, C, H, W) -> the same shape."""
        weighed: Tensor = x * self.gate(x)
        return weighed


class RsBlock(nn.Module):
    """A block of ResNet-RS: squeeze-and-excitation, a pooled shortcut, and a branch that training sometimes drops."""

    def __init__(self, inputs: int, outputs: int, stride: int, drop: float) -> None:
        super().__init__()
        self.drop = drop
        self.inside = nn.Sequential(
            conv(inputs, outputs, stride),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            conv(outputs, outputs),
            nn.BatchNorm2d(outputs),
            SqueezeExcite(outputs),
        )
        self.shortcut = nn.Sequential()
        if inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, C, H, W) -> (N, C', H / stride, W / stride)."""
        inner = self.inside(x)
        if self.training:
            kept = torch.rand(len(x), 1, 1, 1) >= self.drop
            inner = inner * kept / (1 - self.drop)
        return functional.relu(inner + self.shortcut(x))


def resnet_rs() -> nn.Module:
    """The plain ResNet's shape with the stem of three layers, gates and pooled shortcuts."""
    one, two, three = WIDTHS
    stem = [nn.Sequential(conv(inputs, one, stride), nn.BatchNorm2d(one), nn.ReLU()) for inputs, stride in _STEM]
    # the deeper, the likelier a branch is dropped
    blocks = RsBlock(one, one, 1, 0.1 / 3), RsBlock(one, two, 2, 0.2 / 3), RsBlock(two, three, 2, 0.1)
    return nn.Sequential(*stem, *blocks, Head(three, dropout=0.25))
