"""What covers parts of the image in ImageNet-C-bar; see `pytest_robust.shifts.bar_cover`. Lines stay on the host."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from pytest_robust.shifts.bar_cover import GREY
from pytest_robust.shifts.draws import Draws
from pytest_robust.shifts.on_device.pixels import from_fixed, table, take
from pytest_robust.shifts.on_device.waves import axes, each, power, turns
from pytest_robust.shifts.pixels import FRACTION
from pytest_robust.shifts.quantiles import normal
from pytest_robust.shifts.waves import cosine, sine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_robust.shifts.on_device.bits import BatchBits

_RAYS = 199
"""The most rays that a star has."""


def checkerboard_cutout(images: torch.Tensor, bits: BatchBits, level: float) -> torch.Tensor:
    """See `bar_cover.checkerboard_cutout`; the same bytes."""
    _, height, width, _ = images.shape
    side, most, drawn = min(height, width), 0, []
    for one in bits.streams:
        draws = Draws(one)
        angle, square = draws.word(), max(draws.uniform(0.1, 0.25) * side, 1)
        cos, sin = float(cosine()[angle]) / square, float(sine()[angle]) / square
        drawn.append((cos, sin))
        # what both axes span, and a square more at either end, which the even step may keep
        rows, columns = (
            math.ceil(abs(one) * height + abs(other) * width) + 3 for one, other in ((cos, sin), (sin, cos))
        )
        most = max(most, rows * columns)
    cosines, sines = (each(list(numbers), images.device) for numbers in zip(*drawn, strict=True))
    y, x = axes(height, width, images.device)
    first, second = (place.floor().to(torch.int64) for place in (y * cosines + x * sines, x * cosines - y * sines))
    first, second = (place - (place.amin(dim=(1, 2), keepdim=True) & ~1) for place in (first, second))
    index = first * (second.amax(dim=(1, 2), keepdim=True) + 1) + second
    struck = bits.uint16(most, lane=1) < round(level * 6553.6)
    covered = struck.gather(1, index.reshape(len(index), -1)).reshape(index.shape) & ((first ^ second) & 1 == 0)
    return torch.where(covered[..., None], GREY, images)


def sparkles(images: torch.Tensor, bits: BatchBits, level: float) -> torch.Tensor:
    """See `bar_cover.sparkles`; the same bytes."""
    _, height, width, _ = images.shape
    radius = 0.01 * level * min(height, width)
    draws = [Draws(one) for one in bits.streams]
    left = torch.ones(images.shape[:3], dtype=torch.float64, device=images.device)
    for star in range(5):
        places = [(own.uniform(0, height), own.uniform(0, width), 50 + own.below(150)) for own in draws]
        lengths = _lengths(bits, star + 1, radius).clamp(min=1)
        left *= 1 - _star(images, places, lengths, 1)
    return _whitened(left, images)


def inverse_sparkles(images: torch.Tensor, bits: BatchBits, level: float) -> torch.Tensor:
    """See `bar_cover.inverse_sparkles`; the same bytes."""
    _, height, width, _ = images.shape
    radius = 0.25 * min(height, width)
    places = []
    for one in bits.streams:
        draws = Draws(one)
        row, column = draws.uniform(0.25, 0.75) * height, draws.uniform(0.25, 0.75) * width
        places.append((row, column, 50 + draws.below(150)))
    return _whitened(_star(images, places, _lengths(bits, 1, radius), 0.13 * level), images)


def _lengths(bits: BatchBits, lane: int, radius: float) -> torch.Tensor:
    drawn = bits.uint16(_RAYS, lane=lane)
    return radius + 0.25 * radius * take(table(drawn.device, normal), drawn).to(torch.float64)


def _star(
    images: torch.Tensor, places: Sequence[tuple[float, float, int]], lengths: torch.Tensor, exponent: float
) -> torch.Tensor:
    """The light of a star in 0..1, (N, H, W), by its row, column and number of rays."""
    _, height, width, _ = images.shape
    row, column, rays = (each(list(numbers), images.device) for numbers in zip(*places, strict=True))
    y, x = axes(height, width, images.device)
    y, x = y - row, x - column
    place = (turns(x, y) + 0.5) * rays
    ray = place.to(torch.int64)
    between = place - ray
    near, next_one = (
        lengths.gather(1, index.remainder(rays).reshape(len(index), -1)).reshape(index.shape)
        for index in (ray, ray + 1)
    )
    length = near + between * (next_one - near)
    light = length * length / (x * x + y * y + 1e-4)
    if exponent != 1:
        light = power(light, exponent)
    between = between - 0.5
    return (light * (1 - between * between)).clamp(max=1)


def _whitened(left: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """White where nothing is `left` of the image; see `bar_cover._towards`."""
    share = (left * (1 << FRACTION)).round().to(torch.int32)[..., None]
    return from_fixed(share * (images.to(torch.int32) - 255) + (255 << FRACTION))
