"""Random numbers of an image's own, and rules that are applied image by image with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.shifts.pixels import FIXED_GUARD, FRACTION, GUARD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits


class Draws:
    """The single random numbers of one image, drawn one after the other from lane 0."""

    def __init__(self, bits: Bits) -> None:
        self.bits = bits
        self._words = iter(bits.uint16(_MOST).tolist())

    def word(self) -> int:
        """A whole number, uniform in 0 to 65,535; an angle, in parts of a turn."""
        return int(next(self._words))

    def uniform(self, low: float, high: float) -> float:
        """A number between `low` and `high`, one of 65,536 at the middles of equal steps."""
        return low + (high - low) * ((self.word() + 0.5) / 65536)

    def below(self, count: int) -> int:
        """A whole number, uniform in 0 to ``count - 1`` up to 1/65536 of probability."""
        return self.word() * count >> 16


_MOST = 32


def each_drawn(
    images: NDArray[np.uint8], bits: Sequence[Bits], rule: Callable[[NDArray[np.uint8], Draws], NDArray[Any]]
) -> NDArray[np.uint8]:
    """Apply a rule (H, W, 3), draws -> (H, W, 3), grey levels that fit uint8, image by image."""
    out = np.empty(images.shape, np.uint8)
    for target, image, one in zip(out, images, bits, strict=True):
        target[...] = rule(image, Draws(one))
    return out


def added(image: NDArray[np.uint8], noise: NDArray[np.float64]) -> NDArray[np.int16]:
    """Image + noise in grey levels, clipped and truncated; noise (H, W), (H, W, 3) or the like.

    A pixel is a whole level, so truncating the sum is truncating the noise.
    """
    changes = np.floor(noise + GUARD).astype(np.int16)
    changes = changes[..., None] if changes.ndim == 2 else changes
    levels: NDArray[np.int16] = image + changes
    return np.clip(levels, 0, 255, out=levels)


def truncated(levels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Grey levels in fixed point, which it overwrites, to whole ones, clipped and truncated."""
    levels += FIXED_GUARD
    levels >>= FRACTION
    return np.clip(levels, 0, 255, out=levels)
