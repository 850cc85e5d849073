"""Circular low- and high-pass filters, one at a time or all of them mixed at the cost of one.

A circular mask is even along both axes, so the separable Hartley transform, ``cas = cos + sin`` along each, makes it a
product as the Fourier transform does, and stays real: ``H = A x B``, ``A = cas(2 pi i j / h)``, which is its own
inverse up to ``1 / (h w)``. As products of matrices it runs wherever ONNX does.

A frequency's distance is that to the centre of the shifted spectrum, as a share of the corner's. Radii are twentieths
and distances roots of whole numbers, so they are compared exactly, whatever the device.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

RADII = tuple(range(1, 20))
"""The radii 0.05 to 0.95, in twentieths."""


def low_pass(images: Tensor, radius: int) -> Tensor:
    """Keep the frequencies up to a radius.

    Args:
        images: floats (N, 3, H, W).
        radius: in twentieths of the distance from the centre to a corner, 1 to 19.

    Returns:
        The filtered images, not clipped.
    """
    return _filtered(images, _disks(images)[radius - 1].to(images.dtype))


def high_pass(images: Tensor, radius: int) -> Tensor:
    """Keep the frequencies beyond a radius; see `low_pass`."""
    return _filtered(images, 1 - _disks(images)[radius - 1].to(images.dtype))


def filter_bank(images: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The sum of all filters, each times its weight; filters are linear, so one mask per image does it.

    Args:
        images: floats (N, 3, H, W).
        low: weights of the low-pass filters of `RADII`, (N, 19).
        high: weights of the high-pass filters, (N, 19).
    """
    # Disks are nested: a frequency outside k of them passes the low-pass filters from the k-th on. Running sums go in
    # one order, where ONNX Runtime's sums and products give an image other last bits in a batch of another size.
    inner = functional.pad((low - high).flip(1).cumsum(1).flip(1), (0, 1))
    passed = inner + high.cumsum(1)[:, -1:]
    outside = (~_disks(images)).sum(0)
    mask = passed.index_select(1, outside.flatten()).view(-1, 1, *outside.shape)
    return _filtered(images, mask)


def _filtered(images: Tensor, mask: Tensor) -> Tensor:
    height, width = images.shape[2], images.shape[3]
    rows, columns = _hartley(height, images), _hartley(width, images)
    return rows @ (mask * (rows @ images @ columns)) @ columns / (height * width)


def _hartley(length: int, like: Tensor) -> Tensor:
    """The matrix cas(2 pi i j / length); the product is reduced while it is whole, so that no angle is large."""
    index = torch.arange(length, device=like.device)
    turns = (index.unsqueeze(1) * index) % length
    angle = turns.to(like.dtype) * (2 * torch.pi / length)
    return angle.cos() + angle.sin()


def _disks(images: Tensor) -> Tensor:
    """Which frequencies lie within each radius of `RADII`: bool (19, H, W)."""
    height, width = images.shape[2], images.shape[3]
    distances = _squares(height, images).unsqueeze(1) + _squares(width, images)
    corner = (height // 2) ** 2 + (width // 2) ** 2
    limits = torch.tensor([one**2 for one in RADII], device=images.device).view(-1, 1, 1) * corner
    return distances * 400 <= limits


def _squares(length: int, like: Tensor) -> Tensor:
    """The squared frequencies 0, 1, 4, ... of an axis, in the order of a transform, whole numbers (length,)."""
    half = length // 2
    signed = (torch.arange(length, device=like.device) + half) % length - half
    return signed * signed
