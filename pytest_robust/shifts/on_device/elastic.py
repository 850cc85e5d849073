"""Elastic transform; see `pytest_robust.shifts.elastic`."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from pytest_robust.shifts import elastic
from pytest_robust.shifts.draws import Draws
from pytest_robust.shifts.lanes import BITS, REST
from pytest_robust.shifts.on_device.filters import along_both, smoothing
from pytest_robust.shifts.on_device.pixels import mirrored, reflected
from pytest_robust.shifts.pixels import GUARD

if TYPE_CHECKING:
    from pytest_robust.shifts.on_device.bits import BatchBits
    from pytest_robust.shifts.on_device.filters import Edge

    Places = tuple[torch.Tensor, torch.Tensor]

_ONE = 1 << BITS


def elastic_transform(images: torch.Tensor, bits: BatchBits, alpha: float, sigma: float, affine: float) -> torch.Tensor:
    """See `elastic.elastic_transform`; the same bytes."""
    total = _between(images, _mapped(images, bits, affine), mirrored)
    if alpha:
        # what lies below the grey level is kept to REST bits
        total = _between(total >> (BITS - REST), _displaced(images, bits, alpha, sigma), reflected) >> REST
    return ((total + int(GUARD * _ONE)) >> BITS).to(torch.uint8)


def _mapped(images: torch.Tensor, bits: BatchBits, affine: float) -> Places:
    """Where the affine map takes every pixel from: rows and columns (N, H, W), multiples of ``2**-BITS`` pixels."""
    height, width = images.shape[1:3]
    maps = []
    for one in bits.streams:
        draws = Draws(one)
        across, down = elastic.backwards(height, width, [draws.uniform(-affine, affine) for _ in range(6)])
        maps.append((down, across))
    numbers = torch.tensor(maps, dtype=torch.float64).to(images.device)[..., None, None]
    x, y = (torch.arange(side, dtype=torch.float64, device=images.device) for side in (width, height))
    found = []
    for axis in (0, 1):
        by_column, by_row, start = numbers[:, axis].unbind(1)
        along = (x * (by_column * _ONE)).round().to(torch.int64)
        from_row = ((y[:, None] * by_row + start) * _ONE).round().to(torch.int64)
        found.append(along + from_row)
    return found[0], found[1]


def _displaced(images: torch.Tensor, bits: BatchBits, alpha: float, sigma: float) -> Places:
    """Where the smooth displacements take every pixel from, as `_mapped`."""
    height, width = images.shape[1:3]
    noise = bits.uint16(2 * height * width, lane=1).reshape(-1, 2, height, width).to(torch.float64) * 2 - 65535
    down, across = (_matrix(images.device, side, sigma) for side in (height, width))
    moves = along_both(noise, down, across)
    moves = (moves * (alpha * 2.0 ** (BITS - 16 - 2 * elastic.WEIGHT_BITS))).round().to(torch.int64)
    rows, columns = (torch.arange(side, device=images.device) << BITS for side in (height, width))
    return moves[:, 1] + rows[:, None], moves[:, 0] + columns


@lru_cache(maxsize=16)
def _matrix(device: torch.device, side: int, sigma: float) -> torch.Tensor:
    weights = elastic.bell(sigma)
    if len(weights) // 2 > elastic.LONG:
        return torch.tensor(elastic.matrix(side, sigma), device=device)
    return smoothing(np.rint(weights * elastic.ONE), side, reflected).to(device)


def _between(levels: torch.Tensor, places: Places, edge: Edge) -> torch.Tensor:
    """Bilinear interpolation of (N, H, W, 3), whole numbers up to 2**13: int32, times ``2**BITS``.

    The weights are those of `lanes.Sampler`.
    """
    rows, columns = places
    count, height, width, _ = levels.shape
    flat = levels.reshape(-1, 3)
    first = torch.arange(count, device=levels.device)[:, None, None] * (height * width)
    down, right = ((place & (_ONE - 1)).to(torch.int32) for place in places)
    across = (down * right) >> BITS
    total = torch.zeros(levels.shape, dtype=torch.int32, device=levels.device)
    for below, beside, weight in (
        (0, 0, _ONE - down - right + across),
        (0, 1, right - across),
        (1, 0, down - across),
        (1, 1, across),
    ):
        index = first + edge((rows >> BITS) + below, height) * width + edge((columns >> BITS) + beside, width)
        total += flat.index_select(0, index.reshape(-1)).reshape(levels.shape) * weight[..., None]
    return total
