"""Brightness, contrast and saturation; the HSV rules are those of scikit-image's rgb2hsv and hsv2rgb.

HSV is never computed. Raising V at constant hue and saturation scales all three channels by one factor;
changing S at constant hue and value scales each channel's distance from the largest one. Both factors depend
on two integers in 0..255 only and come from tables.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.shifts.pixels import FIXED_GUARD, FRACTION, fixed, parts, to_uint8
from pytest_robust.shifts.severity import IMAGENET_C, corruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits


def brightness(images: NDArray[np.uint8], bits: Sequence[Bits], added: float) -> NDArray[np.uint8]:
    """Add to V of HSV and clip it to 1; black becomes grey."""
    table = brightened(added)
    out = np.empty(images.shape, np.uint8)
    for part in parts(images):
        source, target = images[part], out[part]
        row = np.maximum(np.maximum(source[..., 0], source[..., 1]), source[..., 2]).astype(np.uint16) << 8
        for channel in range(3):
            target[..., channel] = table.take(row | source[..., channel])
    return out


def contrast(images: NDArray[np.uint8], bits: Sequence[Bits], factor: float) -> NDArray[np.uint8]:
    """``(x - mean) * factor + mean`` with the mean of each channel over the image; `factor` in 0..1."""
    _, height, width, _ = images.shape
    out = np.empty(images.shape, np.uint8)
    slope = fixed(factor)
    for part in parts(images):
        rows = images[part].reshape(-1, height, width * 3)
        sums = rows.sum(axis=1, dtype=np.int64).reshape(-1, width, 3).sum(axis=1)
        offset = fixed(sums / (height * width) * (1 - factor)) + FIXED_GUARD
        levels = np.multiply(rows, slope, dtype=np.int32)
        levels += np.tile(offset, width)[:, None, :]
        levels >>= FRACTION
        out[part] = levels.reshape(-1, height, width, 3)
    return out


def saturate(images: NDArray[np.uint8], bits: Sequence[Bits], scale: float, added: float) -> NDArray[np.uint8]:
    """S of HSV becomes ``clip(S * scale + added, 0, 1)``; grey has hue 0 and turns red where S rises."""
    table = stretches(scale, added)
    out = np.empty(images.shape, np.uint8)
    for part in parts(images):
        source, target = images[part], out[part]
        red, green, blue = source[..., 0], source[..., 1], source[..., 2]
        largest = np.maximum(np.maximum(red, green), blue)
        smallest = np.minimum(np.minimum(red, green), blue)
        factor = table.take(largest.astype(np.uint16) << 8 | smallest)
        base: NDArray[np.int32] = (largest.astype(np.int32) << FRACTION) + FIXED_GUARD
        # a grey pixel's green and blue leave its red behind by the whole table entry
        grey = largest == smallest
        for channel, below in enumerate((largest - red, largest - green + grey, largest - blue + grey)):
            levels: NDArray[np.int32] = np.subtract(base, factor * below)
            target[..., channel] = levels >> FRACTION
    return out


@lru_cache(maxsize=16)
def brightened(added: float) -> NDArray[np.uint8]:
    """(V << 8) + channel -> its new grey level, shape (65536,); entries with channel > V are unused."""
    value = np.arange(256)[:, None] / 255
    raised = np.minimum(value + added, 1)
    channel = np.arange(256)[None, :] / 255
    # black takes the row's own value, every other pixel keeps its share of V
    share = np.divide(channel, value, out=np.ones((256, 256)), where=value > 0)
    return to_uint8(raised * share).ravel()


@lru_cache(maxsize=16)
def stretches(scale: float, added: float) -> NDArray[np.int32]:
    """(largest << 8) + smallest channel -> factor, fixed point, shape (65536,).

    The factor stretches a channel's distance from the largest. Where both are equal the entry is the distance
    itself, in grey levels. Entries with smallest > largest are unused.
    """
    largest, smallest = np.arange(256.0)[:, None], np.arange(256.0)[None, :]
    chroma = np.maximum(largest - smallest, 0)
    spread = np.minimum(chroma * scale + largest * added, largest)
    return fixed(spread / np.where(chroma == 0, 1, chroma)).ravel()


SHIFTS = (
    corruption(
        brightness,
        suite="imagenet-c",
        source=IMAGENET_C,
        keys=["added"],
        tables={
            224: (0.1, 0.2, 0.3, 0.4, 0.5),
            64: (0.1, 0.2, 0.3, 0.4, 0.5),
            32: (0.05, 0.1, 0.15, 0.2, 0.3),
        },
    ),
    corruption(
        contrast,
        suite="imagenet-c",
        source=IMAGENET_C,
        keys=["factor"],
        tables={
            224: (0.4, 0.3, 0.2, 0.1, 0.05),
            64: (0.4, 0.3, 0.2, 0.1, 0.05),
            32: (0.75, 0.5, 0.4, 0.3, 0.15),
        },
    ),
    corruption(
        saturate,
        suite="imagenet-c-extra",
        source=IMAGENET_C,
        keys=["scale", "added"],
        tables={
            224: ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
            64: ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2)),
            32: ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
        },
    ),
)
