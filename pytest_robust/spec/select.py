"""Selectors (`where`, `exclude`): which models and which shifts they choose, and whether they choose any."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_robust.spec.plan import Severity, ShiftPlan, severity_text
from pytest_robust.spec.problems import Problems, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_robust.spec.limits import Where
    from pytest_robust.spec.loader import Node

_SHIFT_KEYS = ("suite", "shift", "severity", "entry")


@dataclass(frozen=True, slots=True)
class Selection:
    """What a selector chooses: all cells of these models at these columns, by position."""

    models: frozenset[int]
    columns: frozenset[int]


@dataclass(slots=True)
class Matrix:
    """Models x shifts, indexed by everything a selector can name.

    Attributes:
        models: all model names of the spec, also of models that are wrong in another way.
        columns: the shifts, clean first.
        cells: per model the columns that it is measured at.
        known: names that must not be called unknown, since what is wrong with them is reported already.
        complete: whether all shifts are valid, so that a selector that finds nothing is a mistake.
    """

    models: Sequence[str]
    columns: Sequence[ShiftPlan]
    cells: list[set[int]] = field(init=False)
    known: dict[str, set[str]] = field(default_factory=dict)
    complete: bool = True
    _index: dict[str, dict[Severity, set[int]]] = field(init=False)
    _all: Selection = field(init=False)

    def __post_init__(self) -> None:
        index: dict[str, dict[Severity, set[int]]] = {key: {} for key in _SHIFT_KEYS}
        for position, column in enumerate(self.columns):
            for key in _SHIFT_KEYS:
                index[key].setdefault(getattr(column, key), set()).add(position)
        index["severity"].pop(None, None)
        self._index = index
        self._all = Selection(frozenset(range(len(self.models))), frozenset(range(len(self.columns))))
        self.cells = [set(self._all.columns) for _ in self.models]

    def values(self, key: str) -> list[Severity]:
        """Everything that a key of a selector can be, in the order of the spec."""
        return list(self.models) if key == "model" else list(self._index[key])

    @property
    def clean(self) -> frozenset[int]:
        """The column of the unshifted images."""
        return frozenset({0})

    def columns_of(self, key: str, value: Severity) -> set[int]:
        """The columns with this suite, shift, severity or entry."""
        return self._index[key].get(value, set())

    def choose(self, where: Where, node: Node, problems: Problems) -> Selection | None:
        """The cells that a selector names.

        Args:
            where: the validated selector.
            node: where it stands.
            problems: takes names that are not in the spec.

        Returns:
            The selection, before asking which of its cells exist; None if a name is unknown.
        """
        good = True
        for key in ("model", *_SHIFT_KEYS):
            values: Sequence[Severity] = getattr(where, key)
            given = node.get(key)
            for value, place in zip(values, given.rows() if given else (), strict=True):
                good &= self.check(key, value, place, problems)
        if not good:
            return None
        models = self._all.models
        if where.model:
            models = frozenset(i for i, name in enumerate(self.models) if name in where.model)
        columns = self._all.columns
        for key in _SHIFT_KEYS:
            if values := getattr(where, key):
                columns = columns.intersection(set().union(*(self.columns_of(key, value) for value in values)))
        return Selection(models, columns)

    def check(self, key: str, value: Severity, node: Node, problems: Problems) -> bool:
        """Whether the spec has this model, suite, shift, severity or entry; a problem is noted if not."""
        valid = self.values(key)
        if value in valid if key == "model" else value in self._index[key]:
            return True
        doubtful = not self.complete and key in ("shift", "severity")
        if not doubtful and value not in self.known.get(key, ()):
            names = [severity_text(one) for one in valid]
            text = f"'{value}'" if isinstance(value, str) else severity_text(value)
            problems.add(node.place, f"no {key} {text} in this spec{did_you_mean(_number(value, valid), names)}")
        return False

    def finds(self, selection: Selection, cells: Sequence[set[int]]) -> bool:
        """Whether any of these cells is selected."""
        return any(not cells[model].isdisjoint(selection.columns) for model in selection.models)

    def remove(self, selection: Selection, cells: list[set[int]]) -> None:
        """Take the selected cells away, but the clean ones."""
        columns = selection.columns - self.clean
        for model in selection.models:
            cells[model] -= columns


def _number(value: Severity, valid: Iterable[Severity]) -> str:
    """The text to look for among the valid names: for a number the nearest one, since 2.9 is not spelled like 3."""
    numbers = [one for one in valid if isinstance(one, (int, float))]
    if isinstance(value, (int, float)) and numbers:
        return severity_text(min(numbers, key=lambda one: abs(one - value)))
    return severity_text(value)
