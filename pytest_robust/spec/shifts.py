"""Expands the `shifts` of a spec into columns of the matrix."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

from pytest_robust.errors import RobustError
from pytest_robust.spec.annotations import keys_of
from pytest_robust.spec.check import Item, validate
from pytest_robust.spec.dataset import dataset_plan, narrowed, with_classes
from pytest_robust.spec.language import NaturalEntry, SuiteEntry
from pytest_robust.spec.loader import Node
from pytest_robust.spec.plan import DatasetPlan, ShiftPlan
from pytest_robust.spec.problems import did_you_mean, show
from pytest_robust.spec.sources import attack_plans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_robust.spec.catalog import Catalog, Suite
    from pytest_robust.spec.dataset import Folder
    from pytest_robust.spec.limits import ProfileSpec
    from pytest_robust.spec.problems import Place
    from pytest_robust.spec.sources import Sources

CLEAN = "clean"
NATURAL = "natural"
FINGERPRINT = "fingerprint"
_LABEL = re.compile(r"[A-Za-z0-9.-][A-Za-z0-9_.-]*")


@dataclass(slots=True)
class Columns:
    """The shifts of a spec, clean first.

    `known` holds suites and entries that the file names, valid or not; `complete` says that all entries are valid.
    """

    shifts: list[ShiftPlan]
    known: dict[str, set[str]] = field(default_factory=lambda: {"suite": set(), "entry": set()})
    complete: bool = True


class ShiftSection:
    """The entries of `shifts`, expanded one by one."""

    def __init__(
        self, catalog: Catalog, folder: Folder, main: DatasetPlan, profile: ProfileSpec | None, sources: Sources
    ) -> None:
        """Take what all entries share: the suites, the spec's folder and data set, the chosen profile, the models."""
        self._catalog = catalog
        self._sources = sources
        self._folder = folder
        self._problems = folder.problems
        self._main = main
        self._profile = profile
        self._lines: dict[str, tuple[int, int]] = {}
        self._names: dict[str, Place] = {}

    def columns(self, rows: list[Node]) -> Columns:
        """Expand all entries; what is wrong with one is noted and the others go on."""
        clean = ShiftPlan(CLEAN, CLEAN, CLEAN, None, 1, self._main, self._main.mark)
        columns = Columns([clean])
        for row in rows:
            if not isinstance(row.value, dict):
                self._problems.add(
                    row.place, f"an entry of `shifts` is a mapping such as {{suite: NAME}}, not {show(row.value)}"
                )
                columns.complete = False
                continue
            self._remember(row, columns)
            if self._is_named_twice(row):
                columns.complete = False
                continue
            before = len(columns.shifts)
            made = self._natural(row) if self._is_natural(row) else self._suite(row)
            columns.shifts += [column for column in made if self._fits(column, row)]
            columns.complete &= len(columns.shifts) > before
        return columns

    @staticmethod
    def _is_natural(row: Node) -> bool:
        return "dataset" in row.keys and "suite" not in row.keys

    def _is_named_twice(self, row: Node) -> bool:
        """Whether an earlier entry has the name that this one states, which is noted then."""
        node = row.get("name")
        if node is None or not isinstance(node.value, str):
            return False
        first = self._names.setdefault(node.value, node.place)
        if first == node.place:
            return False
        self._problems.add(
            node.place, f"the entry in line {first[0]} is called '{node.value}' too; give one of them another `name:`"
        )
        return True

    @staticmethod
    def _remember(row: Node, columns: Columns) -> None:
        for key, kind in (("suite", "suite"), ("name", "entry"), ("suite", "entry")):
            node = row.get(key)
            if node is not None and isinstance(node.value, str):
                columns.known[kind].add(node.value)

    def _natural(self, row: Node) -> Iterator[ShiftPlan]:
        entry = validate(NaturalEntry, row, row.place, self._problems)
        node = row.get("dataset")
        if entry is None or node is None:
            return
        item = Item("dataset", row.key("dataset"), node, entry.dataset)
        plan = dataset_plan(item, self._folder, self._main.seed, self._profile)
        if plan is not None:
            if entry.classes_map is None:
                plan = with_classes(plan, self._main)
            given: dict[str, Any] = {"classes_map": entry.classes_map, "label_subset": entry.label_subset}
            yield ShiftPlan(
                entry.name,
                NATURAL,
                NATURAL,
                None,
                1,
                plan,
                self._problems.mark(row.place),
                {key: value for key, value in given.items() if value is not None},
                main=self._main,
            )

    def _suite(self, row: Node) -> Iterator[ShiftPlan]:
        if "suite" not in row.keys:
            keys = [key for key in row.keys if key != "name"]
            hint = f"; it has {', '.join(keys)}" if keys else ""
            self._problems.add(row.place, f"an entry needs `suite: NAME`, or `name:` and `dataset:` of its own{hint}")
            return
        entry = validate(SuiteEntry, row, row.place, self._problems)
        if entry is None:
            return
        suite = self._catalog.get(entry.suite)
        if suite is None:
            place = (row.get("suite") or row).place
            self._problems.add(place, f"no suite '{entry.suite}'{did_you_mean(entry.suite, self._catalog)}")
            return
        options = self._options(suite, row)
        if options is None:
            return
        name, mark = entry.name or entry.suite, self._problems.mark(row.place)
        try:
            variants = list(suite.expand(options))
        except (ValueError, RobustError) as error:
            self._problems.add(row.place, str(error))
            return
        if not variants:
            self._problems.add(row.place, f"this entry of the suite '{suite.name}' asks for no shift at all")
        own = row.get("dataset")
        dataset: DatasetPlan | None = self._main
        if own is not None:
            item = Item("dataset", row.key("dataset"), own, options.dataset)
            dataset = dataset_plan(item, self._folder, self._main.seed, self._profile)
        elif (own := row.get("path")) is not None:
            dataset = DatasetPlan("npz", mark, self._folder.path(options.path, own), seed=self._main.seed)
        if dataset is None:
            return
        stored, textures = (
            None if (text := row.get(key)) is None else self._folder.path(str(text.value), text)
            for key in ("stored", "textures")
        )
        per_class: int | None = getattr(options, "per_class", None)
        attacks = attack_plans(options, row, self._sources, self._folder)
        for (source, attack), variant in product(attacks, variants):
            yield ShiftPlan(
                name,
                suite.name,
                variant.shift + source,
                variant.severity,
                variant.version,
                narrowed(self._main, per_class) if own is None else with_classes(dataset, self._main),
                mark,
                variant.parameters,
                variant.changes_size,
                stored,
                None if own is None else self._main,
                textures if "textures" in variant.parameters else None,
                variant.side,
                attack,
            )

    def _options(self, suite: Suite, row: Node) -> Any | None:
        """The entry's keys beside `name` and `suite`, validated by the suite's own model."""
        own = {key: place for key, place in row.keys.items() if key not in ("name", "suite")}
        if "dataset" in own and "dataset" not in keys_of(suite.options):
            self._problems.add(
                own["dataset"], "an entry with a `dataset` of its own has no `suite`; remove one of the two"
            )
            return None
        rest = Node(row.place, {key: node for key, _, node in row.items() if key in own}, own)
        return validate(suite.options, rest, row.place, self._problems)

    def _fits(self, column: ShiftPlan, row: Node) -> bool:
        """Whether the column's name can be a case's name and is new; the first clash of an entry is noted."""
        label = column.label
        if column.entry == CLEAN:
            self._problems.add(row.place, "the name 'clean' is kept for the unshifted images; choose another `name:`")
        elif not _LABEL.fullmatch(label):
            self._problems.add(
                row.place, f"the case name '{label}' holds characters beside letters, digits, '.', '_' and '-'"
            )
        elif label in self._lines:
            self._clash(row, column)
        else:
            self._lines[label] = row.place
            return True
        return False

    def _clash(self, row: Node, column: ShiftPlan) -> None:
        line, own = self._lines[column.label][0], row.place[0]
        text = (
            f"two cases would be called '{column.label}', from line {line} and line {own};"
            " give one entry another `name:`"
        )
        if self._lines[column.label] == row.place:
            text = f"this entry asks for the case '{column.label}' twice"
        # An entry given twice repeats all its cases; one of them says enough.
        self._problems.add(row.place, text, final=True)
