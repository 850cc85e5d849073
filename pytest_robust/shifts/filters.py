"""Filters in whole numbers: OpenCV's speed with the same bytes on every machine.

A weight is a whole number, a pixel a whole grey level, and no sum grows beyond what its type holds exactly: so the
order of the additions, fused multiply-adds and the instruction set cannot change the result.

Working arrays live as long as a filter, which is made once per batch: fresh arrays of this size cost more than the
arithmetic in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.shifts.pixels import GUARD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

WEIGHT_BITS = 16
ONE = 1 << WEIGHT_BITS
"""The weights of a blur that keeps the brightness are whole numbers that sum to 2**16.

A pass over uint8 then adds up to at most 255 * 2**16 < 2**24, which a float32 holds exactly, and a second pass to
less than 2**40, which a float64 holds exactly.
"""

BLOCK = 121
"""Largest area of a kernel that is handed to OpenCV at once: it sums larger ones by a Fourier transform."""


def whole(weights: NDArray[np.float64], one: int, *, rest: int) -> NDArray[np.int64]:
    """Weights as whole numbers, `one` for a weight of 1, that add up as the given ones do.

    Args:
        weights: any shape; computed with exp, sin or cos, whose last bits the rounding takes away.
        one: what a weight of 1 becomes.
        rest: flat position of the weight that takes what rounding leaves over, a large one.
    """
    rounded: NDArray[np.int64] = np.rint(weights * one).astype(np.int64)
    rounded.flat[rest] += round(float(weights.sum()) * one) - int(rounded.sum())
    return rounded


def framed(image: NDArray[Any], margins: Sequence[int], border: int) -> NDArray[Any]:
    """An image (H, W) or (H, W, n) with margins above, below, before and behind, filled as OpenCV's `border` says."""
    import cv2

    height, width, *channels = image.shape
    top, bottom, left, right = margins
    made = cv2.copyMakeBorder(image, top, bottom, left, right, border)
    return np.asarray(made).reshape(height + top + bottom, width + left + right, *channels)


class Separable:
    """A symmetric kernel along rows and columns of uint8 images of one shape; edges are repeated."""

    def __init__(self, kernel: NDArray[np.int64], shape: Sequence[int]) -> None:
        """Take the weights (2r + 1,), which sum to ``2**WEIGHT_BITS``, and the images' shape (H, W, 3) or (H, W)."""
        self._rows = kernel.astype(np.float32)
        self._columns = kernel * 2.0 ** (-2 * WEIGHT_BITS)
        self._across = np.empty(shape, np.float32)
        self._both = np.empty(shape)

    def __call__(self, image: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
        """Filter `image` into `out`, which may be the same array."""
        import cv2

        edge = cv2.BORDER_REPLICATE
        one32, one64 = np.ones(1, np.float32), np.ones(1)
        across = cv2.sepFilter2D(image, cv2.CV_32F, self._rows, one32, dst=self._across, borderType=edge)
        both = cv2.sepFilter2D(across, cv2.CV_64F, one64, self._columns, dst=self._both, delta=GUARD, borderType=edge)
        np.copyto(out, both.reshape(out.shape), casting="unsafe")


class Stencil:
    """Weights at offsets from a pixel, in any arrangement: ``out[y, x] = sum of weight * image[y + dy, x + dx]``."""

    def __init__(self, dy: NDArray[np.int64], dx: NDArray[np.int64], weights: NDArray[np.int64]) -> None:
        """Take the taps, arrays (N,), several at one offset too; 255 times the weights must sum to at most 2**24."""
        keep = weights != 0
        self._blocks = list(_blocks(dy[keep], dx[keep], weights[keep]))

    def __call__(self, padded: NDArray[np.float32], top: int, left: int, work: Work) -> NDArray[np.float32]:
        """Sum up over an image with margins that hold every tap.

        Args:
            padded: float32 (H + margins, W + margins) or (..., 3), whole grey levels.
            top: rows of the margin above the image.
            left: columns of the margin before it.
            work: the buffers of the image's shape.

        Returns:
            The buffer ``work.sums``, whole multiples of the weights' unit.
        """
        import cv2

        height, width = work.sums.shape[:2]
        for number, (y, x, block) in enumerate(self._blocks):
            rows, columns = height + block.shape[0] - 1, width + block.shape[1] - 1
            view = padded[top + y : top + y + rows, left + x : left + x + columns]
            part = cv2.filter2D(
                view, cv2.CV_32F, block, dst=work.part(rows, columns), anchor=(0, 0), borderType=cv2.BORDER_CONSTANT
            )[:height, :width]
            if number:
                np.add(work.sums, part, out=work.sums)
            else:
                work.sums[...] = part
        return work.sums


class Work:
    """The buffers of `Stencil` for images of one shape (H, W, 3) or (H, W)."""

    def __init__(self, shape: Sequence[int]) -> None:
        self.sums = np.empty(shape, np.float32)
        self._channels = tuple(shape[2:])
        self._flat = np.empty((shape[0] + BLOCK) * (shape[1] + BLOCK) * max(1, *shape[2:], 1), np.float32)

    def part(self, rows: int, columns: int) -> NDArray[np.float32]:
        """A scratch array (rows, columns) or (rows, columns, 3)."""
        shape = (rows, columns, *self._channels)
        return self._flat[: int(np.prod(shape))].reshape(shape)


def levels(sums: NDArray[np.float32], one: int, out: NDArray[np.uint8]) -> None:
    """Sums of grey levels times `one`, changed in place, to uint8: capped at 255, truncated with `GUARD`."""
    sums *= np.float32(1 / one)
    sums += np.float32(GUARD)
    np.minimum(sums, np.float32(255), out=sums)
    np.copyto(out, sums, casting="unsafe")


def _blocks(
    dy: NDArray[np.int64], dx: NDArray[np.int64], weights: NDArray[np.int64]
) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Cut the taps into runs of rows whose bounding boxes are small: top, left, dense kernel."""
    order = np.argsort(dy, kind="stable")
    dy, dx, weights = dy[order], dx[order], weights[order]
    start = 0
    ends = [*(np.flatnonzero(np.diff(dy)) + 1).tolist(), len(dy)]
    for end, after in zip(ends, [*ends[1:], None], strict=True):
        if after is None or _area(dy[start:after], dx[start:after]) > BLOCK:
            y, x, w = dy[start:end], dx[start:end], weights[start:end]
            block: NDArray[Any] = np.zeros((np.ptp(y) + 1, np.ptp(x) + 1), np.float32)
            np.add.at(block, (y - y.min(), x - x.min()), w)
            yield int(y.min()), int(x.min()), block
            start = end


def _area(dy: NDArray[np.int64], dx: NDArray[np.int64]) -> int:
    return int((np.ptp(dy) + 1) * (np.ptp(dx) + 1))
