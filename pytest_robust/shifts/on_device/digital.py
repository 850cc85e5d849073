"""Pixelate; see `pytest_robust.shifts.digital`. JPEG compression needs the codec and stays on the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from pytest_robust.shifts.on_device.resample import resized

if TYPE_CHECKING:
    from pytest_robust.shifts.on_device.bits import BatchBits


def pixelate(images: torch.Tensor, bits: BatchBits, scale: float) -> torch.Tensor:
    """See `digital.pixelate`; the same bytes."""
    sides = images.shape[1:3]
    small = [max(1, int(side * scale)) for side in sides]
    made = resized(images, small[0], small[1], "box")
    for dim, side, less in zip((1, 2), sides, small, strict=True):
        places = ((np.arange(side) + 0.5) * (less / side)).astype(np.int64)
        made = made.index_select(dim, torch.from_numpy(places).to(images.device))
    return made
