"""What the thresholds of a spec can see, said before any image is opened."""

from __future__ import annotations

import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_robust.errors import Mark
    from pytest_robust.spec.plan import CellPlan, DatasetPlan, Plan

_DIGITS = {"test": 597, "train": 1200}


def foresight(plan: Plan) -> Iterator[str]:
    """One line per threshold row with `max_regression`: the smallest drop that can be significant there.

    Where the cells of a row differ in samples, or their models in golden tests, the line is of those that see least.
    Cells count whose number of samples is known without the data: embedded, in the header of an npz, in the golden,
    or as a `limit`; a row without such a cell has no line.
    """
    seen: dict[Mark, set[tuple[int, int]]] = {
        row.mark: set() for row in plan.thresholds if row.max_regression is not None
    }
    if not seen:
        return
    from pytest_robust.verdict.power import decisive_flips
    from pytest_robust.verdict.wording import what_n_can_see

    def drop(pair: tuple[int, int]) -> float:
        return decisive_flips(plan.gate.alpha / max(1, pair[1])) / max(1, pair[0])

    sizes = _Sizes(plan)
    for cell in plan.cells:
        rows = [row.mark for row in cell.thresholds if row.mark in seen]
        if rows and (n := sizes.of(cell)) is not None:
            for mark in rows:
                seen[mark].add((n, plan.family[cell.model.name]))
    for row in plan.thresholds:
        if known := seen.get(row.mark):
            n, family = max(known, key=drop)
            least = "where least is seen, " if len(known) > 1 else ""
            told = what_n_can_see(n, family, plan.gate, row.max_regression)
            yield f"{row.mark.file}:{row.mark.line}: {least}{told}"


class _Sizes:
    """How many samples the cells of a plan will have, as far as that is known without the data."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._data: dict[DatasetPlan, int | None] = {}
        self._goldens: dict[str, Mapping[str, int]] = {}

    def of(self, cell: CellPlan) -> int | None:
        """Samples of one cell; None where only the run will know."""
        shift = cell.shift
        limit = shift.dataset.limit
        whole = shift.main is None and shift.dataset.per_class is None
        # a shift on data of its own may keep only the classes that the model has, or make its own scenes
        if shift.stored is None and whole:
            if shift.dataset not in self._data:
                self._data[shift.dataset] = _count(shift.dataset)
            if (there := self._data[shift.dataset]) is not None:
                return there if limit is None else min(there, limit)
        found = self._golden(cell.model.name).get(cell.key)
        if found is not None and (limit is None or found <= limit):
            return found
        return limit if whole else None

    def _golden(self, model: str) -> Mapping[str, int]:
        if model not in self._goldens:
            from pytest_robust.golden import recorded_sizes

            self._goldens[model] = recorded_sizes(self._plan.golden, model) if self._plan.golden else {}
        return self._goldens[model]


def _count(data: DatasetPlan) -> int | None:
    """Samples of a data set that says so by itself; a variable in its path is not looked up before the run."""
    if data.source == "digits":
        return _DIGITS[data.split]
    if data.source == "npz" and data.path is not None and "${" not in data.path.text:
        # whatever is wrong with the file, the run will say
        with suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, RobustError):
            return _rows(data)
    return None


def _rows(data: DatasetPlan) -> int | None:
    """Length of an npz's labels, from the header of that array alone."""
    import numpy as np

    if data.path is None:
        return None
    with zipfile.ZipFile(data.path.resolve()) as archive, archive.open(f"{data.arrays[1]}.npy") as member:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, _ = read(member)
    return int(shape[0]) if len(shape) == 1 else None
