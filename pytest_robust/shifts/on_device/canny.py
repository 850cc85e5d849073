"""OpenCV's Canny edges in torch, whole numbers throughout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from pytest_robust.shifts.on_device.pixels import repeated

if TYPE_CHECKING:
    from pytest_robust.shifts.on_device.filters import Edge

_TAN_22 = 13573
"""The tangent of 22.5 degrees, times 2**15."""

_STEPS = 16
"""How far edges grow before it is asked whether they have come to an end, which makes the host wait."""


def edges(levels: torch.Tensor, low: int, high: int) -> torch.Tensor:
    """Where ``cv2.Canny(image, low, high)`` finds edges.

    Args:
        levels: int32 (N, H, W), grey levels.
        low: the slope above which an edge goes on.
        high: the slope above which it begins.

    Returns:
        bool (N, H, W).
    """
    across, down = _slopes(levels)
    steep = across.abs() + down.abs()
    frame = functional.pad(steep, (1, 1, 1, 1))
    upper_left, above, upper_right, left, _, right, lower_left, below, lower_right = _views(frame)
    x, y = across.abs() * _TAN_22, down.abs() << 15
    flat, upright = y < x, y > x + (across.abs() << 16)
    falling = (across < 0) == (down < 0)
    top = torch.where(
        flat,
        (steep > left) & (steep >= right),
        torch.where(
            upright,
            (steep > above) & (steep >= below),
            torch.where(
                falling,
                (steep > upper_left) & (steep > lower_right),
                (steep > upper_right) & (steep > lower_left),
            ),
        ),
    )
    ridge = top & (steep > low)
    return _grown(ridge & (steep > high), ridge)


def neighbours(levels: torch.Tensor, edge: Edge) -> list[torch.Tensor]:
    """The nine pixels about each of (N, H, W), row by row; beyond the image as `edge` says."""
    for dim in (1, 2):
        side = levels.shape[dim]
        levels = levels.index_select(dim, edge(torch.arange(-1, side + 1, device=levels.device), side))
    return _views(levels)


def _views(frame: torch.Tensor) -> list[torch.Tensor]:
    height, width = frame.shape[1] - 2, frame.shape[2] - 2
    return [frame[:, y : y + height, x : x + width] for y in range(3) for x in range(3)]


def _slopes(levels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sobel's: to the right and down."""
    upper_left, above, upper_right, left, _, right, lower_left, below, lower_right = neighbours(levels, repeated)
    across = upper_right - upper_left + 2 * (right - left) + lower_right - lower_left
    down = lower_left - upper_left + 2 * (below - above) + lower_right - upper_right
    return across, down


def _grown(strong: torch.Tensor, ridge: torch.Tensor) -> torch.Tensor:
    """The parts of the ridges that touch strong ones, corners included."""
    found, allowed = strong.to(torch.float32), ridge.to(torch.float32)
    while True:
        before = found
        for _ in range(_STEPS):
            found = functional.max_pool2d(found, 3, stride=1, padding=1) * allowed
        if torch.equal(found, before):
            return found > 0
