"""Random values by table: 16 random bits choose one of 65,536 equally likely quantiles.

Sampling by formula (Box-Muller, ziggurat) needs log and cos per value, whose last bits differ between
instruction sets; a table look-up is the same everywhere and faster. Sixteen bits are enough for 8-bit images:
at the strongest noise of ImageNet-C (standard deviation 0.38, 97 grey levels) neighbouring quantiles lie
0.004 grey levels apart at the centre and less than 0.03 within two standard deviations; the tails end at 4.2
standard deviations, beyond which a Gaussian has 0.003 % of its mass, nearly all of it clipped.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = 1 << 16
"""How many quantiles a table has."""

GRID = 1 << 20
"""Normal quantiles are whole multiples of 1 / GRID, so that a last bit of the machine cannot reach them."""


@lru_cache(maxsize=1)
def normal() -> NDArray[np.float32]:
    """The standard normal's quantiles, rising, shape (65536,); mean 0 and variance 1 as a discrete law.

    Read-only; entry k is the normal quantile of (k + 1/2) / 65536, scaled to unit variance and rounded to
    `GRID`.
    """
    from scipy.special import ndtri

    lower = ndtri((np.arange(SIZE // 2) + 0.5) / SIZE)
    deviation = math.sqrt(math.fsum(lower * lower) / lower.size)
    steps = np.rint(lower * (GRID / deviation))
    table = (np.concatenate([steps, -steps[::-1]]) / GRID).astype(np.float32)
    table.setflags(write=False)
    return table
