"""Motion blur; see `pytest_robust.shifts.motion`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.shifts import motion
from pytest_robust.shifts.draws import Draws
from pytest_robust.shifts.filters import ONE
from pytest_robust.shifts.on_device.filters import Stencil, to_levels
from pytest_robust.shifts.on_device.pixels import canvases, planes, repeated

if TYPE_CHECKING:
    import torch

    from pytest_robust.shifts.on_device.bits import BatchBits


def motion_blur(images: torch.Tensor, bits: BatchBits, radius: int, sigma: float) -> torch.Tensor:
    """See `motion.motion_blur`; the same bytes."""
    return canvases(blurred(planes(images), bits, radius, sigma, -45, 45))


def blurred(
    levels: torch.Tensor, bits: BatchBits, radius: int, sigma: float, least: float, most: float
) -> torch.Tensor:
    """Blur float64 (N, C, H, W), each image at an angle of its own between `least` and `most` degrees; whole levels."""
    steps, weights = motion.line(radius, sigma)
    angles = [Draws(one).uniform(least, most) for one in bits.streams]
    lines = np.array([motion.offsets(steps, angle) for angle in angles])
    stencil = Stencil(lines[:, 0], lines[:, 1], weights, levels.shape[2:], repeated)
    return to_levels(stencil(levels), ONE)
