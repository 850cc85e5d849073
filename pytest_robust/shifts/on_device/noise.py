"""Noise: Gaussian, shot, impulse, speckle; see `pytest_robust.shifts.noise`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pytest_robust.shifts import noise
from pytest_robust.shifts.on_device.pixels import clipped, from_fixed, table, take, words
from pytest_robust.shifts.quantiles import SIZE

if TYPE_CHECKING:
    from pytest_robust.shifts.on_device.bits import BatchBits


def gaussian_noise(images: torch.Tensor, bits: BatchBits, std: float) -> torch.Tensor:
    """See `noise.gaussian_noise`; the same bytes."""
    return clipped(take(table(images.device, noise.changes, std), words(images, bits)) + images)


def speckle_noise(images: torch.Tensor, bits: BatchBits, std: float) -> torch.Tensor:
    """See `noise.speckle_noise`; the same bytes."""
    return from_fixed(take(table(images.device, noise.gains, std), words(images, bits)) * images)


def shot_noise(images: torch.Tensor, bits: BatchBits, rate: float) -> torch.Tensor:
    """See `noise.shot_noise`; the same bytes."""
    index = (images.to(torch.int32) << 16) | words(images, bits)
    return take(table(images.device, noise.shot_outcomes, rate), index)


def impulse_noise(images: torch.Tensor, bits: BatchBits, amount: float) -> torch.Tensor:
    """See `noise.impulse_noise`; the same bytes."""
    half = round(amount * (SIZE // 2))
    drawn = words(images, bits)
    struck = (drawn >= half).to(torch.uint8) * 255
    return torch.where(drawn < 2 * half, struck, images)
