"""Zoom blur; see `pytest_robust.shifts.zoom`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pytest_robust.shifts import zoom
from pytest_robust.shifts.pixels import GUARD

if TYPE_CHECKING:
    from pytest_robust.shifts.on_device.bits import BatchBits


def zoom_blur(images: torch.Tensor, bits: BatchBits, count: int, step: float) -> torch.Tensor:
    """See `zoom.zoom_blur`; the same bytes."""
    levels = images.to(torch.int32)
    unit = zoom.ONE * zoom.ONE
    # the image itself and the enlargement 1
    total = levels * (2 * unit) + int(GUARD * unit) * (count + 1)
    hundredths = round(step * 100)
    for number in range(1, count):
        enlarged = levels
        for axis in (1, 2):
            enlarged = _between(enlarged, zoom.enlargement(images.shape[axis], 100 + number * hundredths), axis)
        total += enlarged
    return (total // ((count + 1) * unit)).to(torch.uint8)


def _between(levels: torch.Tensor, axis: zoom.Axis, dim: int) -> torch.Tensor:
    device = levels.device
    before, after = (
        levels.index_select(dim, torch.from_numpy(axis.top + place).to(device)) for place in (axis.before, axis.after)
    )
    share = torch.from_numpy(axis.share).to(device, torch.int32).reshape([-1] + [1] * (3 - dim))
    return before * (zoom.ONE - share) + after * share
