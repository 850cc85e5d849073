"""What a training reads its images from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Images(Protocol):
    """Canvases by position; an array uint8 (N, H, W, 3) is one."""

    def __getitem__(self, positions: NDArray[np.int64], /) -> NDArray[np.uint8]:
        """Those at the positions, uint8 (len(positions), H, W, 3), all of one size."""
        ...
