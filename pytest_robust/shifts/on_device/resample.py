"""Pillow's resize in torch, one axis after the other: uint8 in whole numbers, float32 summed in float64."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BITS = 22
"""Pillow's weights are whole multiples of 2**-22."""

_SUPPORT = {"box": 0.5, "bilinear": 1.0, "bicubic": 2.0}
"""How far a filter reaches."""


def resized(images: torch.Tensor, height: int, width: int, interpolation: str) -> torch.Tensor:
    """Resize uint8 or float32 (N, H, W, 3) as ``PIL.Image.resize`` does, to the same bytes.

    Args:
        images: on any device; float32 as Pillow's mode F, channel by channel.
        height: rows to come to.
        width: columns to come to.
        interpolation: `nearest`, `box`, `bilinear` or `bicubic`; all but the first widen as they shrink.
    """
    axes = [(2, width), (1, height)]
    if _rows_first(images.shape[1] - height, images.shape[2] - width):
        axes.reverse()
    for dim, side in axes:
        if images.shape[dim] != side:
            images = _along(images, dim, side, interpolation)
    return images


@lru_cache(maxsize=32)
def _rows_first(fewer_rows: int, fewer_columns: int) -> bool:
    """Which axis comes first shows, since what lies in between is rounded: Pillow 13 begins where more is lost."""
    from PIL import __version__

    return int(__version__.partition(".")[0]) >= 13 and fewer_rows > max(0, 2 * fewer_columns)


def _along(images: torch.Tensor, dim: int, side: int, interpolation: str) -> torch.Tensor:
    device = images.device
    if interpolation == "nearest":
        return images.index_select(dim, torch.from_numpy(_nearest(images.shape[dim], side)).to(device))
    places, weights = (torch.from_numpy(one).to(device) for one in _taps(images.shape[dim], side, interpolation))
    shape = [*images.shape]
    shape[dim] = side
    whole = images.dtype == torch.uint8
    start, kind = (1 << (_BITS - 1), torch.int32) if whole else (0, torch.float64)
    total = torch.full(shape, start, dtype=kind, device=device)
    for place, weight in zip(places, _whole(weights) if whole else weights, strict=True):
        total += images.index_select(dim, place) * weight.reshape([-1] + [1] * (3 - dim))
    return (total >> _BITS).clamp(0, 255).to(torch.uint8) if whole else total.to(images.dtype)


def _whole(weights: torch.Tensor) -> torch.Tensor:
    return torch.trunc(weights * (1 << _BITS) + torch.copysign(torch.full_like(weights, 0.5), weights)).to(torch.int32)


@lru_cache(maxsize=32)
def _nearest(side: int, new: int) -> NDArray[np.int64]:
    """The pixel that each new one shows; Pillow adds up the step, with the rounding that this has."""
    steps = np.full(new, side / new)
    steps[0] *= 0.5
    return np.minimum(np.cumsum(steps).astype(np.int64), side - 1)


@lru_cache(maxsize=32)
def _taps(side: int, new: int, interpolation: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Pixels and weights of each new pixel, (taps, new); taps beyond an end have the weight 0."""
    scale = side / new
    wide = max(scale, 1.0)
    reach = _SUPPORT[interpolation] * wide
    centre = (np.arange(new) + 0.5) * scale
    first = np.maximum((centre - reach + 0.5).astype(np.int64), 0)
    end = np.minimum((centre + reach + 0.5).astype(np.int64), side)
    places = first + np.arange(math.ceil(reach) * 2 + 1)[:, None]
    weights = _filter((places - centre + 0.5) * (1 / wide), interpolation) * (places < end)
    # added up one by one, as Pillow does
    total = np.add.accumulate(weights, axis=0)[-1]
    return np.minimum(places, side - 1), weights / np.where(total == 0, 1, total)


def _filter(x: NDArray[np.float64], interpolation: str) -> NDArray[np.float64]:
    if interpolation == "box":
        return ((x > -0.5) & (x <= 0.5)).astype(np.float64)
    x = np.abs(x)
    if interpolation == "bilinear":
        return np.maximum(1 - x, 0)
    a = -0.5
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0))
