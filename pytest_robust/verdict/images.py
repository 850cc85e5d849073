"""Aggregates image by image: what every image adds to a change, and what that can show.

The image is the unit, never the image-cell pair: an image that one cell loses is likelier to be lost in the others.
Cells may stand on different samples (natural shifts, SI-Score). The rule is then: everything with one sample id is one
image and moves together; every cell is a mean over its own samples; and resampling keeps apart the images that stand
in different cells (strata), so that each cell keeps its number of samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.verdict.intervals import upper_quantile
from pytest_robust.verdict.signflip import sign_flip_midp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_DRAWS = 10_000
_SEED = 20_230_509
_ATOMS = 128
_DUST = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class PairedCell:
    """One cell of two classifiers on the same samples.

    Attributes:
        samples: names the sample set; cells of one name share their ids.
        ids: n unique sample ids.
        first: whether the first classifier (the golden) is right, bool, shape (n,).
        second: whether the second one (the candidate) is right, bool, shape (n,).
        weight: what the cell's error counts in the aggregate; negative where a larger error makes it smaller.
    """

    samples: str
    ids: Sequence[str]
    first: NDArray[np.bool_]
    second: NDArray[np.bool_]
    weight: float

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.first) == len(self.second) > 0:
            raise ValueError(f"{len(self.first)} and {len(self.second)} results do not fit {len(self.ids)} samples")


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """A change of an aggregate, split into what each image adds; positive is worse.

    Attributes:
        changes: float, shape (images,); they sum to the change.
        steps: the same as whole numbers in a common unit, int, shape (images,); None where there is no such unit.
        stratum: which cells the image stands in, as an index into `reach`, shape (images,).
        reach: per stratum the most that one image could add.
    """

    changes: NDArray[np.float64]
    steps: NDArray[np.int64] | None
    stratum: NDArray[np.int64]
    reach: NDArray[np.float64]

    @property
    def total(self) -> float:
        """The change of the aggregate."""
        return math.fsum(self.changes.tolist())

    def p_worse(self) -> float:
        """One-sided mid-p of the sign-flip test that the aggregate became worse."""
        return sign_flip_midp(self.changes if self.steps is None else self.steps)

    def p_better(self) -> float:
        """The same for an aggregate that became better."""
        return sign_flip_midp(-self.changes if self.steps is None else -self.steps)

    def upper(self, alpha: float) -> float:
        """Upper bound of the change, wrong with probability about `alpha`; see `interval`."""
        return interval(self, alpha)[1]

    def wanted(self, level: float) -> int:
        """Images that would make the observed change significant; see `images_to_decide`."""
        return images_to_decide(self, level)


def split(cells: Sequence[PairedCell]) -> Images:
    """Split the weighted change of error from the first to the second classifier over images.

    Raises:
        ValueError: there is no cell, or cells of one sample set differ in their ids.
    """
    if not cells:
        raise ValueError("an aggregate needs at least one cell")
    places, count = _places(cells)
    changes, steps = np.zeros(count), np.zeros(count, np.int64)
    present: dict[str, float] = {}
    units = {abs(cell.weight) / len(cell.ids) for cell in cells}
    unit = max(units)
    for cell in cells:
        change = cell.first.astype(np.int64) - cell.second
        at = places[cell.samples]
        changes[at] += change * (cell.weight / len(cell.ids))
        steps[at] += change if cell.weight > 0 else -change
        present[cell.samples] = present.get(cell.samples, 0.0) + abs(cell.weight) / len(cell.ids)
    stratum, reach = _strata(places, present, count)
    # Weights that cancel leave dust behind, which a test of signs would take for changes.
    changes[np.abs(changes) <= _DUST * reach.max()] = 0.0
    common = all(math.isclose(one, unit, rel_tol=1e-12) for one in units)
    return Images(changes, steps if common else None, stratum, reach)


def interval(images: Images, alpha: float) -> tuple[float, float]:
    """Bounds of the change, each wrong with probability about `alpha`: percentiles of a bootstrap over images.

    Two imaginary images are added to each stratum: half a one at either end of its reach, and one that did not change
    (Agresti and Min, Statistics in Medicine 24 (2005) 729-740), without which few images, or none that changed, would
    seem to leave no doubt. The draws come from a fixed seed.

    Args:
        images: the change.
        alpha: in (0, 0.5].

    Raises:
        ValueError: `alpha` is out of range.
    """
    upper_quantile(alpha)
    generator = np.random.Generator(np.random.PCG64(_SEED))
    totals = np.zeros(_DRAWS)
    for stratum, reach in enumerate(images.reach.tolist()):
        values = images.changes[images.stratum == stratum]
        atoms, counts = _atoms(values)
        atoms = np.concatenate([atoms, [-reach, 0.0, reach]])
        shares = np.concatenate([counts, [0.5, 1.0, 0.5]]) / (len(values) + 2)
        totals += generator.multinomial(len(values), shares, size=_DRAWS) @ atoms
    low, high = np.quantile(totals, [alpha, 1 - alpha])
    return min(float(low), images.total), max(float(high), images.total)


def images_to_decide(images: Images, alpha: float, power: float = 0.8) -> int:
    """Images at which the observed change would be significant: Connor's formula, of any change per image.

    Raises:
        ValueError: the aggregate did not become worse, or an argument is out of its range.
    """
    count = len(images.changes)
    mean = images.total / count
    if mean <= 0:
        raise ValueError("an aggregate that did not become worse needs no images to show it")
    square = float(np.mean(images.changes**2))
    reach = upper_quantile(alpha) * math.sqrt(square) + upper_quantile(1 - power) * math.sqrt(square - mean * mean)
    return math.ceil((reach / mean) ** 2)


def _places(cells: Sequence[PairedCell]) -> tuple[dict[str, NDArray[np.int64]], int]:
    """Per sample set the index of each sample's image, and how many images there are."""
    known: dict[str, int] = {}
    found: dict[str, NDArray[np.int64]] = {}
    sizes: dict[str, int] = {}
    for cell in cells:
        if cell.samples not in found:
            found[cell.samples] = np.array([known.setdefault(name, len(known)) for name in cell.ids], np.int64)
            sizes[cell.samples] = len(cell.ids)
            if len(set(cell.ids)) != len(cell.ids):
                raise ValueError("an id stands for two samples of one set")
        elif sizes[cell.samples] != len(cell.ids):
            raise ValueError("cells of one sample set differ in their samples")
    return found, len(known)


def _strata(
    places: dict[str, NDArray[np.int64]], present: dict[str, float], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    if len(places) == 1:
        return np.zeros(count, np.int64), np.array(list(present.values()))
    standing = np.zeros((count, len(places)), np.bool_)
    for column, at in enumerate(places.values()):
        standing[at, column] = True
    patterns, stratum = np.unique(standing, axis=0, return_inverse=True)
    return stratum.reshape(-1).astype(np.int64), patterns @ np.array([present[name] for name in places])


def _atoms(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The distinct values and how often each occurs; values that are too many are rounded to a lattice."""
    atoms, counts = np.unique(values, return_counts=True)
    if len(atoms) <= 2 * _ATOMS + 1:
        return atoms, counts
    unit = float(np.abs(values).max()) / _ATOMS
    whole, counts = np.unique(np.rint(values / unit), return_counts=True)
    # Rounding moves the mean a little, and it is put back.
    return whole * unit + (values.mean() - float(whole @ counts) * unit / len(values)), counts
