"""Where a data set is cut into slices."""

from __future__ import annotations

import math

from pytest_robust.engine.parts import DIGESTED

LEAST = 2048
"""Images of a slice, at least: seconds of work, so that handing it over costs little and so does losing it."""

_BYTES = 64 << 20
_MOST = 65_536
"""Small images come in larger slices: of that many bytes, and at most that many images."""


def slices(count: int, batch: int, shape: tuple[int, int, int]) -> list[range]:
    """Cut `count` images into slices of equally many whole batches; no result depends on where.

    The first `DIGESTED` images stay together, because one digest covers them.

    Args:
        count: images of the data set, at least 1.
        batch: images of a batch.
        shape: of a canvas.
    """
    images = max(LEAST, DIGESTED, min(_MOST, _BYTES // math.prod(shape)))
    batches = -(-count // batch)
    step = batch * max(-(-batches // max(1, count // images)), -(-DIGESTED // batch))
    return [range(start, min(start + step, count)) for start in range(0, count, step)]
