"""How far an adversarial canvas is from its clean one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NORMS = ("l0", "l1", "l2", "linf")


def sizes(clean: NDArray[np.uint8], adversarial: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Every norm of `NORMS` of the difference, pixels counting from 0 to 1.

    l0 is the number of channel values that differ, not their share.

    Args:
        clean: uint8 (N, H, W, 3).
        adversarial: of that shape.

    Returns:
        By norm, shape (N,). The values are exact sums of whole grey levels, divided by 255 at the end.
    """
    steps = np.abs(adversarial.astype(np.int64) - clean).reshape(len(clean), -1)
    return {
        "l0": np.count_nonzero(steps, axis=1).astype(np.float64),
        "l1": steps.sum(axis=1) / 255,
        "l2": np.sqrt((steps**2).sum(axis=1)) / 255,
        "linf": steps.max(axis=1, initial=0) / 255,
    }
