"""The architectures of `specs/claims.yaml`: small nets for 32 x 32 images, each beside its plain twin.

All take images (N, 3, H, W) in [-1, 1] and give 10 logits; any height and width from 16 pixels on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

CLASSES = 10
WIDTHS = (8, 12, 16)
"""Channels of the three stages."""

SPLITS = {1: (1,), 2: (2, 2), 3: (2, 4, 4), 4: (4, 4, 4, 4)}
"""CoConv's levels -> what each level's share of the output channels is a part of: 2 is a half, 4 a quarter."""


def conv(inputs: int, outputs: int, stride: int = 1, *, bias: bool = False) -> nn.Conv2d:
    """A 3 x 3 convolution that keeps the size, or divides it by the stride."""
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=bias)


class Head(nn.Sequential):
    """Global average pooling and a linear classifier."""

    def __init__(self, width: int, dropout: float = 0.0) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(width, CLASSES))


class CoConv(nn.Module):
    """Contextual convolution (arXiv 2108.07387): parallel 3 x 3 convolutions of dilation 1, 2, ..., concatenated.

    It has the parameters and the multiplications of the plain convolution with as many output channels.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, levels: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Conv2d(inputs, outputs // part, 3, stride, dilation, dilation, bias=False)
            for dilation, part in enumerate(SPLITS[levels], 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, C, H, W) -> (N, C', H / stride, W / stride)."""
        return torch.cat([level(x) for level in self.levels], 1)


class Block(nn.Module):
    """A basic residual block (He et al. 2016), strided with a projection where the width changes.

    With `levels` it is a block of CoResNet at the end of a stage: CoConvs, and the last normalisation after the sum.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, levels: int | None = None) -> None:
        super().__init__()
        self.norms_sum = levels is not None
        self.first = CoConv(inputs, outputs, stride, levels) if levels else conv(inputs, outputs, stride)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.second = CoConv(outputs, outputs, 1, levels) if levels else conv(outputs, outputs)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, C, H, W) -> (N, C', H / stride, W / stride)."""
        inner = self.second(functional.relu(self.norm1(self.first(x))))
        if self.norms_sum:
            return functional.relu(self.norm2(inner + self.shortcut(x)))
        return functional.relu(self.norm2(inner) + self.shortcut(x))


def _residual(widths: Sequence[int], levels: Sequence[int | None]) -> nn.Module:
    one, two, three = widths
    return nn.Sequential(
        conv(3, one, 2),
        nn.BatchNorm2d(one),
        nn.ReLU(),
        Block(one, one, 1, levels[0]),
        Block(one, two, 2, levels[1]),
        Block(two, three, 2, levels[2]),
        Head(three),
    )


def resnet(widths: Sequence[int] = WIDTHS) -> nn.Module:
    """A plain ResNet: a stem of stride 2 and three stages of one block, on 16, 8 and 4 pixels a side."""
    return _residual(widths, (None, None, None))


def coresnet() -> nn.Module:
    """CoResNet (arXiv 2108.07387): the plain ResNet with CoConvs, whose levels fall to 1 at the last stage."""
    return _residual(WIDTHS, (3, 2, 1))


class Chain(nn.Module):
    """A VGG-like chain of 3 x 3 convolutions of one width, each with its own normalisation, max-pooled between stages.

    With `shared` it is a plain DACNN (arXiv 1904.09764): all layers after the stem use one kernel.
    """

    def __init__(self, width: int = 12, layout: Sequence[int] = (2, 2, 3), *, shared: bool) -> None:
        super().__init__()
        self.layout, self.shared = tuple(layout), shared
        count = sum(layout)
        self.stem = nn.Sequential(conv(3, width, 2), nn.BatchNorm2d(width), nn.ReLU())
        self.kernels = nn.ModuleList(conv(width, width) for _ in range(1 if shared else count))
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(count))
        self.head = Head(width)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, 3, H, W) -> logits (N, 10)."""
        x, layer = self.stem(x), 0
        for stage, depth in enumerate(self.layout):
            x = functional.max_pool2d(x, 2) if stage else x
            for _ in range(depth):
                kernel = self.kernels[layer % len(self.kernels)]
                x = functional.relu(self.norms[layer](kernel(x)))
                layer += 1
        logits: Tensor = self.head(x)
        return logits


def dacnn() -> nn.Module:
    """A DACNN: one kernel for all seven layers after the stem."""
    return Chain(shared=True)


def vgg() -> nn.Module:
    """DACNN's plain twin: every layer has its own kernel."""
    return Chain(shared=False)
