"""Defocus blur; see `pytest_robust.shifts.defocus`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_robust.shifts import defocus
from pytest_robust.shifts.on_device.filters import Stencil, to_levels
from pytest_robust.shifts.on_device.pixels import canvases, mirrored, planes

if TYPE_CHECKING:
    import torch

    from pytest_robust.shifts.on_device.bits import BatchBits


def defocus_blur(images: torch.Tensor, bits: BatchBits, radius: float, alias: float) -> torch.Tensor:
    """See `defocus.defocus_blur`; the same bytes."""
    dy, dx, weights, one = defocus.taps(radius, alias)
    stencil = Stencil(dy, dx, weights, images.shape[1:3], mirrored)
    return canvases(to_levels(stencil(planes(images)), one))
