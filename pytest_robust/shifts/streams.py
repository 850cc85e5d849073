"""From canvases and ids to shifted canvases: the one way that shifted bytes are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.shifts.rng import Streams

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import PixelShift
    from pytest_robust.spec.plan import Json


def make(
    shift: PixelShift,
    images: NDArray[np.uint8],
    ids: Sequence[str],
    seed: int,
    parameters: Mapping[str, Json],
) -> NDArray[np.uint8]:
    """Shift a batch of canvases.

    Args:
        shift: the shift.
        images: uint8 (N, H, W, 3); never written to.
        ids: the N sample ids.
        seed: the spec's seed.
        parameters: what ``shift.resolve`` gave for canvases of H x W; empty is the exact identity.

    Returns:
        A new array, uint8 (N, H, W, 3), or (N, H', W', 3) where the shift changes the size.
    """
    if not parameters:
        return np.array(images, order="C")
    streams = Streams(seed, shift.name, parameters)
    return shift.apply(np.ascontiguousarray(images), [streams.for_id(one) for one in ids], **parameters)
