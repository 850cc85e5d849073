"""What all kinds of aggregates need: the cells that a row speaks of, and the draft that comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pytest_robust.spec.problems import Problems, did_you_mean
from pytest_robust.spec.shifts import CLEAN, NATURAL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_robust.errors import Mark
    from pytest_robust.spec.limits import ExpectSpec
    from pytest_robust.spec.loader import Node
    from pytest_robust.spec.plan import AggregateKind, DatasetPlan, Geometry, Json, Level, Role
    from pytest_robust.spec.select import Matrix

LIMITS: Mapping[AggregateKind, tuple[str, ...]] = {
    "mce": ("max", "max_regression"),
    "mean_error": ("max", "max_regression"),
    "ice": ("max", "max_regression"),
    "group_means": ("min", "max_regression"),
    "trend": ("min_spearman", "min_pearson", "max_regression"),
    "monotone": ("max_regression",),
    "worst_class": ("min", "max_regression"),
    "phase_reliance": ("min", "max", "max_regression"),
    "scores": ("max",),
    "compare": ("min_gain", "max_clean_loss", "max_regression"),
    "error_reduction": ("min", "max_regression"),
    "uniqueness": ("min", "max_regression"),
    "transfer": ("max",),
    "pareto": ("min_r2",),
    "clever": ("min_clever",),
}
"""The limits that each kind of aggregate takes beside its mapping."""

CLEAN_COLUMN = 0
"""Position of the clean column in every matrix."""


class Row(Protocol):
    """What all rows of `aggregates` have."""

    @property
    def name(self) -> str | None:
        """The name that the row gives its aggregates, if any."""

    @property
    def level(self) -> Level:
        """What a breach does."""

    @property
    def expect(self) -> ExpectSpec | None:
        """Why the limit is expected not to hold, if it is."""


Member = tuple[int, int]
"""A cell as (position of the model, position of the column)."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One aggregate before its cells are made."""

    name: str
    kind: AggregateKind
    models: tuple[str, ...]
    members: tuple[Member, ...]
    mark: Mark
    options: Mapping[str, Json]
    limits: Mapping[str, float]
    level: Level
    against: tuple[Role, ...] = ("latest",)
    expect: str | None = None

    @property
    def owner(self) -> str:
        """The node that holds it, as in `AggregatePlan.owner`."""
        return self.models[0] if len(self.models) == 1 else "_all"


@dataclass(frozen=True, slots=True)
class Scope:
    """The columns that a row speaks of, and the entry they belong to."""

    columns: tuple[int, ...]
    entry: str


@dataclass(frozen=True, slots=True)
class Rules:
    """Finds cells for aggregates and notes what is missing.

    Attributes:
        matrix: models and shifts of the spec.
        geometry: canvas of every valid model, by name.
        dataset: the spec's data set.
        golden: whether a golden folder is known.
        anchor: whether the spec names an anchor.
        scored: whether the spec keeps what the models' probabilities say.
        problems: takes what is wrong.
    """

    matrix: Matrix
    geometry: Mapping[str, Geometry]
    dataset: DatasetPlan
    golden: bool
    problems: Problems
    anchor: bool = False
    scored: bool = False

    def scope(self, suite: str, entry: str | None, at: Node) -> Scope | None:
        """The columns of the row's suite, of one entry only: the same shift counted twice is no mean.

        Args:
            suite: the suite that the row names.
            entry: the entry that it names, if any.
            at: where the row's selector stands.

        Returns:
            The columns in the order of the spec, or None after a problem.
        """
        matrix, place = self.matrix, (at.get("suite") or at).place
        if not matrix.check("suite", suite, at.get("suite") or at, self.problems):
            return None
        if suite == CLEAN:
            self.problems.add(place, "an aggregate needs shifted images, and clean has none")
            return None
        columns = sorted(matrix.columns_of("suite", suite))
        entries = list(dict.fromkeys(matrix.columns[column].entry for column in columns))
        if entry is None and suite == NATURAL:
            return Scope(tuple(columns), entries[0] if len(entries) == 1 else NATURAL)
        if entry is None and len(entries) > 1 and suite not in entries:
            self.problems.add(
                at.place, f"the suite '{suite}' has several entries ({', '.join(entries)}); choose one by `entry:`"
            )
            return None
        entry = entry or (suite if suite in entries else entries[0])
        if entry not in entries:
            if matrix.complete:
                hint = did_you_mean(entry, entries)
                self.problems.add((at.get("entry") or at).place, f"no entry '{entry}' of the suite '{suite}'{hint}")
            return None
        return Scope(tuple(column for column in columns if matrix.columns[column].entry == entry), entry)

    def model(self, name: str, node: Node) -> int | None:
        """A model's position, or None after noting that there is no such model."""
        known = self.matrix.check("model", name, node, self.problems)
        return self.matrix.models.index(name) if known else None

    def models(self, names: Sequence[str], at: Node, columns: Sequence[int]) -> list[int]:
        """The models that a row judges: the named ones, else all that have any of its cells."""
        cells = self.matrix.cells
        if not names:
            having = [model for model in range(len(cells)) if not cells[model].isdisjoint(columns)]
            if columns and not having:
                self.problems.add(at.place, "no model is measured on these shifts, which `exclude` takes from all")
            return having
        given = at.get("model")
        found = [self.model(name, node) for name, node in zip(names, given.rows() if given else (), strict=True)]
        return [model for model in dict.fromkeys(found) if model is not None]

    def have(self, models: Sequence[int], columns: Sequence[int], at: Node) -> bool:
        """Whether the models are measured at all of these columns; a problem names what `exclude` took away."""
        good = True
        for model in models:
            cells = self.matrix.cells[model]
            lost = [self.matrix.columns[column].label for column in columns if column not in cells]
            if lost:
                good = False
                more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
                self.problems.add(
                    at.place,
                    f"'{self.matrix.models[model]}' lacks {', '.join(lost[:3])}{more}, which `exclude` takes away;"
                    " keep them, or choose other models",
                )
        return good

    def left_out(self, models: Sequence[int]) -> list[Json]:
        """The names of all other models, for a row that names none."""
        return [name for model, name in enumerate(self.matrix.models) if model not in models]

    def draft(
        self,
        row: Row,
        node: Node,
        kind: AggregateKind,
        name: str,
        models: Sequence[int],
        members: Sequence[Member],
        options: Mapping[str, Json],
    ) -> Draft:
        """The aggregate that a row makes; its own `name` wins over the given one."""
        limits = {key: value for key in LIMITS[kind] if (value := getattr(row, key)) is not None}
        names = tuple(self.matrix.models[model] for model in models)
        mark = self.problems.mark(node.place)
        against: tuple[Role, ...] = tuple(dict.fromkeys(getattr(row, "against", ("latest",))))
        expect = row.expect.fails if row.expect else None
        return Draft(row.name or name, kind, names, tuple(members), mark, options, limits, row.level, against, expect)
