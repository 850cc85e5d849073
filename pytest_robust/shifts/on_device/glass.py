"""Glass blur; see `pytest_robust.shifts.glass`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pytest_robust.shifts import glass
from pytest_robust.shifts.on_device.blur import gaussian_blur
from pytest_robust.shifts.on_device.pixels import table, take

if TYPE_CHECKING:
    from pytest_robust.shifts.on_device.bits import BatchBits


def glass_blur(images: torch.Tensor, bits: BatchBits, sigma: float, reach: int, rounds: int) -> torch.Tensor:
    """See `glass.glass_blur`; the same bytes."""
    count, height, width, _ = images.shape
    smooth = gaussian_blur(images, bits, sigma)
    places = sources(bits, height, width, reach, rounds, images.device)
    places += torch.arange(count, device=images.device)[:, None] * (height * width)
    mixed = smooth.reshape(-1, 3).index_select(0, places.reshape(-1)).reshape(images.shape)
    return gaussian_blur(mixed, bits, sigma)


def sources(bits: BatchBits, height: int, width: int, reach: int, rounds: int, device: torch.device) -> torch.Tensor:
    """Which pixel each pixel's value comes from in the end: int64 (N, height * width); see `glass.sources`."""
    every = torch.arange(height * width, device=device).expand(len(bits.streams), -1)
    rows, columns = max(0, height - 2 * reach), max(0, width - 2 * reach)
    composed = every.clone()
    for lane in range(rounds):
        moves = take(table(device, glass.offsets, reach, width), bits.uint16(rows * columns, lane=lane))
        taken = every.clone()
        inner = taken.reshape(len(taken), height, width)
        inner[:, reach + 1 :, reach + 1 :][:, :rows, :columns] += moves.reshape(len(taken), rows, columns)
        last = torch.where(taken > every, taken, every)
        # a chain rises, so it is no longer than the image: always enough doublings, and no asking whether it is over
        for _ in range((height * width).bit_length()):
            last = last.gather(1, last)
        composed = composed.gather(1, taken.gather(1, last))
    return composed
