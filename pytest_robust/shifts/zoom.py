"""Zoom blur: the mean of an image and of enlargements about its centre."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.shifts.pixels import GUARD
from pytest_robust.shifts.severity import IMAGENET_C, corruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits

BITS = 8
"""An enlargement reads at multiples of 2**-8 pixels, so that a pixel times a weight fits 16 bits."""

ONE = 1 << BITS


@dataclass(frozen=True, slots=True)
class Axis:
    """Where the pixels of an enlarged axis come from: between `before` and `after` of the pixels from `top` on.

    Arrays (side,); `share` is the weight of `after` in units, rounded to nearest.
    """

    top: int
    before: NDArray[np.intp]
    after: NDArray[np.intp]
    share: NDArray[np.int64]


def enlarged(side: int, crop: int, large: int, unit: int) -> Axis:
    """Take the central `crop` of `side` pixels to `large`, ends on ends, and trim them to `side` about the centre."""
    places = np.arange(side) + (large - side) // 2
    steps = max(1, large - 1)
    whole = (2 * places * (crop - 1) * unit + steps) // (2 * steps)
    before = whole // unit
    return Axis((side - crop) // 2, before, np.minimum(before + 1, crop - 1), whole % unit)


def zoom_blur(images: NDArray[np.uint8], bits: Sequence[Bits], count: int, step: float) -> NDArray[np.uint8]:
    """The mean of the image and of its enlargements 1, 1 + step, 1 + 2 step, ...: `count` of them.

    An enlargement z takes the central ``ceil(side / z)`` pixels of each axis and interpolates linearly.
    """
    import cv2

    height, width = images.shape[1:3]
    hundredths = round(step * 100)
    downs, acrosses = (
        [enlargement(side, 100 + number * hundredths) for number in range(1, count)] for side in (height, width)
    )
    upper, lower = (np.empty((height, width, 3), np.uint16) for _ in range(2))
    left, right = (np.empty((width, height, 3), np.uint16) for _ in range(2))
    part, total = (np.empty((width, height, 3), np.int32) for _ in range(2))
    turned = np.empty((width, height, 3), np.uint8)
    unit = ONE * ONE
    out = np.empty(images.shape, np.uint8)
    for target, image in zip(out, images, strict=True):
        wide = image.astype(np.uint16)
        # the image itself and the enlargement 1
        np.multiply(cv2.transpose(image).reshape(total.shape), 2 * unit, out=total, dtype=np.int32)
        total += int(GUARD * unit) * (count + 1)
        for down, across in zip(downs, acrosses, strict=True):
            wide[down.top :].take(down.before, axis=0, out=upper, mode="clip")
            wide[down.top :].take(down.after, axis=0, out=lower, mode="clip")
            upper *= _weights(ONE - down.share, np.uint16)
            lower *= _weights(down.share, np.uint16)
            upper += lower
            flat = cv2.transpose(upper).reshape(left.shape)[across.top :]
            flat.take(across.before, axis=0, out=left, mode="clip")
            flat.take(across.after, axis=0, out=right, mode="clip")
            total += np.multiply(left, _weights(ONE - across.share, np.int32), out=part)
            total += np.multiply(right, _weights(across.share, np.int32), out=part)
        np.floor_divide(total, (count + 1) * unit, out=part)
        np.copyto(turned, part, casting="unsafe")
        target[...] = cv2.transpose(turned).reshape(image.shape)
    return out


def _weights(shares: NDArray[np.int64], kind: type[np.integer]) -> NDArray[np.integer]:
    return shares.astype(kind)[:, None, None]


@lru_cache(maxsize=256)
def enlargement(side: int, hundredths: int) -> Axis:
    """An axis of `side` pixels, enlarged by so many hundredths."""
    crop = -(-side * 100 // hundredths)
    # halves upwards: the published factors are sums of floats, and those that meet a half lie just above it
    return enlarged(side, crop, (2 * crop * hundredths + 100) // 200, ONE)


SHIFTS = (
    corruption(
        zoom_blur,
        suite="imagenet-c",
        source=f"{IMAGENET_C}; the factors that its float ranges give; positions in multiples of 2**-8 pixels",
        keys=["count", "step"],
        tables={
            224: ((12, 0.01), (16, 0.01), (11, 0.02), (13, 0.02), (11, 0.03)),
            64: ((7, 0.01), (12, 0.01), (16, 0.01), (21, 0.01), (26, 0.01)),
            32: ((7, 0.01), (12, 0.01), (16, 0.01), (21, 0.01), (26, 0.01)),
        },
    ),
)
