"""Snow; see `pytest_robust.shifts.snow`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from pytest_robust.shifts import snow as definition
from pytest_robust.shifts.on_device.motion import blurred
from pytest_robust.shifts.on_device.pixels import clipped, table, take
from pytest_robust.shifts.pixels import FIXED_GUARD, FRACTION, GUARD, fixed

if TYPE_CHECKING:
    from pytest_robust.shifts.on_device.bits import BatchBits
    from pytest_robust.shifts.zoom import Axis


def snow(
    images: torch.Tensor,
    bits: BatchBits,
    mean: float,
    std: float,
    zoom: float,
    threshold: float,
    radius: int,
    sigma: float,
    keep: float,
) -> torch.Tensor:
    """See `snow.snow`; the same bytes."""
    layer = _flakes(images, bits, mean, std, zoom, threshold).to(torch.float64)[:, None]
    layer = blurred(layer, bits, radius, sigma, -135, -45)[:, 0, :, :, None].to(torch.int32)
    fall = (layer + layer.flip(1, 2)) << FRACTION
    levels = images.to(torch.int32)
    other = torch.tensor(definition.grey(1 - keep), dtype=torch.int32).to(images.device)
    pale = fixed(127.5 * (1 - keep)).item() + FIXED_GUARD
    haze = (levels * other).sum(dim=-1, keepdim=True, dtype=torch.int32) + fall + pale
    paler = levels * fixed(keep).item() + haze
    return clipped(torch.maximum((levels << FRACTION) + fall + FIXED_GUARD, paler) >> FRACTION)


def _flakes(
    images: torch.Tensor, bits: BatchBits, mean: float, std: float, zoom: float, threshold: float
) -> torch.Tensor:
    """The layer before its blur, whole levels, float32 (N, H, W); see `snow.Flakes`."""
    _, height, width, _ = images.shape
    flakes = definition.Flakes(height, width, mean, std, zoom, threshold)
    rows, columns = flakes.crops
    drawn = take(table(images.device, definition.noise, mean, std), bits.uint16(rows * columns, lane=1))
    layer = _between(_between(drawn.reshape(-1, rows, columns), flakes.down, 1), flakes.across, 2)
    layer = torch.where(layer >= float(np.float32(threshold)), layer, 0).clamp(0, 1)
    return (layer * 255 + GUARD).floor()


def _between(grid: torch.Tensor, axis: Axis, dim: int) -> torch.Tensor:
    device = grid.device
    before, after = (grid.index_select(dim, torch.from_numpy(place).to(device)) for place in (axis.before, axis.after))
    weight = torch.from_numpy(axis.share).to(device, torch.float32) / definition.SHARE
    weight = weight.reshape([-1] + [1] * (2 - dim))
    return before * (1 - weight) + after * weight
