"""Frost; see `pytest_robust.shifts.frost`."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from pytest_robust.shifts import frost as definition
from pytest_robust.shifts import textures
from pytest_robust.shifts.on_device.pixels import from_fixed
from pytest_robust.shifts.pixels import fixed

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from pytest_robust.shifts.on_device.bits import BatchBits

    Textures = tuple[NDArray[np.uint8], ...]


def frost(images: torch.Tensor, bits: BatchBits, keep: float, add: float, scale: float, digest: str) -> torch.Tensor:
    """See `frost.frost`; the same bytes."""
    return _blended(images, bits, keep, add, textures.scaled, digest, scale)


def frost_procedural(images: torch.Tensor, bits: BatchBits, keep: float, add: float, scale: float) -> torch.Tensor:
    """See `frost.frost_procedural`; the same bytes."""
    return _blended(images, bits, keep, add, definition.procedural, scale)


def _blended(
    images: torch.Tensor,
    bits: BatchBits,
    keep: float,
    add: float,
    make: Callable[..., Textures],
    *arguments: str | float,
) -> torch.Tensor:
    device, (height, width) = images.device, images.shape[1:3]
    choices = make(*arguments, height, width)
    starts, strides = [], []
    lengths = [choice.shape[0] * choice.shape[1] for choice in choices]
    for one in bits.streams:
        number, top, left = definition.place(one, choices, height, width)
        strides.append(choices[number].shape[1])
        starts.append(sum(lengths[:number]) + top * strides[-1] + left)
    rows = torch.arange(height, device=device)[:, None] * torch.tensor(strides).to(device)[:, None, None]
    index = torch.tensor(starts).to(device)[:, None, None] + rows + torch.arange(width, device=device)
    pixels = _stored(device, make, *arguments, height, width).index_select(0, index.reshape(-1))
    part = pixels.reshape(images.shape).to(torch.int32) * fixed(add).item()
    return from_fixed(images.to(torch.int32) * fixed(keep).item() + part)


@lru_cache(maxsize=8)
def _stored(device: torch.device, make: Callable[..., Textures], *arguments: str | float) -> torch.Tensor:
    """All textures, one after the other, row by row, uint8 (pixels, 3)."""
    return torch.cat([torch.tensor(one).reshape(-1, 3) for one in make(*arguments)]).to(device)
