"""Builds the `Plan` of a spec file: reads, checks and resolves it, and says everything that is wrong at once."""

from __future__ import annotations

import datetime
import os
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from pytest_robust.errors import RobustError
from pytest_robust.spec import language, limits
from pytest_robust.spec.aggregates import aggregate_drafts
from pytest_robust.spec.attack_limits import check_sizes
from pytest_robust.spec.cells import cell_plans
from pytest_robust.spec.check import Item, Reader
from pytest_robust.spec.dataset import Folder, dataset_plan
from pytest_robust.spec.loader import load
from pytest_robust.spec.models import ModelSection, candidate_paths
from pytest_robust.spec.pixel_range import canvas_side
from pytest_robust.spec.plan import AggregatePlan, DatasetPlan, Gate, Plan, aggregate_id
from pytest_robust.spec.problems import Problems, did_you_mean
from pytest_robust.spec.profiles import cells_of_profile, exclusions
from pytest_robust.spec.rows import check_goldens, excuses, threshold_rows, waiver_rows
from pytest_robust.spec.scope import Rules
from pytest_robust.spec.select import Matrix
from pytest_robust.spec.shifts import ShiftSection
from pytest_robust.spec.sources import Sources
from pytest_robust.spec.types import NAME, PATTERNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_robust.spec.catalog import Catalog
    from pytest_robust.spec.plan import CellPlan, ModelPlan
    from pytest_robust.spec.rows import ThresholdRow, WaiverRow
    from pytest_robust.spec.scope import Draft, Member
    from pytest_robust.spec.types import Level

_NO_CANDIDATES: Mapping[str, Path] = MappingProxyType({})
Named = Literal["profile", "model"]
_SINGLE_VALUES = ("format", "seed", "scores", "golden")


class AbsentError(RobustError):
    """A valid spec lacks what it was asked for by name; another spec of the run may have it.

    Attributes:
        absent: by kind and name a sentence.
    """

    def __init__(self, absent: Mapping[tuple[Named, str], str]) -> None:
        self.absent = absent
        super().__init__("\n".join(absent.values()))


def load_plan(
    path: Path,
    catalog: Catalog,
    *,
    display: str | None = None,
    profile: str | None = None,
    candidates: Mapping[str, Path] = _NO_CANDIDATES,
    golden: Path | None = None,
    today: datetime.date | None = None,
) -> Plan:
    """Read a spec file into a plan. Opens no other file and reads no environment variable.

    Args:
        path: the spec.
        catalog: the suites that the spec may use.
        display: how messages name the file; its path unless given.
        profile: name of the profile to apply.
        candidates: files to judge in place of a model's own, by model name; relative to the current folder.
        golden: replaces the spec's golden folder; relative to the current folder.
        today: the day to judge waivers by; the local date unless given.

    Returns:
        The plan: cells model by model, each model's clean cell first.

    Raises:
        SpecError: all problems of the file, in its order.
        AbsentError: `profile` or a name in `candidates` is not in the spec.
    """
    file = display if display is not None else str(path)
    problems = Problems(file)
    root, digest = load(path, problems)
    reader, folder = Reader(root, problems), Folder(path.absolute().parent, problems)
    _check_keys(reader)
    profiles = {item.name: item for item in reader.table("profiles", limits.ProfileSpec)}
    _check_names("profile", list(profiles.values()), problems)
    chosen = profiles.get(profile) if profile is not None else None
    spec = _check(reader, catalog, folder, chosen.value if chosen else None, candidates, golden, today)
    kept = {name: cells_of_profile(item, spec.matrix, problems) for name, item in profiles.items()}
    problems.stop()
    absent: dict[tuple[Named, str], str] = {}
    if profile is not None and chosen is None:
        hint = did_you_mean(profile, profiles) if profiles else ", nor any other: name some under `profiles:`"
        absent["profile", profile] = f"{file} has no profile '{profile}'{hint}"
    for name in candidates:
        if name not in spec.matrix.models:
            hint = did_you_mean(name, spec.matrix.models)
            absent["model", name] = f"{file} has no model '{name}' to put a candidate in place of{hint}"
    if absent:
        raise AbsentError(absent)
    if chosen is None:
        return spec.plan(path, digest, spec.matrix.cells, None, None)
    return spec.plan(path, digest, kept[chosen.name], chosen.name, chosen.value)


@dataclass(frozen=True, slots=True)
class _Checked:
    """A spec that was checked section by section; it makes a plan if no problem was noted."""

    seed: int
    scored: bool
    models: Sequence[ModelPlan]
    matrix: Matrix
    thresholds: Sequence[ThresholdRow]
    aggregates: Sequence[Draft]
    waivers: Sequence[WaiverRow]
    gate: limits.GateSpec
    golden: Path | None
    anchor: str | None
    golden_named: bool

    def plan(
        self, path: Path, digest: str, cells: Sequence[set[int]], name: str | None, profile: limits.ProfileSpec | None
    ) -> Plan:
        """Make these cells, and the aggregates that they suffice for, under the profile of this name."""
        waivers = [row for row in self.waivers if not row.aggregates]
        made = cell_plans(self.models, self.matrix, cells, self.thresholds, waivers, self.scored)
        used = set().union(*cells)
        level = profile.level if profile else None
        kept = [(draft, self._aggregate(draft, made, level)) for draft in self.aggregates]
        gate = self.gate.model_dump() | (profile.gate.model_dump(exclude_unset=True) if profile else {})
        return Plan(
            path=path,
            name=re.sub(r"(\.robust)?(\.ya?ml)?$", "", path.name, count=1),
            sha256=digest,
            seed=self.seed,
            models=tuple(self.models),
            shifts=tuple(shift for column, shift in enumerate(self.matrix.columns) if column in used),
            cells=tuple(made.values()),
            aggregates=tuple(aggregate for _, aggregate in kept if aggregate is not None),
            dropped=tuple(aggregate_id(draft.models, draft.name) for draft, aggregate in kept if aggregate is None),
            gate=Gate(**gate),
            golden=self.golden,
            anchor=self.anchor,
            owner=path.name if self.golden_named else _owner(path, self.golden),
            thresholds=tuple(row.threshold for row in self.thresholds),
            profile=name,
        )

    def _aggregate(self, draft: Draft, made: Mapping[Member, CellPlan], level: Level | None) -> AggregatePlan | None:
        """The aggregate over the cells that were made; None if a profile took what it needs.

        A comparison of two models is fair on any cells that both have; mCE and a trend are other numbers on fewer.
        """
        members: Sequence[Member] = draft.members
        if any(member not in made for member in members):
            models = {model for model, _ in members}
            shared = {column for _, column in members if all((model, column) in made for model in models)}
            if draft.kind not in ("compare", "error_reduction") or shared <= self.matrix.clean:
                return None
            members = [(model, column) for model, column in members if column in shared]
        return AggregatePlan(
            name=draft.name,
            kind=draft.kind,
            models=draft.models,
            members=tuple(made[member] for member in members),
            mark=draft.mark,
            options=draft.options,
            limits=draft.limits,
            level=level or draft.level,
            waiver=next((row.waiver for row in self.waivers if excuses(row, draft, self.matrix)), None),
            against=draft.against,
            expect=draft.expect,
        )


def _check(
    reader: Reader,
    catalog: Catalog,
    folder: Folder,
    profile: limits.ProfileSpec | None,
    candidates: Mapping[str, Path],
    golden: Path | None,
    today: datetime.date | None,
) -> _Checked:
    """Check all sections; what is wrong in one is noted, and the others go on without it."""
    problems = folder.problems
    head = reader.keys(language.Head, _SINGLE_VALUES)
    seed = head.seed if head else 0
    data = reader.one("dataset", language.DatasetSpec)
    dataset = dataset_plan(data, folder, seed, profile) or DatasetPlan("folder", problems.mark(data.at), seed=seed)
    geometry = data.value.geometry.model_dump(exclude_unset=True) if data.value else {}
    items = _models(reader)
    models = ModelSection(items, geometry, candidate_paths(candidates, items, folder), folder).plans()

    sources = Sources({item.name for item in items}, models)
    columns = ShiftSection(catalog, folder, dataset, profile, sources).columns(reader.rows("shifts"))
    matrix = Matrix([item.name for item in items], columns.shifts, columns.known, columns.complete)
    for selection in exclusions(reader.listed("exclude", limits.Where), matrix, problems):
        matrix.remove(selection, matrix.cells)
    geometries = {model.name: model.geometry for model in models}
    check_sizes(matrix, geometries, problems)

    rows = reader.listed("thresholds", limits.ThresholdSpec)
    place = _golden(reader, head)
    # Where the single values are wrong, nobody knows whether `golden` was meant to be there.
    has_golden = head is None or golden is not None or place is not None
    if head is not None:
        check_goldens(rows, place, folder=has_golden, problems=problems)
    rules = Rules(
        matrix,
        geometries,
        dataset,
        has_golden,
        problems,
        anchor=head is None or (place is not None and place.anchor is not None),
        scored=head is None or head.scores,
    )
    aggregates = aggregate_drafts(rules, reader.rows("aggregates"))
    waivers = reader.listed("waivers", limits.WaiverSpec)
    golden_named = golden is not None
    if golden is None and place is not None:
        golden = folder.base / place.path
    return _Checked(
        seed=seed,
        scored=head.scores if head else False,
        models=models,
        matrix=matrix,
        thresholds=threshold_rows(
            rows,
            matrix,
            problems,
            profile.level if profile else None,
            {name: canvas_side(dataset, geometry) for name, geometry in geometries.items()},
        ),
        aggregates=aggregates,
        waivers=waiver_rows(waivers, matrix, aggregates, problems, today or datetime.date.today()),
        gate=reader.one("gate", limits.GateSpec).value or limits.GateSpec(),
        golden=golden.absolute() if golden else None,
        anchor=place.anchor if place else None,
        golden_named=golden_named,
    )


def _owner(path: Path, golden: Path | None) -> str:
    if golden is None:
        return path.name
    try:
        return os.path.relpath(path.absolute(), golden).replace(os.sep, "/")
    except ValueError:  # another drive than the golden folder's
        return path.name


def _check_keys(reader: Reader) -> None:
    """Refuse unknown sections, and a later language at once: its other keys cannot be judged."""
    node, known = reader.root.get("format"), language.Spec.model_fields
    if node and isinstance(node.value, int) and node.value > language.FORMAT:
        reader.problems.fail(
            node.place,
            f"format {node.value} is newer than this pytest-robust, which reads format {language.FORMAT}; upgrade it",
        )
    for key, place in reader.root.keys.items():
        if key not in known:
            reader.problems.add(place, f"unknown key '{key}'{did_you_mean(key, known)}")


def _check_names(
    what: str, items: Sequence[Item[language.ModelSpec]] | Sequence[Item[limits.ProfileSpec]], problems: Problems
) -> None:
    for item in items:
        if not re.fullmatch(NAME, item.name):
            problems.add(item.at, f"the {what} '{item.name}' needs {PATTERNS[NAME]}")


def _models(reader: Reader) -> list[Item[language.ModelSpec]]:
    items = reader.table("models", language.ModelSpec)
    _check_names("model", items, reader.problems)
    node = reader.root.get("models")
    if node is None:
        reader.problems.add(reader.root.place, "the key 'models' is missing; name at least one model")
    elif node.value == {}:
        reader.problems.add(node.place, "`models` is empty; name at least one model")
    return items


def _golden(reader: Reader, head: language.Head | None) -> limits.GoldenSpec | None:
    if head is None or head.golden is None:
        return None
    node = reader.root.get("golden") or reader.root
    golden = limits.GoldenSpec(path=head.golden) if isinstance(head.golden, str) else head.golden
    path = node.get("path") or node
    # The folder decides what is collected as unused or missing, before any run could fill in a variable.
    if "${" in golden.path or "\0" in golden.path:
        reader.problems.add(
            path.place, "the golden folder is a plain path; to choose it per machine use --robust-golden"
        )
    return golden
