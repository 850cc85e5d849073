"""Shifted canvases on a device: `pytest_robust.shifts.streams.make` for tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from pytest_robust.shifts.on_device.bits import BatchBits
from pytest_robust.shifts.rng import Streams
from pytest_robust.shifts.streams import alone, check_made, is_own, make

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pytest_robust.shifts.base import PixelShift
    from pytest_robust.spec.plan import Json

_PIXELS = 1 << 22
"""Pixels that are worked on together: 83 canvases of 224 x 224, and up to 1 GB of working arrays."""


def make_on_device(
    shift: PixelShift,
    images: torch.Tensor,
    ids: Sequence[str],
    seed: int,
    parameters: Mapping[str, Json],
) -> torch.Tensor:
    """Shift a batch of canvases where they are.

    The bits are those of `make`, and so are the bytes, up to what `on_device` says of the shift's twin. A shift that
    has no twin (its `device_apply` is None) is made on the host by `make`, and copied to the device.

    Args:
        shift: the shift.
        images: uint8 (N, H, W, 3) on any device, contiguous or not; never written to.
        ids: the N sample ids.
        seed: the spec's seed.
        parameters: what ``shift.resolve`` gave for canvases of H x W; empty is the exact identity.

    Returns:
        A new contiguous tensor on the same device, uint8 (N, H, W, 3), or (N, H', W', 3) where the shift changes the
        size. On a GPU it may still be under way: its stream orders what follows.

    Raises:
        RobustError: the shift, one of the user's own, returned anything else.
    """
    if not parameters:
        return images.clone(memory_format=torch.contiguous_format)
    if shift.device_apply is None or len(images) == 0:
        made = make(shift, images.cpu().numpy(), ids, seed, parameters)
        return torch.from_numpy(made).to(images.device)
    streams = Streams(seed, shift.name, parameters)
    step = max(1, _PIXELS // (images.shape[1] * images.shape[2]))
    parts = []
    for start in range(0, len(images), step):
        here = slice(start, start + step)
        given = images[here].contiguous()
        bits = BatchBits([streams.for_id(one) for one in ids[here]], images.device)
        with alone(shift.device_apply):
            part = applied(shift, given, bits, parameters)
            check_made(shift, len(given), part, torch.Tensor, torch.uint8)
            parts.append(part if is_own(shift.device_apply) else part.clone())
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def applied(shift: PixelShift, images: torch.Tensor, bits: BatchBits, numbers: Mapping[str, Any]) -> torch.Tensor:
    """A shift by its twin, or on the host if it has none; see `base.Apply`."""
    if shift.device_apply is None:
        return on_host(shift.apply, images, bits, numbers)
    return shift.device_apply(images, bits, **numbers)


def on_host(
    rule: Callable[..., NDArray[np.uint8]], images: torch.Tensor, bits: BatchBits, numbers: Mapping[str, Any]
) -> torch.Tensor:
    """A rule in NumPy over images that are fetched from their device, and brought back to it."""
    return torch.from_numpy(rule(images.cpu().numpy(), bits.streams, **numbers)).to(images.device)
