"""Rows over all cells of a suite or of named entries, one aggregate per model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_robust.spec.aggregate_rows import GroupMeansSpec, MeanErrorSpec, ScoresSpec
from pytest_robust.spec.problems import did_you_mean
from pytest_robust.spec.scope import CLEAN_COLUMN, Scope
from pytest_robust.spec.shifts import CLEAN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_robust.spec.aggregate_rows import CellsSpec
    from pytest_robust.spec.loader import Node
    from pytest_robust.spec.plan import AggregateKind, Json
    from pytest_robust.spec.scope import Draft, Row, Rules

SWAPS = ("amplitude_swap", "phase_swap")
"""Shifts of `fourier` that mix two samples, whose classes then compete."""

_HIGHEST = {"ece": 1, "rmsce": 1, "top5_error": 1, "brier": 2}


def mean_drafts(rules: Rules, row: Row, what: CellsSpec, kind: AggregateKind, node: Node, at: Node) -> list[Draft]:
    """One aggregate per model.

    Args:
        rules: the spec's cells.
        row: the validated row.
        what: its mapping.
        kind: the mapping's key.
        node: where the row stands.
        at: where `what` stands.

    Returns:
        The aggregates in the order of the models; none after a problem. Models left out though the row names none
        are listed in the options as ``left_out``.
    """
    if isinstance(what, ScoresSpec) and not _scored(rules, row, what, node, at):
        return []
    scope = _scope(rules, what, at, clean=kind == "scores")
    if scope is None:
        return []
    options: dict[str, Json] = {"entry": scope.entry}
    name = f"{scope.entry}.{kind}"
    columns: tuple[int, ...] = scope.columns
    if isinstance(what, MeanErrorSpec) and what.without:
        columns = _remaining(rules, scope, what.without, at)
        options["without"] = list(what.without)
    elif isinstance(what, GroupMeansSpec):
        columns = _chosen(rules, scope, what.shift, at)
        if not _per_value(rules, columns, node):
            return []
    elif isinstance(what, ScoresSpec):
        options["metric"], name = what.metric, f"{scope.entry}.{what.metric}"
    elif kind == "phase_reliance":
        columns = _swapped(rules, scope, at)
    if not columns:
        return []
    models = rules.models(what.model, at, columns)
    if kind in ("ice", "phase_reliance"):
        columns = (CLEAN_COLUMN, *columns)
    if not rules.have(models, columns, at):
        return []
    if not what.model:
        options["left_out"] = rules.left_out(models)
    return [rules.draft(row, node, kind, name, [m], [(m, column) for column in columns], options) for m in models]


def _scored(rules: Rules, row: Row, what: ScoresSpec, node: Node, at: Node) -> bool:
    """Whether the spec keeps probabilities, and the limit can be reached; noted if not."""
    if not rules.scored:
        text = "`scores` needs the models' probabilities; keep them by `scores: true` at the top level"
        rules.problems.add(node.key("scores"), text)
    highest, limit = _HIGHEST.get(what.metric), getattr(row, "max", 0.0)
    if highest is not None and limit > highest:
        place = (node.get("max") or at).place
        rules.problems.add(place, f"`max` of {what.metric} must be between 0 and {highest}, not {limit:g}")
        return False
    return rules.scored


def _scope(rules: Rules, what: CellsSpec, at: Node, *, clean: bool) -> Scope | None:
    """The columns of the suite, or of all named entries together."""
    if clean and what.suite == CLEAN and not what.entry:
        return Scope((CLEAN_COLUMN,), CLEAN)
    if what.entry:
        return _entries(rules, what, at)
    if what.suite is None:
        rules.problems.add(at.place, "this row says neither `suite` nor `entry`; give one")
        return None
    return rules.scope(what.suite, None, at)


def _entries(rules: Rules, what: CellsSpec, at: Node) -> Scope | None:
    matrix, given = rules.matrix, at.get("entry")
    if what.suite is not None and not matrix.check("suite", what.suite, at.get("suite") or at, rules.problems):
        return None
    inside = set(range(1, len(matrix.columns))) if what.suite is None else matrix.columns_of("suite", what.suite)
    known = dict.fromkeys(matrix.columns[column].entry for column in sorted(inside))
    known.pop(CLEAN, None)
    good = True
    for entry, node in zip(what.entry, given.rows() if given else (), strict=True):
        if entry not in known:
            good = False
            if matrix.complete:
                where = f" of the suite '{what.suite}'" if what.suite else " in `shifts`"
                rules.problems.add(node.place, f"no entry '{entry}'{where}{did_you_mean(entry, known)}")
    columns = tuple(column for column in sorted(inside) if matrix.columns[column].entry in what.entry)
    if not good or _twice(rules, columns, given or at):
        return None
    return Scope(columns, "-".join(dict.fromkeys(what.entry)))


def _twice(rules: Rules, columns: Sequence[int], node: Node) -> bool:
    """Whether two entries bring the same images; noted, because a shift counted twice is no mean."""
    seen: dict[object, str] = {}
    for column in columns:
        shift = rules.matrix.columns[column]
        key = (shift.suite, shift.shift, shift.severity, shift.dataset, str(sorted(shift.parameters.items())))
        if key in seen:
            rules.problems.add(
                node.place, f"{seen[key]} and {shift.label} are the same images, and would count twice; keep one"
            )
            return True
        seen[key] = shift.label
    return False


def _known(rules: Rules, scope: Scope, names: Sequence[str], key: str, at: Node) -> bool:
    """Whether the scope has all these shifts; a problem names the closest one if not."""
    having = list(dict.fromkeys(rules.matrix.columns[column].shift for column in scope.columns))
    given, good = at.get(key), True
    for name, node in zip(names, given.rows() if given else (), strict=True):
        if name not in having:
            good = False
            if rules.matrix.complete:
                rules.problems.add(node.place, f"no shift '{name}' in '{scope.entry}'{did_you_mean(name, having)}")
    return good


def _remaining(rules: Rules, scope: Scope, without: Sequence[str], at: Node) -> tuple[int, ...]:
    """The columns without the shifts that the row leaves out; empty after a problem."""
    if not _known(rules, scope, without, "without", at):
        return ()
    rest = tuple(column for column in scope.columns if rules.matrix.columns[column].shift not in without)
    if not rest:
        rules.problems.add((at.get("without") or at).place, f"nothing is left of '{scope.entry}' without these shifts")
    return rest


def _chosen(rules: Rules, scope: Scope, shifts: Sequence[str], at: Node) -> tuple[int, ...]:
    """The columns of the shifts that the row names, or all; empty after a problem."""
    if not _known(rules, scope, shifts, "shift", at):
        return ()
    return tuple(column for column in scope.columns if not shifts or rules.matrix.columns[column].shift in shifts)


def _per_value(rules: Rules, columns: Sequence[int], node: Node) -> bool:
    """Whether every column is one value, where a golden limits the mean; noted if not."""
    if "max_regression" not in node.keys:
        return True
    for column in columns:
        shift = rules.matrix.columns[column]
        values = shift.parameters.get("values")
        if shift.severity is None and isinstance(values, list) and len(values) > 1:
            text = (
                f"`max_regression` needs a case per value, and {shift.label} holds {len(values)} values, whose samples"
                " a golden does not tell apart; give its entry `per: value`"
            )
            rules.problems.add(node.key("max_regression"), text)
            return False
    return True


def _swapped(rules: Rules, scope: Scope, at: Node) -> tuple[int, ...]:
    """The columns in which another sample gives most of the amplitude, or of the phase; empty after a problem."""
    shifts = rules.matrix.columns
    found = tuple(
        column
        for column in scope.columns
        if shifts[column].suite == "fourier"
        and shifts[column].shift in SWAPS
        and isinstance(alpha := shifts[column].severity, (int, float))
        and alpha > 0.5
    )
    if not found and rules.matrix.complete:
        text = f"phase_reliance needs {' or '.join(SWAPS)} of fourier with a share above 0.5; '{scope.entry}' has none"
        rules.problems.add(at.place, text)
    return found
