"""Checks the rows of `thresholds` and `waivers` and ties them to the cells that they select."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_robust.spec.attack_limits import check_attacks, check_distortions
from pytest_robust.spec.check import validate
from pytest_robust.spec.limits import LIMITS, MinDistortion, WaiverWhere, Where
from pytest_robust.spec.match_limits import check_matches
from pytest_robust.spec.plan import Threshold, Waiver
from pytest_robust.spec.problems import NO_ANCHOR, NO_GOLDEN_FOLDER, Problems, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import BaseModel

    from pytest_robust.spec.check import Item
    from pytest_robust.spec.limits import GoldenSpec, ThresholdSpec, WaiverSpec
    from pytest_robust.spec.loader import Node
    from pytest_robust.spec.plan import Level
    from pytest_robust.spec.scope import Draft
    from pytest_robust.spec.select import Matrix, Selection


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """A threshold and the cells that it applies to."""

    threshold: Threshold
    selection: Selection


@dataclass(frozen=True, slots=True)
class WaiverRow:
    """A waiver and the cells, or the aggregates of these names, that it applies to."""

    waiver: Waiver
    selection: Selection
    aggregates: frozenset[str]


def threshold_rows(
    items: Sequence[Item[ThresholdSpec]],
    matrix: Matrix,
    problems: Problems,
    level: Level | None,
    sides: Mapping[str, int | None],
) -> list[ThresholdRow]:
    """Resolve all rows, in the order of the file.

    Args:
        items: the validated rows.
        matrix: the spec's cells.
        problems: takes rows that limit nothing or select nothing.
        level: replaces the level of every row, as a profile may ask.
        sides: by model the side of its square canvases in pixels; None where the images decide.
    """
    found = []
    for item in items:
        spec = item.value
        if spec is None:
            _check_where(item, Where, matrix, problems)
            continue
        limits: dict[str, Any] = {key: _limit(getattr(spec, key)) for key in LIMITS if getattr(spec, key) is not None}
        if not limits:
            problems.add(item.at, f"this row sets no limit; give one of {', '.join(LIMITS)}")
            continue
        if limits.get("min_distortion") == ():
            problems.add(item.node.key("min_distortion"), "`min_distortion` names no norm; write it as {l2: 0.5}")
            continue
        if spec.expect is not None:
            check_expect(item.node, _names(limits), spec.level, problems)
        row = Threshold(
            mark=problems.mark(item.at),
            **limits,
            level=level or spec.level,
            against=tuple(dict.fromkeys(spec.against)),
            expect=spec.expect.fails if spec.expect else None,
        )
        if "against" in item.node.keys and not row.needs_golden:
            text = "`against` chooses a golden, and this row sets neither max_regression nor max_negative_flips"
            problems.add(item.node.key("against"), text)
        selection = matrix.choose(spec.where, item.node.get("where") or item.node, problems)
        if selection is None:
            continue
        where = item.node.key("where")
        if not matrix.finds(selection, matrix.cells):
            if matrix.complete:
                problems.add(where, "this row matches no cell; loosen `where` or remove the row")
            continue
        if spec.max_drop is not None and selection.columns <= matrix.clean:
            text = "`max_drop` is a drop from the clean cell, so it says nothing of clean itself; use min_accuracy"
            problems.add(item.node.key("max_drop"), text)
        check_attacks(item, selection, matrix, problems)
        check_distortions(item, selection, matrix, sides, problems)
        found.append((item, ThresholdRow(row, selection)))
    check_matches([(item, row.selection) for item, row in found], matrix, problems)
    return [row for _, row in found]


def check_expect(node: Node, limits: Sequence[str], level: Level, problems: Problems) -> None:
    """Note an `expect` that would leave open what is expected, or that excuses what never fails."""
    place = node.key("expect")
    if len(limits) > 1:
        problems.add(place, f"`expect` speaks of one limit; give {' and '.join(limits)} rows of their own")
    if level == "warn":
        problems.add(place, "`expect` excuses a failure, and a row of level warn never fails; remove one of them")


def _names(limits: Mapping[str, Any]) -> list[str]:
    """The limits by name, a distortion's by its norms."""
    norms = [f"min_distortion.{norm}" for norm, _ in limits.get("min_distortion", ())]
    return [*(key for key in limits if key != "min_distortion"), *norms]


def _limit(value: float | MinDistortion) -> float | tuple[tuple[str, float], ...]:
    return tuple(value.model_dump(exclude_none=True).items()) if isinstance(value, MinDistortion) else value


def check_goldens(
    items: Sequence[Item[ThresholdSpec]], golden: GoldenSpec | None, *, folder: bool, problems: Problems
) -> None:
    """Note thresholds whose golden the spec does not name.

    Args:
        items: the validated rows.
        golden: the spec's `golden`.
        folder: whether a golden folder is known, be it from the command line.
        problems: takes the rows.
    """
    for item in items:
        if item.value is None:
            continue
        if "anchor" in item.value.against and (golden is None or golden.anchor is None):
            problems.add((item.node.get("against") or item.node).place, NO_ANCHOR)
        for key in ("max_regression", "max_negative_flips"):
            if not folder and getattr(item.value, key) is not None:
                problems.add(item.node.key(key), NO_GOLDEN_FOLDER.format(key))


def waiver_rows(
    items: Sequence[Item[WaiverSpec]],
    matrix: Matrix,
    aggregates: Iterable[Draft],
    problems: Problems,
    today: datetime.date,
) -> list[WaiverRow]:
    """Resolve all waivers, in the order of the file.

    Args:
        items: the validated waivers.
        matrix: the spec's cells.
        aggregates: the spec's aggregates.
        problems: takes waivers that have ended or excuse nothing, or nothing that those above them do not.
        today: the day to judge `until` by, which is the last day of a waiver.
    """
    drafts, rows = list(aggregates), []
    taken: set[tuple[int, ...]] = set()
    for item in items:
        spec = item.value
        if spec is None:
            _check_where(item, WaiverWhere, matrix, problems)
            continue
        until = (item.node.get("until") or item.node).place
        try:
            ended = datetime.date.fromisoformat(spec.until) < today
        except ValueError:
            problems.add(until, f"'{spec.until}' is no day of the calendar")
            continue
        if ended:
            problems.add(
                until, f"this waiver of {spec.owner} ended on {spec.until}; remove it, or renew it with a reason"
            )
        node = item.node.get("where") or item.node
        if not node.keys:
            problems.add(node.place, "a waiver says what it excuses; give at least one key of `where`")
            continue
        selection = matrix.choose(spec.where, node, problems)
        names = frozenset(spec.where.aggregate)
        if selection is None or not _known_aggregates(item, drafts, matrix, problems):
            continue
        row = WaiverRow(Waiver(problems.mark(item.at), spec.until, spec.owner, spec.reason), selection, names)
        cases = _cases(row, drafts, matrix)
        if not cases:
            if matrix.complete:
                problems.add(item.node.key("where"), "this waiver excuses nothing; loosen `where` or remove the waiver")
            continue
        if cases <= taken:
            problems.add(item.node.key("where"), "the waivers above excuse all that this one does; remove it")
        rows.append(row)
        taken |= cases
    return rows


def _cases(row: WaiverRow, drafts: Sequence[Draft], matrix: Matrix) -> set[tuple[int, ...]]:
    """What a waiver covers: aggregates by position, or cells by model and column."""
    if row.aggregates:
        return {(position,) for position, draft in enumerate(drafts) if excuses(row, draft, matrix)}
    chosen = row.selection
    return {(model, column) for model in chosen.models for column in matrix.cells[model] & chosen.columns}


def _check_where(item: Item[BaseModel], kind: type[Where], matrix: Matrix, problems: Problems) -> None:
    """Look up the names in a row's selector, where the row is wrong otherwise: they may be wrong as well."""
    node = item.node.get("where")
    where = validate(kind, node, node.place, Problems("")) if node else None
    if node and where:
        matrix.choose(where, node, problems)


def _known_aggregates(item: Item[WaiverSpec], drafts: Sequence[Draft], matrix: Matrix, problems: Problems) -> bool:
    where = item.node.get("where") or item.node
    given = where.get("aggregate")
    if item.value is None or given is None:
        return True
    for key in ("suite", "shift", "severity", "entry"):
        if key in where.keys:
            problems.add(where.key(key), f"`{key}` chooses cells, and `aggregate` aggregates; remove one of them")
            return False
    names = [draft.name for draft in drafts]
    unknown = [
        (name, node) for name, node in zip(item.value.where.aggregate, given.rows(), strict=True) if name not in names
    ]
    for name, node in unknown if matrix.complete else ():
        problems.add(node.place, f"no aggregate '{name}' in this spec{did_you_mean(name, names)}")
    return not unknown


def excuses(row: WaiverRow, draft: Draft, matrix: Matrix) -> bool:
    """Whether a waiver covers an aggregate: one of its names, and one of its models."""
    models = {matrix.models[model] for model in row.selection.models}
    return draft.name in row.aggregates and not models.isdisjoint(draft.models)
