"""Noise: Gaussian, shot, impulse, speckle.

One random word of 16 bits per channel value, row by row, red green blue. Everything that depends on more than
a table look-up is integer arithmetic, so the bytes are the same on every machine.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.shifts.pixels import FIXED_GUARD, FRACTION, GUARD, fixed, parts, to_uint8, words
from pytest_robust.shifts.quantiles import SIZE, normal
from pytest_robust.shifts.severity import IMAGENET_C, corruption

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits

    Rule = Callable[[NDArray[np.uint8], NDArray[np.uint16]], NDArray[Any]]


def gaussian_noise(images: NDArray[np.uint8], bits: Sequence[Bits], std: float) -> NDArray[np.uint8]:
    """``x + N(0, std)`` in [0, 1].

    A pixel is a whole grey level, so truncating pixel + noise is the pixel + the truncated noise: one table
    of integers.
    """
    table = changes(std)
    return _noisy(images, bits, lambda part, drawn: np.clip(part + table.take(drawn), 0, 255))


def speckle_noise(images: NDArray[np.uint8], bits: Sequence[Bits], std: float) -> NDArray[np.uint8]:
    """``x + x * N(0, std)`` in [0, 1], in fixed point."""
    table = gains(std)

    def rule(part: NDArray[np.uint8], drawn: NDArray[np.uint16]) -> NDArray[np.int32]:
        levels = table.take(drawn)
        levels *= part
        levels += FIXED_GUARD
        levels >>= FRACTION
        return np.clip(levels, 0, 255)

    return _noisy(images, bits, rule)


def shot_noise(images: NDArray[np.uint8], bits: Sequence[Bits], rate: float) -> NDArray[np.uint8]:
    """``Poisson(x * rate) / rate`` in [0, 1]."""
    outcomes = shot_outcomes(rate)

    def rule(part: NDArray[np.uint8], drawn: NDArray[np.uint16]) -> NDArray[np.uint8]:
        index = part.astype(np.intp)
        index <<= 16
        index |= drawn
        return outcomes.take(index)

    return _noisy(images, bits, rule)


def impulse_noise(images: NDArray[np.uint8], bits: Sequence[Bits], amount: float) -> NDArray[np.uint8]:
    """Salt and pepper: a fraction `amount` of the channel values becomes 0 or 255, half of it each.

    The words below ``half = round(amount * 32768)`` give 0, the next `half` words 255: the amount is met to
    1/65536, and both halves are equal.
    """
    half = round(amount * (SIZE // 2))

    def rule(part: NDArray[np.uint8], drawn: NDArray[np.uint16]) -> NDArray[np.uint8]:
        kept = drawn >= 2 * half
        white = (drawn >= half) ^ kept
        return part * kept + white * np.uint8(255)

    return _noisy(images, bits, rule)


def _noisy(images: NDArray[np.uint8], bits: Sequence[Bits], rule: Rule) -> NDArray[np.uint8]:
    out = np.empty(images.shape, np.uint8)
    for part in parts(images):
        out[part] = rule(images[part], words(bits[part], images.shape[1:]))
    return out


@lru_cache(maxsize=16)
def changes(std: float) -> NDArray[np.int16]:
    """Word -> whole grey levels to add, shape (65536,)."""
    noise = normal().astype(np.float64) * (std * 255)
    return np.floor(noise + GUARD).astype(np.int16)


@lru_cache(maxsize=16)
def gains(std: float) -> NDArray[np.int32]:
    """Word -> factor of the pixel in fixed point, shape (65536,)."""
    return fixed(1 + normal().astype(np.float64) * std)


@lru_cache(maxsize=2)
def shot_outcomes(rate: float) -> NDArray[np.uint8]:
    """(pixel << 16) + word -> grey level of shot noise, shape (2**24,).

    For each pixel value the 65,536 words are shared out among the photon counts as the Poisson law demands,
    to 1/65536 of probability each. Counts of `rate` and more all give 255, so a law has at most rate + 1
    outcomes. 16 MiB per rate, the last two rates are kept.
    """
    upto = np.rint(shot_cumulative(rate) * SIZE).astype(np.intp)
    shares: NDArray[np.intp] = np.diff(upto, axis=1, prepend=0)
    levels = to_uint8(np.arange(shares.shape[1]) / rate)
    return np.repeat(np.tile(levels, 256), shares.ravel())


def shot_cumulative(rate: float) -> NDArray[np.float64]:
    """P(count <= k) of Poisson(pixel / 255 * rate), shape (256, ceil(rate) + 1); the last column is 1.

    Sums of the weights mean**k / k!, divided by their total: only IEEE + * /, which no machine rounds
    differently, and no exp. Good for rates up to 600, where the total still fits a float64.
    """
    mean = np.arange(256) / 255 * rate
    weight, total = np.ones(256), np.ones(256)
    sums = [total]
    for count in range(1, round(rate + 12 * math.sqrt(rate)) + 40):
        weight = weight * mean / count
        total = total + weight
        sums.append(total)
    below_white = np.stack(sums[: math.ceil(rate)], axis=1) / total[:, None]
    return np.concatenate([below_white, np.ones((256, 1))], axis=1)


_SOURCE = f"{IMAGENET_C}; noise by a table of 65,536 quantiles"

SHIFTS = (
    corruption(
        gaussian_noise,
        suite="imagenet-c",
        source=_SOURCE,
        keys=["std"],
        tables={
            224: (0.08, 0.12, 0.18, 0.26, 0.38),
            64: (0.04, 0.08, 0.12, 0.15, 0.18),
            32: (0.04, 0.06, 0.08, 0.09, 0.10),
        },
    ),
    corruption(
        shot_noise,
        suite="imagenet-c",
        source=_SOURCE,
        keys=["rate"],
        tables={224: (60, 25, 12, 5, 3), 64: (250, 100, 50, 30, 15), 32: (500, 250, 100, 75, 50)},
    ),
    corruption(
        impulse_noise,
        suite="imagenet-c",
        source=_SOURCE,
        keys=["amount"],
        tables={
            224: (0.03, 0.06, 0.09, 0.17, 0.27),
            64: (0.01, 0.02, 0.05, 0.08, 0.14),
            32: (0.01, 0.02, 0.03, 0.05, 0.07),
        },
    ),
    corruption(
        speckle_noise,
        suite="imagenet-c-extra",
        source=_SOURCE,
        keys=["std"],
        tables={
            224: (0.15, 0.2, 0.35, 0.45, 0.6),
            64: (0.15, 0.2, 0.25, 0.3, 0.35),
            32: (0.06, 0.1, 0.12, 0.16, 0.2),
        },
    ),
)
