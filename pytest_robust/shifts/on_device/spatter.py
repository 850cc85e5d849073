"""Spatter; see `pytest_robust.shifts.spatter`."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import torch

from pytest_robust.shifts import spatter as definition
from pytest_robust.shifts.filters import WEIGHT_BITS
from pytest_robust.shifts.on_device.blur import smooth
from pytest_robust.shifts.on_device.canny import edges, neighbours
from pytest_robust.shifts.on_device.pixels import from_fixed, mirrored, table, take
from pytest_robust.shifts.pixels import FRACTION, fixed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_robust.shifts.on_device.bits import BatchBits


def spatter(
    images: torch.Tensor,
    bits: BatchBits,
    mean: float,
    std: float,
    sigma: float,
    threshold: float,
    strength: float,
    mud: int,
) -> torch.Tensor:
    """See `spatter.spatter`; the same bytes."""
    _, height, width, _ = images.shape
    noise = take(table(images.device, definition.noise, mean, std), bits.uint16(height * width))
    liquid = smooth(noise.reshape(-1, height, width), sigma) * (2.0 ** (-2 * WEIGHT_BITS) / definition.UNIT)
    return (_muddy if mud else _wet)(images, liquid, threshold, strength)


def _wet(images: torch.Tensor, liquid: torch.Tensor, threshold: float, strength: float) -> torch.Tensor:
    # noise above 1 starts again at 0
    drops = torch.where(liquid < threshold, 0, liquid * 255).to(torch.int32) & 0xFF
    gleam = (drops * _shaded(drops)).to(torch.int64)
    brightest = gleam.amax(dim=(1, 2), keepdim=True).clamp(min=1)
    added = (gleam * fixed(strength).item() // brightest).to(torch.int32)
    water = torch.tensor(definition.WATER, dtype=torch.int32).to(images.device)
    return from_fixed((images.to(torch.int32) << FRACTION) + added[..., None] * water)


def _shaded(drops: torch.Tensor) -> torch.Tensor:
    """How the drops shine, int32 (N, H, W), of the same."""
    near = distances(edges(drops, 50, 150))
    mean = _added(neighbours(near, mirrored)) // (9 * definition.PIXEL)
    lit = -2, -1, 0, -1, 1, 1, 0, 1, 2
    equal = equalised(mean)
    shaded = _added(part * weight for part, weight in zip(neighbours(equal, mirrored), lit, strict=True)).clamp(0, 255)
    # the mean of nine, to the nearest; it is never halfway
    return (2 * _added(neighbours(shaded, mirrored)) + 9) // 18


def _added(parts: Iterable[torch.Tensor]) -> torch.Tensor:
    return reduce(torch.add, parts)


def equalised(levels: torch.Tensor) -> torch.Tensor:
    """OpenCV's equalizeHist of int32 (N, H, W), grey levels: each level by the share of the pixels up to it."""
    flat = levels.reshape(len(levels), -1).to(torch.int64)
    counts = flat.new_zeros(len(flat), 256).scatter_add_(1, flat, torch.ones_like(flat))
    lowest = flat.amin(dim=1, keepdim=True)
    first = counts.gather(1, lowest)
    rest = (flat.shape[1] - first).to(torch.float32)
    # a plain number over a tensor would be a product with a reciprocal, which rounds twice
    scale = torch.full_like(rest, 255) / rest
    new = ((counts.cumsum(dim=1) - first).to(torch.float32) * scale).round().to(torch.int32)
    # an image of one level stays as it is
    new = torch.where(rest == 0, lowest.to(torch.int32), new)
    return new.gather(1, flat).reshape(levels.shape)


def distances(edge: torch.Tensor) -> torch.Tensor:
    """How far the nearest edge lies, int32 (N, H, W), of bool (N, H, W); see `spatter.distances`."""
    _, height, width = edge.shape
    reach = definition.REACH
    place = torch.arange(width, device=edge.device)
    before = torch.where(edge, place, -reach).cummax(dim=2).values
    after = torch.where(edge, place, width + reach).flip(2).cummin(dim=2).values.flip(2)
    across = torch.minimum(place - before, after - place).clamp(max=reach)
    found = torch.full(edge.shape, reach * definition.PIXEL, dtype=torch.int32, device=edge.device)
    for down, row in enumerate(table(edge.device, definition.costs)[:height]):
        cost = take(row, across)
        for target, part in ((found[:, down:], cost[:, : height - down]), (found[:, : height - down], cost[:, down:])):
            torch.minimum(target, part, out=target)
    return found


def _muddy(images: torch.Tensor, liquid: torch.Tensor, threshold: float, strength: float) -> torch.Tensor:
    cover = smooth((liquid > threshold).to(torch.float64), strength) * 2.0 ** (-2 * WEIGHT_BITS)
    share = torch.where(cover < definition.OPAQUE, 0, cover * (1 << FRACTION)).round().to(torch.int32)[..., None]
    mud = torch.tensor(definition.MUD, dtype=torch.int32).to(images.device)
    return from_fixed(images * ((1 << FRACTION) - share) + share * mud)
