"""Scaling by multiples; see `pytest_robust.shifts.scaling`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pytest_robust.shifts.on_device.pixels import mirrored, repeated
from pytest_robust.shifts.on_device.resample import resized
from pytest_robust.shifts.scaling import scaled

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_robust.shifts.on_device.bits import BatchBits

_PIXELS = 1 << 23
"""Enlarged pixels that are worked on together: some 300 MB of working arrays."""


def down_up(images: torch.Tensor, bits: BatchBits, multiple: float, interpolation: str) -> torch.Tensor:
    """See `scaling.down_up`; the same bytes."""
    height, width = images.shape[1:3]

    def rule(part: torch.Tensor) -> torch.Tensor:
        there = resized(part, *scaled((height, width), multiple), interpolation)
        return resized(there, height, width, interpolation)

    return _by_parts(images, multiple, rule)


def zoom_crop(images: torch.Tensor, bits: BatchBits, multiple: float, interpolation: str) -> torch.Tensor:
    """See `scaling.zoom_crop`; the same bytes."""
    height, width = images.shape[1:3]
    new = scaled((height, width), multiple)
    top, left = (new[0] - height) // 2, (new[1] - width) // 2

    def rule(part: torch.Tensor) -> torch.Tensor:
        return resized(part, *new, interpolation)[:, top : top + height, left : left + width]

    return _by_parts(images, multiple, rule)


def shrink_pad(
    images: torch.Tensor, bits: BatchBits, multiple: float, interpolation: str, pad: str, fill: int
) -> torch.Tensor:
    """See `scaling.shrink_pad`; the same bytes."""
    height, width = images.shape[1:3]
    small = resized(images, *scaled((height, width), multiple), interpolation)
    top, left = (height - small.shape[1]) // 2, (width - small.shape[2]) // 2
    if pad == "constant":
        made = torch.full_like(images, fill)
        made[:, top : top + small.shape[1], left : left + small.shape[2]] = small
        return made
    edge = mirrored if pad == "reflect" else repeated
    for dim, side, before in ((1, height, top), (2, width, left)):
        places = edge(torch.arange(side, device=images.device) - before, small.shape[dim])
        small = small.index_select(dim, places)
    return small


def feed_scaled(images: torch.Tensor, bits: BatchBits, multiple: float, interpolation: str) -> torch.Tensor:
    """See `scaling.feed_scaled`; the same bytes."""
    size = scaled(images.shape[1:3], multiple)
    return _by_parts(images, multiple, lambda part: resized(part, *size, interpolation))


def _by_parts(images: torch.Tensor, multiple: float, rule: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    pixels = images.shape[1] * images.shape[2] * max(1.0, multiple) ** 2
    return torch.cat([rule(part) for part in torch.split(images, max(1, int(_PIXELS / pixels)))])
