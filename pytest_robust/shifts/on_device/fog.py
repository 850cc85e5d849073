"""Fog; see `pytest_robust.shifts.fog`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from pytest_robust.shifts import fog as definition
from pytest_robust.shifts.on_device.pixels import quotient
from pytest_robust.shifts.pixels import GUARD

if TYPE_CHECKING:
    from pytest_robust.shifts.on_device.bits import BatchBits


def fog(images: torch.Tensor, bits: BatchBits, amount: float, decay: float) -> torch.Tensor:
    """See `fog.fog`; the same bytes, since all float arithmetic is the same single IEEE operations."""
    height, width = images.shape[1:3]
    side = 1 << max(1, (max(height, width) - 1).bit_length())
    brightest = images.amax(dim=(1, 2, 3)).to(torch.float64)
    highest = quotient(brightest, 255)
    share = highest / (highest + amount)
    heights = plasma(bits, side, decay)
    low, high = heights.amin(dim=(1, 2)), heights.amax(dim=(1, 2))
    scale = 255 * amount * share / (high.to(torch.float64) - low.to(torch.float64))
    haze = heights[:, :height, :width] - low[:, None, None]
    haze *= scale.to(torch.float32)[:, None, None]
    haze += GUARD
    levels = images * share.to(torch.float32)[:, None, None, None]
    levels += haze[..., None]
    return levels.to(torch.uint8)


def plasma(bits: BatchBits, side: int, decay: float) -> torch.Tensor:
    """Heights by diamond-square on a torus, float32 (N, side, side); see `fog.plasma`."""
    noise = bits.uint16(side * side - 1).to(torch.float32) * 2 - 65535
    start = 0
    corners = noise.new_zeros(len(noise), 1, 1)
    for reach in definition.reaches(side, decay):
        count = corners.shape[1]
        part = noise[:, start : start + 3 * count * count]
        drawn = part.reshape(-1, 3, count, count) * float(np.float32(reach))
        start += 3 * count * count
        # the torus goes on to the right and below, or to the left and above
        onwards = torch.cat([corners, corners[:, :1]], dim=1)
        onwards = torch.cat([onwards, onwards[:, :, :1]], dim=2)
        sums = onwards[:, :-1] + onwards[:, 1:]
        middles = (sums[:, :, :-1] + sums[:, :, 1:]) * 0.25 + drawn[:, 0]
        above = torch.cat([middles[:, -1:], middles[:, :-1]], dim=1)
        left = torch.cat([middles[:, :, -1:], middles[:, :, :-1]], dim=2)
        finer = noise.new_empty(len(noise), 2 * count, 2 * count)
        finer[:, ::2, ::2], finer[:, 1::2, 1::2] = corners, middles
        finer[:, ::2, 1::2] = ((middles + above) + (corners + onwards[:, :-1, 1:])) * 0.25 + drawn[:, 1]
        finer[:, 1::2, ::2] = ((middles + left) + (corners + onwards[:, 1:, :-1])) * 0.25 + drawn[:, 2]
        corners = finer
    return corners
