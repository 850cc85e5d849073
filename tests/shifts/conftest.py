from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from numpy.typing import NDArray


@pytest.fixture(scope="session")
def pictures() -> NDArray[np.uint8]:
    """Four canvases of 40 x 56: a colour ramp, coarse blocks, fine texture, and flat black, grey and white."""
    rows, columns = np.mgrid[0:40, 0:56]
    ramp = np.stack([rows * 6, columns * 4, (rows + columns) * 2], axis=-1)
    blocks = np.stack(
        [(rows // 8 * 61 + columns // 8 * 37) % 256, (rows // 5 * 97) % 256, (columns // 7 * 53) % 256], -1
    )
    texture = np.random.default_rng(7).integers(0, 256, (40, 56, 3))
    flat = np.repeat(np.array([0, 128, 255, 77])[columns // 14][..., None], 3, axis=-1)
    made = np.stack([ramp, blocks, texture, flat]).astype(np.uint8)
    made.setflags(write=False)
    return made
