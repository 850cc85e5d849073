"""Gaussian blur; see `pytest_robust.shifts.blur`."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from pytest_robust.shifts import blur
from pytest_robust.shifts.filters import WEIGHT_BITS
from pytest_robust.shifts.on_device.filters import along_both, smoothing
from pytest_robust.shifts.on_device.pixels import canvases, planes, repeated
from pytest_robust.shifts.pixels import GUARD

if TYPE_CHECKING:
    import torch

    from pytest_robust.shifts.on_device.bits import BatchBits


def gaussian_blur(images: torch.Tensor, bits: BatchBits, sigma: float) -> torch.Tensor:
    """See `blur.gaussian_blur`; the same bytes."""
    sums = smooth(planes(images), sigma)
    return canvases(sums * 2.0 ** (-2 * WEIGHT_BITS) + GUARD)


def smooth(levels: torch.Tensor, sigma: float) -> torch.Tensor:
    """A Gaussian over float64 (..., H, W), whole numbers, edges repeated; in multiples of ``2**-(2 * WEIGHT_BITS)``."""
    down, across = (_matrix(levels.device, side, sigma) for side in levels.shape[-2:])
    return along_both(levels, down, across)


@lru_cache(maxsize=32)
def _matrix(device: torch.device, side: int, sigma: float) -> torch.Tensor:
    return smoothing(blur.kernel(sigma), side, repeated).to(device)
