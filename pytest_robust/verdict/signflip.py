"""The sign-flip test of a sum over images, exact.

If golden and candidate are exchangeable on every image, each image's change is as likely to have the other sign,
whatever it did in other cells: the images are independent, the cells of one image are not. The distribution of
the sum over all 2^n patterns of signs is computed, not sampled, so the same changes give the same p everywhere. With
changes of one sample each it is McNemar's test, and the mid-p is the one of `mcnemar_midp`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Steps = NDArray[np.int64]

_RESOLUTION = 1024
"""Lattice steps per root of the sum of squares, for changes that are no small whole numbers."""

_WINDOW = 24
"""Width of the computed part of the distribution, in the same unit; beyond it lies less than 1e-30."""

_LONGEST = 1 << 16


def sign_flip_midp(changes: NDArray[np.int64] | NDArray[np.float64]) -> float:
    """One-sided mid-p that the sum of the changes is above zero by chance alone.

    Small whole numbers are taken as they are, and p is exact. Other changes are rounded to a lattice first, which
    changes the sum by far less than chance does; the test of the rounded sum is exact again.

    Args:
        changes: per image how much worse it became; whole numbers or floats, shape (images,).

    Returns:
        p in [0, 1]; 1 where nothing changed, since no change is evidence of nothing.

    Raises:
        ValueError: a change is not finite.
    """
    steps = _on_lattice(changes)
    steps = steps[steps != 0]
    if not len(steps):
        return 1.0
    sizes, counts = np.unique(np.abs(steps), return_counts=True)
    total = int(steps.sum())
    upper = _upper_tail(sizes, counts, abs(total))
    return upper if total >= 0 else 1 - upper


def _on_lattice(changes: NDArray[np.int64] | NDArray[np.float64]) -> Steps:
    if changes.dtype.kind in "iu":
        whole = changes.astype(np.int64)
        if _WINDOW * math.sqrt(float(np.sum(whole.astype(np.float64) ** 2))) <= _LONGEST:
            return whole
    if not np.isfinite(changes).all():
        raise ValueError("a change of an image is not finite")
    size = float(np.linalg.norm(changes.astype(np.float64)))
    if size == 0:
        return np.zeros(0, np.int64)
    return np.rint(changes / size * _RESOLUTION).astype(np.int64)


def _upper_tail(sizes: Steps, counts: Steps, total: int) -> float:
    """P[T > total] + P[T = total] / 2 for the sum T of `counts` random signs times `sizes`, and total >= 0."""
    top = int(sizes @ counts)
    if total == top:
        return 0.5 ** (int(counts.sum()) + 1)
    tilt = _tilt(sizes, counts, total)
    # Tilted so that `total` is the mean, the distribution is computed where it is large: a p of 1e-200 keeps its
    # digits. `weight` undoes the tilt.
    # Half of the window lies below `total`, as far as the whole distribution reaches or as it matters.
    wanted = min(2 * (top + total), math.ceil(_WINDOW * math.sqrt(float((sizes**2) @ counts))))
    length = 1 << wanted.bit_length()
    transform = _transform(sizes, counts, tilt, total, length)
    density = np.fft.irfft(transform, length)[: length // 2]
    density[0] /= 2
    exponents = float(counts @ (tilt * sizes + np.log1p(np.exp(-2 * tilt * sizes)) - math.log(2))) - tilt * total
    weight = np.exp(exponents - tilt * np.arange(length // 2))
    return float(np.clip(np.clip(density, 0, None) @ weight, 0.0, 1.0))


def _tilt(sizes: Steps, counts: Steps, total: int) -> float:
    """The t at which the sum of counts * sizes * tanh(t * sizes) is `total`, by bisection."""
    low, high = 0.0, 1.0 / float(sizes.max())
    while counts @ (sizes * np.tanh(high * sizes)) < total:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        if counts @ (sizes * np.tanh(middle * sizes)) < total:
            low = middle
        else:
            high = middle
    return low


def _transform(sizes: Steps, counts: Steps, tilt: float, total: int, length: int) -> NDArray[np.complex128]:
    """Conjugate of the tilted distribution's characteristic function, moved by `total`, as `irfft` takes it."""
    circle = np.exp(-2j * math.pi * np.arange(length) / length)
    frequencies = np.arange(length // 2 + 1)
    transform: NDArray[np.complex128] = circle[frequencies * (-total % length) % length]
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        turn = circle[frequencies * (size % length) % length]
        transform *= (turn.real + 1j * math.tanh(tilt * size) * turn.imag) ** count
    return transform
