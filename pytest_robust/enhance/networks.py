"""The two networks of DynTTA: a ResNet that estimates, and a network from images to images.

No pretrained weights are to be had for either, so both begin at random.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

_GRID = 4
"""Selective convolutions weigh their branches on a grid of so many cells a side."""
_REDUCTION = 16


class Block(nn.Module):
    """A basic residual block (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        same = stride == 1 and inputs == outputs
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, C, H, W) -> (N, C', H / stride, W / stride)."""
        inner = functional.relu(self.norm1(self.first(x)))
        return functional.relu(self.norm2(self.second(inner)) + self.shortcut(x))


class ResNet(nn.Sequential):
    """Images -> `outputs` numbers each: a stem, stages of blocks that each halve the side but the first, and a mean."""

    def __init__(self, stem: nn.Module, widths: Sequence[int], depth: int, outputs: int) -> None:
        """Build it.

        Args:
            stem: images -> ``widths[0]`` planes.
            widths: planes of each stage.
            depth: blocks of a stage.
            outputs: how many numbers.
        """
        layers: list[nn.Module] = [stem]
        before = widths[0]
        for stage, width in enumerate(widths):
            for place in range(depth):
                layers.append(Block(before, width, 2 if stage and not place else 1))
                before = width
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, outputs))


def resnet18(outputs: int) -> ResNet:
    """ResNet-18 (He et al. 2016), for images of about 224 pixels: 11 million parameters."""
    stem = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    return ResNet(stem, (64, 128, 256, 512), 2, outputs)


def small_resnet(outputs: int) -> ResNet:
    """Three stages of one block, for images of about 32 pixels: 80 thousand parameters."""
    stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    return ResNet(stem, (16, 32, 64), 1, outputs)


class SelectiveConv(nn.Module):
    """Two 3 x 3 convolutions, normalised over the batch and over the image, mixed by attention on a coarse grid."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.batch = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs), nn.LeakyReLU()
        )
        self.instance = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.InstanceNorm2d(outputs, affine=True), nn.LeakyReLU()
        )
        narrow = max(1, outputs // _REDUCTION)
        self.squeeze = nn.Sequential(nn.Conv2d(outputs, narrow, 1), nn.LeakyReLU())
        self.excite = nn.Conv2d(narrow, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, C, H, W) -> (N, C', H, W)."""
        one, other = self.batch(x), self.instance(x)
        # the softmax of two numbers is the sigmoid of their difference
        share = torch.sigmoid(self.excite(self.squeeze(_pooled(one + other))))
        share = functional.interpolate(share, size=x.shape[2:], mode="bilinear", align_corners=False)
        mixed: Tensor = other + share * (one - other)
        return mixed


class ImageToImage(nn.Module):
    """A selective-kernel U-Net that adds to its input, as URIE (Son et al. 2020) has it; at first it adds nothing.

    A size that four does not divide is enlarged again to what it was.
    """

    def __init__(self, width: int) -> None:
        """Build it with `width` planes at full size, the paper's 32, and in proportion below."""
        super().__init__()
        wide = 2 * width
        self.stem = nn.Conv2d(3, width, 9, 1, 4)
        self.down1 = SelectiveConv(width, wide)
        self.down2 = SelectiveConv(wide, wide)
        self.up1 = SelectiveConv(2 * wide, width)
        self.up2 = SelectiveConv(2 * width, width // 2)
        self.last = nn.Conv2d(width // 2, 3, 3, 1, 1)
        for one in self.last.parameters():
            nn.init.zeros_(one)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) with sides of 4 or more -> (N, 3, H, W), not clipped."""
        full = self.stem(images)
        half = self.down1(functional.max_pool2d(full, 2))
        quarter = self.down2(functional.max_pool2d(half, 2))
        half = self.up1(_joined(quarter, half))
        made: Tensor = images + self.last(self.up2(_joined(half, full)))
        return made


def _joined(small: Tensor, large: Tensor) -> Tensor:
    enlarged = functional.interpolate(small, size=large.shape[2:], mode="bilinear", align_corners=False)
    return torch.cat([enlarged, large], 1)


def _pooled(x: Tensor) -> Tensor:
    """Adaptive average pooling to the grid, as products of matrices: ONNX has it for fixed sizes only."""
    rows, columns = _cells(x.shape[2], x), _cells(x.shape[3], x)
    return rows @ x @ columns.transpose(0, 1)


def _cells(length: int, like: Tensor) -> Tensor:
    """Shares of `length` places in each cell, (grid, length)."""
    cell = torch.arange(_GRID, device=like.device).unsqueeze(1)
    place = torch.arange(length, device=like.device)
    inside = (place >= cell * length // _GRID) & (place < ((cell + 1) * length + _GRID - 1) // _GRID)
    shares = inside.to(like.dtype)
    return shares / shares.sum(1, keepdim=True)
