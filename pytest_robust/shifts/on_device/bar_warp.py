"""What moves pixels in ImageNet-C-bar; see `pytest_robust.shifts.bar_warp`. Caustics stay on the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from pytest_robust.shifts import bar_warp
from pytest_robust.shifts.draws import Draws
from pytest_robust.shifts.on_device.pixels import clipped, from_fixed, table
from pytest_robust.shifts.on_device.sampling import bilinear
from pytest_robust.shifts.on_device.waves import angle, axes, each, sine
from pytest_robust.shifts.waves import TURN

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pytest_robust.shifts.on_device.bits import BatchBits


def ripple(images: torch.Tensor, bits: BatchBits, level: float) -> torch.Tensor:
    """See `bar_warp.ripple`; the same bytes."""
    _, height, width, _ = images.shape
    side = min(height, width)
    # a step in parts of a turn and a start, for the rows, then for the columns
    drawn = []
    for one in bits.streams:
        draws = Draws(one)
        drawn.append([(TURN / (draws.uniform(0.1, 0.3) * side), draws.word()) for _ in range(2)])
    found = []
    for own, axis in zip(zip(*drawn, strict=True), axes(height, width, images.device), strict=True):
        steps, starts = (each(list(numbers), images.device) for numbers in zip(*own, strict=True))
        found.append(axis + sine(angle(axis * steps + starts)) * (0.0025 * level * side))
    return from_fixed(bilinear(images, *found))


def pinch_and_twirl(images: torch.Tensor, bits: BatchBits, level: float) -> torch.Tensor:
    """See `bar_warp.pinch_and_twirl`; the same bytes."""
    count, height, width, _ = images.shape
    short = min(height, width)
    cell = short // (5 if short > 48 else 3)
    if cell == 0:
        return images.clone()
    down, across = height // cell, width // cell
    ways = bits.uint16(down * across, lane=1) >> 15
    moves = table(images.device, bar_warp.twirl, cell, level).index_select(0, ways.reshape(-1))
    moves = moves.reshape(count, down, across, 2, cell, cell).permute(3, 0, 1, 4, 2, 5)
    moves = moves.reshape(2, count, down * cell, across * cell)
    moves = functional.pad(moves, (0, width - across * cell, 0, height - down * cell))
    rows, columns = axes(height, width, images.device)
    return from_fixed(bilinear(images, rows + moves[0], columns + moves[1]))


def circular_motion_blur(images: torch.Tensor, bits: BatchBits, level: float) -> torch.Tensor:
    """See `bar_warp.circular_motion_blur`; the same bytes."""
    count, height, width, _ = images.shape
    flat = functional.pad(images, (0, 0, 1, 2, 1, 2)).reshape(count, -1, 3)
    places, weights = (table(images.device, _rotations, height, width, level, part) for part in (0, 1))
    guard = 1 << (bar_warp.SHARES - 10)
    total = torch.full((count, height * width, 3), guard, dtype=torch.int32, device=images.device)
    for place, four in zip(places, weights, strict=True):
        for step, weight in zip((0, 1, width + 3, width + 4), four, strict=True):
            total += flat.index_select(1, place + step) * weight[:, None]
    return clipped(total >> bar_warp.SHARES).reshape(images.shape)


def _rotations(height: int, width: int, level: float, part: int) -> NDArray[np.int32]:
    return bar_warp.rotations(height, width, level)[part].astype("int32")


def transverse_chromatic_abberation(images: torch.Tensor, bits: BatchBits, level: float) -> torch.Tensor:
    """See `bar_warp.transverse_chromatic_abberation`; the same bytes."""
    count, height, width, _ = images.shape
    orders = torch.tensor([bar_warp.order(Draws(one)) for one in bits.streams]).to(images.device)
    planes = images.permute(0, 3, 1, 2).to(torch.int64)
    out = torch.empty_like(planes)
    every = torch.arange(count, device=images.device)
    for number, scale in enumerate((1, 1 + 0.025 * level, 1 + 0.05 * level)):
        channel = (orders == number).to(torch.int64).argmax(dim=1)
        plane = planes[every, channel]
        for dim, side in ((1, height), (2, width)):
            plane = _spline(plane, dim, *bar_warp.enlargement(side, scale))
        out[every, channel] = (plane + bar_warp.HALF) >> (2 * bar_warp.SPLINE)
    return clipped(out).permute(0, 2, 3, 1).contiguous()


def _spline(lines: torch.Tensor, dim: int, taps: NDArray[np.intp], weights: NDArray[np.int64]) -> torch.Tensor:
    total = torch.zeros_like(lines)
    for tap, weight in zip(taps, weights, strict=True):
        own = torch.from_numpy(weight).to(lines.device).reshape([-1] + [1] * (2 - dim))
        total += lines.index_select(dim, torch.from_numpy(tap).to(lines.device)) * own
    return total
