"""What the twins share: tables on the device, grey levels back to uint8, indices beyond an edge."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch

from pytest_robust.shifts.pixels import FIXED_GUARD, FRACTION

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pytest_robust.shifts.on_device.bits import BatchBits


@lru_cache(maxsize=64)
def table(device: torch.device, make: Callable[..., NDArray[Any]], *arguments: Any) -> torch.Tensor:
    """What `make` gives for these arguments, on the device, kept there."""
    return torch.tensor(make(*arguments), device=device)


def take(values: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Entries of a table (n, ...) at indices of any shape, int32 or int64; (*index.shape, ...)."""
    return values.index_select(0, index.reshape(-1)).reshape(*index.shape, *values.shape[1:])


def words(images: torch.Tensor, bits: BatchBits, *, lane: int = 0) -> torch.Tensor:
    """Sixteen random bits per value of the images, int32, of their shape."""
    return bits.uint16(images[0].numel(), lane=lane).reshape(images.shape)


def quotient(values: torch.Tensor, number: float) -> torch.Tensor:
    """IEEE division of floats: by a plain number torch may multiply by its reciprocal, which rounds twice."""
    return values / torch.full_like(values, number)


def clipped(levels: torch.Tensor) -> torch.Tensor:
    """Grey levels of any type, clipped and truncated to uint8."""
    return levels.clamp(0, 255).to(torch.uint8)


def from_fixed(levels: torch.Tensor) -> torch.Tensor:
    """Grey levels in fixed point, clipped and truncated with `pixels.GUARD` to uint8."""
    return clipped((levels + FIXED_GUARD) >> FRACTION)


def planes(images: torch.Tensor) -> torch.Tensor:
    """uint8 (N, H, W, 3) -> float64 (N, 3, H, W), grey levels."""
    return images.permute(0, 3, 1, 2).to(torch.float64, memory_format=torch.contiguous_format)


def canvases(levels: torch.Tensor) -> torch.Tensor:
    """Any type (N, 3, H, W), grey levels that fit uint8, truncated -> uint8 (N, H, W, 3), contiguous."""
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def repeated(index: torch.Tensor, side: int) -> torch.Tensor:
    """Indices of any size to those of an axis whose end pixels go on for ever."""
    return index.clamp(0, side - 1)


def reflected(index: torch.Tensor, side: int) -> torch.Tensor:
    """Indices of any size to those of an axis that is mirrored with its end pixels: ``1 0 | 0 1 2 | 2 1``."""
    place = index.remainder(2 * side)
    return torch.minimum(place, 2 * side - 1 - place)


def mirrored(index: torch.Tensor, side: int) -> torch.Tensor:
    """Indices of any size to those of an axis that is mirrored without its end pixels: ``2 1 | 0 1 2 | 1 0``."""
    period = max(1, 2 * (side - 1))
    place = index.remainder(period)
    return torch.minimum(place, period - place)
