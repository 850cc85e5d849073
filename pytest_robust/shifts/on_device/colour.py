"""Brightness, contrast and saturation; see `pytest_robust.shifts.colour`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pytest_robust.shifts import colour
from pytest_robust.shifts.on_device.pixels import from_fixed, quotient, table, take
from pytest_robust.shifts.pixels import FRACTION, fixed

if TYPE_CHECKING:
    from pytest_robust.shifts.on_device.bits import BatchBits


def brightness(images: torch.Tensor, bits: BatchBits, added: float) -> torch.Tensor:
    """See `colour.brightness`; the same bytes."""
    row = images.amax(dim=-1, keepdim=True).to(torch.int32) << 8
    return take(table(images.device, colour.brightened, added), row | images)


def contrast(images: torch.Tensor, bits: BatchBits, factor: float) -> torch.Tensor:
    """See `colour.contrast`; the same bytes."""
    pixels = images.shape[1] * images.shape[2]
    sums = images.sum(dim=(1, 2), keepdim=True, dtype=torch.int64).to(torch.float64)
    means = quotient(sums, pixels)
    offset = (means * (1 - factor) * (1 << FRACTION)).round().to(torch.int32)
    return from_fixed(images.to(torch.int32) * fixed(factor).item() + offset)


def saturate(images: torch.Tensor, bits: BatchBits, scale: float, added: float) -> torch.Tensor:
    """See `colour.saturate`; the same bytes."""
    levels = images.to(torch.int32)
    largest, smallest = levels.amax(dim=-1, keepdim=True), levels.amin(dim=-1, keepdim=True)
    factor = take(table(images.device, colour.stretches, scale, added), largest << 8 | smallest)
    below = largest - levels
    # a grey pixel's green and blue leave its red behind by the whole table entry
    below[..., 1:] += (largest == smallest).to(torch.int32)
    return from_fixed((largest << FRACTION) - factor * below)
