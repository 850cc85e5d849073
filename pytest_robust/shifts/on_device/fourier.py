"""Fourier filters and a single sine wave; see `pytest_robust.shifts.fourier`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pytest_robust.shifts.fourier import sine_levels
from pytest_robust.shifts.on_device.pixels import canvases, clipped, planes, table, take
from pytest_robust.shifts.spectrum import NUDGE, disk
from pytest_robust.shifts.waves import TURN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_robust.shifts.on_device.bits import BatchBits


def low_pass(images: torch.Tensor, bits: BatchBits, radius: float) -> torch.Tensor:
    """See `fourier.low_pass`; a device's transform has other last bits, which one value in billions shows."""
    return _nearest(_filtered(planes(images), radius))


def high_pass(images: torch.Tensor, bits: BatchBits, radius: float) -> torch.Tensor:
    """See `fourier.high_pass`; last bits as in `low_pass`."""
    levels = planes(images)
    return _nearest(levels - _filtered(levels, radius))


def single_frequency(images: torch.Tensor, bits: BatchBits, amplitude: float, frequency: Sequence[int]) -> torch.Tensor:
    """See `fourier.single_frequency`; the same bytes."""
    device = images.device
    down, across = (
        torch.div(TURN * cycles * torch.arange(side, device=device), side, rounding_mode="floor")
        for cycles, side in zip(frequency, images.shape[1:3], strict=True)
    )
    phases = bits.uint16(3)[:, None, None, :]
    angles = ((down[:, None] + across)[..., None] + phases).remainder(TURN)
    return clipped(take(table(device, sine_levels, amplitude), angles) + images)


def _filtered(levels: torch.Tensor, radius: float) -> torch.Tensor:
    size = levels.shape[-2:]
    made: torch.Tensor = torch.fft.irfft2(torch.fft.rfft2(levels) * table(levels.device, disk, *size, radius), s=size)
    return made


def _nearest(levels: torch.Tensor) -> torch.Tensor:
    return canvases(levels.clamp(0, 255) + (0.5 + NUDGE))
