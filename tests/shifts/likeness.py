"""Whether two ways of making one random corruption follow one law, told from pictures that both have made.

Both make the same images, each with random numbers of its own. If the laws are one, swapping the two results of an
image changes nothing: what they differ by is measured against what random swaps give (a paired permutation test), so
neither the images' content nor the dependence of their pixels can pass for a difference, or hide one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Images = NDArray[np.uint8]

SWAPS = 1999
RINGS, WAYS = 5, 4


@dataclass(frozen=True, slots=True)
class Likeness:
    """How far apart two sets of pictures are, and how likely chance alone is to take them as far.

    Attributes:
        distance: Kolmogorov-Smirnov distance between the changes of all channel values, 0..1.
        distance_p: its p.
        power: the largest ratio of the two mean spectra of the changes over bands of frequency and direction, as
            the distance from 1.
        power_p: p of the most significant band, the number of bands allowed for.
    """

    distance: float
    distance_p: float
    power: float
    power_p: float


def compare(images: Images, first: Images, second: Images, seed: int = 0) -> Likeness:
    """Compare two corrupted versions of the same images, all uint8 (N, H, W, 3)."""
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1.0, 1.0], (SWAPS, len(images)))
    changes = np.cumsum(_histograms(images, first) - _histograms(images, second), axis=1)
    ours, theirs = _spectra(images, first), _spectra(images, second)
    apart = np.log1p(ours) - np.log1p(theirs)
    spread = np.sqrt((apart**2).sum(axis=0))
    ratios = (ours.mean(axis=0) + 1) / (theirs.mean(axis=0) + 1)
    return Likeness(
        float(np.abs(changes.mean(axis=0)).max()),
        _p(changes, signs),
        float(np.abs(ratios - 1).max()),
        _p(apart / np.where(spread > 0, spread, 1), signs),
    )


def _p(apart: NDArray[np.float64], signs: NDArray[np.float64]) -> float:
    """How often random swaps take the largest of the summed differences (N, K) as far as it is, itself included."""
    found = np.abs(apart.sum(axis=0)).max()
    by_chance = np.abs(signs @ apart).max(axis=1)
    return float((1 + np.count_nonzero(by_chance >= found * (1 - 1e-9))) / (1 + len(signs)))


def _histograms(images: Images, made: Images) -> NDArray[np.float64]:
    """Shares of the changes -255..255 of each image, (N, 511)."""
    changes = (made.astype(np.int64) - images + 255).reshape(len(images), -1)
    return np.stack([np.bincount(one, minlength=511) for one in changes]) / changes.shape[1]


def _spectra(images: Images, made: Images) -> NDArray[np.float64]:
    """Mean power of the change of each image in bands of frequency and direction, (N, RINGS * WAYS), levels squared."""
    height, width = images.shape[1:3]
    down, across = np.meshgrid(np.fft.fftfreq(height), np.fft.fftfreq(width), indexing="ij")
    ring = np.clip(np.ceil(np.log2(np.hypot(down, across) + 1e-9) + RINGS).astype(int), 0, RINGS - 1)
    way = np.floor(np.arctan2(down, across) / np.pi * WAYS + 0.5).astype(int) % WAYS
    band = (ring * WAYS + way).ravel()
    counts = np.bincount(band, minlength=RINGS * WAYS)
    found = []
    for image, one in zip(images, made, strict=True):
        change = (one.astype(np.float64) - image).mean(axis=-1)
        power = np.abs(np.fft.fft2(change)) ** 2 / change.size
        found.append(np.bincount(band, power.ravel(), minlength=RINGS * WAYS))
    return np.stack(found) / np.maximum(counts, 1)
