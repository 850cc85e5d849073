"""Aggregates that are no weighted sum over images: the same test as the sign-flip, drawn instead of computed.

If golden and candidate are exchangeable on every image, the two may be exchanged there in all cells at once, and any
value of the cells changes as much by chance as by the model. The test holds for any value whatever: a correlation of
ranks and a minimum over classes have no smooth distribution that a bootstrap could find. The draws come from a fixed
seed, so the same predictions give the same p everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.verdict.intervals import upper_quantile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pytest_robust.verdict.images import PairedCell

Part = Sequence["PairedCell"]
"""Cells whose weighted errors sum to one of the numbers that a value is made of."""

Badness = Callable[["NDArray[np.float64]"], "NDArray[np.float64]"]
"""From errors, shape (draws, parts), to values of which a larger one is worse, shape (draws,); NaN is undefined."""

_SEED = 20_230_509
_CHUNK_BITS = 1 << 24
_PER_LEVEL = 20
_FEWEST, _MOST = 10_000, 1_000_000
_ENOUGH = 200
"""Draws as far out as the observation after which p is told well enough, far above any level that matters."""

_SAME = 1e-9
_FINE = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class _Column:
    """One part: its error is ``unit * (twice - or + the signed sum of steps) / 2``, before and now."""

    rows: NDArray[np.intp]
    steps: NDArray[np.floating[Any]]
    twice: float
    unit: float

    def signed(self, keeps: NDArray[np.uint8]) -> NDArray[np.float64]:
        """The sums of the steps, per draw, with those of exchanged images turned around."""
        chosen: NDArray[np.floating[Any]] = keeps[:, self.rows].astype(self.steps.dtype)
        return 2.0 * (chosen @ self.steps).astype(np.float64) - float(self.steps.sum())


@dataclass(frozen=True, slots=True, eq=False)
class Exchanged:
    """A change of a value of several parts; positive is worse.

    Attributes:
        total: the change.
        images: how many images there are.
        level: p is told well down to this level.
    """

    total: float
    images: int
    level: float
    _columns: Sequence[_Column]
    _changed: int
    _statistic: Badness
    _observed: float

    def p_worse(self) -> float:
        """One-sided p: the share of draws that change at least as much for the worse; see `Change`."""
        return self._p(1)

    def p_better(self) -> float:
        """The same for a change for the better."""
        return self._p(-1)

    def upper(self, alpha: float) -> float | None:
        """None: an upper bound of such a change is not known."""
        upper_quantile(alpha)
        return None

    def wanted(self, level: float) -> int:
        """Images at which the observed change would be significant with a power of 0.8, as chance shrinks by n^-1/2.

        Raises:
            ValueError: the value did not become worse.
        """
        if self.total <= 0:
            raise ValueError("an aggregate that did not become worse needs no images to show it")
        drawn = np.append(next(self._draws()), self._observed)
        chance = float(np.sqrt(np.nanmean(drawn**2)))
        return math.ceil(self.images * (chance * (upper_quantile(level) + upper_quantile(0.2)) / self.total) ** 2)

    def _p(self, sign: int) -> float:
        beyond = done = 0
        wanted = min(_MOST, max(_FEWEST, math.ceil(_PER_LEVEL / self.level)))
        for changes in self._draws():
            # An undefined draw counts against the verdict, and dust of sums does not part what is equal.
            beyond += int(np.count_nonzero(~(sign * changes < sign * self._observed - _SAME)))
            done += len(changes)
            if beyond >= _ENOUGH or done >= wanted:
                break
        return (beyond + 1) / (done + 1)

    def _draws(self) -> Iterator[NDArray[np.float64]]:
        generator = np.random.Generator(np.random.PCG64(_SEED))
        width = max(1, -(-self._changed // 8))
        draws = min(_FEWEST, max(256, _CHUNK_BITS // (8 * width)))
        while True:
            bits = np.unpackbits(np.frombuffer(generator.bytes(draws * width), np.uint8))
            keeps = bits.reshape(draws, -1)
            sums = [column.signed(keeps) for column in self._columns]
            yield _change(self._columns, np.stack(sums, axis=1), self._statistic)


def exchanged(parts: Sequence[Part], badness: Badness, level: float, finer: Badness | None = None) -> Exchanged | None:
    """The change of a value from the first to the second classifier of all cells.

    Args:
        parts: the numbers that the value is made of, each a weighted sum of cells' errors.
        badness: the value, of many draws at once.
        level: the significance level that p will be held against.
        finer: orders changes of equal size, where few sizes are possible. Without it two severities whose ranks a
            candidate exchanged would change as much in every draw, however far apart their errors moved.

    Returns:
        None where the value is undefined before or now.

    Raises:
        ValueError: there is no cell.
    """
    if not parts or not all(parts):
        raise ValueError("an aggregate needs at least one cell")
    known: dict[str, int] = {}
    columns = [_column(part, known) for part in parts]
    observed = np.array([[float(column.steps.sum()) for column in columns]])
    total = float(_change(columns, observed, badness)[0])
    if math.isnan(total):
        return None
    statistic = badness if finer is None else lambda errors: badness(errors) + _FINE * finer(errors)
    images = len({name for part in parts for cell in part for name in cell.ids})
    return Exchanged(
        total, images, level, columns, len(known), statistic, float(_change(columns, observed, statistic)[0])
    )


def _column(part: Part, known: dict[str, int]) -> _Column:
    units = [cell.weight / len(cell.ids) for cell in part]
    common = all(math.isclose(unit, units[0], rel_tol=1e-12) for unit in units)
    unit = units[0] if common else 1.0
    found: dict[int, float] = {}
    twice = 0.0
    for cell, own in zip(part, units, strict=True):
        step = 1.0 if common else own
        twice += step * float(2 * len(cell.ids) - cell.first.sum() - cell.second.sum())
        change = cell.first.astype(np.int64) - cell.second
        for position in np.flatnonzero(change).tolist():
            row = known.setdefault(cell.ids[position], len(known))
            found[row] = found.get(row, 0.0) + step * float(change[position])
    steps: NDArray[np.floating[Any]] = np.array(list(found.values()), np.float32 if common else np.float64)
    return _Column(np.array(list(found), np.intp), steps, twice, unit)


def _change(columns: Sequence[_Column], sums: NDArray[np.float64], badness: Badness) -> NDArray[np.float64]:
    twice = np.array([column.twice for column in columns])
    halves = np.array([column.unit for column in columns]) / 2
    return badness((twice + sums) * halves) - badness((twice - sums) * halves)
