"""Reading images between their pixels; see `pytest_robust.shifts.sampling`."""

from __future__ import annotations

import torch
from torch.nn import functional

from pytest_robust.shifts.pixels import FRACTION
from pytest_robust.shifts.sampling import BITS


def bilinear(images: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """The images at positions between their pixels; black outside; the same numbers as `sampling.bilinear`.

    Args:
        images: uint8 (N, H, W, 3).
        rows: float64 positions of each image, 0 at the centre of the first pixel; with `columns` they broadcast to
            (N, H, W).
        columns: the other coordinate.

    Returns:
        int32 (N, H, W, 3): grey levels in fixed point.
    """
    count, height, width, _ = images.shape
    # one black pixel before the image and two behind it
    flat = functional.pad(images, (0, 0, 1, 2, 1, 2)).reshape(-1, 3)
    (top, down), (left, right) = _split(rows, height), _split(columns, width)
    stride, one = width + 3, 1 << BITS
    first = torch.arange(count, device=images.device)[:, None, None] * ((height + 3) * stride) + top * stride + left
    total = torch.zeros(*first.shape, 3, dtype=torch.int64, device=images.device)
    for step, weight in (
        (0, (one - down) * (one - right)),
        (1, (one - down) * right),
        (stride, down * (one - right)),
        (stride + 1, down * right),
    ):
        pixels = flat.index_select(0, (first + step).reshape(-1)).reshape(total.shape)
        total += pixels * weight[..., None]
    return (total >> (2 * BITS - FRACTION)).to(torch.int32)


def _split(positions: torch.Tensor, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    steps = (positions.clamp(-1, side) * (1 << BITS)).round().to(torch.int64)
    return (steps >> BITS) + 1, steps & ((1 << BITS) - 1)
