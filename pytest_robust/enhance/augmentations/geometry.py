"""Rotation and scaling about the centre: bilinear, black outside, differentiable in the magnitude.

Samples are picked by index and not by a grid operator, for which ONNX Runtime has no CUDA kernel in this layout.
"""

from __future__ import annotations

import torch
from torch import Tensor


def rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """Turn each image counter-clockwise.

    Args:
        images: floats (N, 3, H, W).
        degrees: (N,).
    """
    angle = (degrees * (torch.pi / 180)).view(-1, 1, 1)
    cosine, sine = angle.cos(), angle.sin()
    y, x = _offsets(images)
    return _sampled(images, cosine * y + sine * x, cosine * x - sine * y)


def scale(images: Tensor, factor: Tensor) -> Tensor:
    """Enlarge each image by a factor above 0 and keep its size; below 1 it shrinks into black.

    Args:
        images: floats (N, 3, H, W).
        factor: (N,).
    """
    y, x = _offsets(images)
    times = 1 / factor.view(-1, 1, 1)
    return _sampled(images, times * y + 0 * x, times * x + 0 * y)


def _offsets(images: Tensor) -> tuple[Tensor, Tensor]:
    """Rows (1, H, 1) and columns (1, 1, W) as distances from the centre, in pixels."""
    height, width = images.shape[2], images.shape[3]
    y = torch.arange(height, dtype=images.dtype, device=images.device) - (height - 1) / 2
    x = torch.arange(width, dtype=images.dtype, device=images.device) - (width - 1) / 2
    return y.view(1, -1, 1), x.view(1, 1, -1)


def _sampled(images: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """The images at distances from the centre, each (N, H, W): the mean of four neighbours by nearness."""
    height, width = images.shape[2], images.shape[3]
    rows, columns = y + (height - 1) / 2, x + (width - 1) / 2
    top, left = rows.detach().floor(), columns.detach().floor()
    flat = images.flatten(2)
    made = torch.zeros_like(images)
    for down in (0, 1):
        for right in (0, 1):
            row, column = top + down, left + right
            nearness = (1 - (rows - row).abs()) * (1 - (columns - column).abs())
            inside = (row >= 0) & (row <= height - 1) & (column >= 0) & (column <= width - 1)
            places = torch.where(inside, row * width + column, torch.zeros_like(row)).long()
            picked = flat.gather(2, places.flatten(1).unsqueeze(1).expand(-1, 3, -1)).view_as(images)
            made = made + picked * (nearness * inside).unsqueeze(1)
    return made
