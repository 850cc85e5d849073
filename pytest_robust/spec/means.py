"""`mean_error`, `ice` and `worst_class` rows: values over all cells of a suite or of named entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_robust.spec.limits import IceRow, MeanErrorRow, WorstClassRow
from pytest_robust.spec.problems import NO_GOLDEN_FOLDER, did_you_mean
from pytest_robust.spec.scope import CLEAN_COLUMN, Scope
from pytest_robust.spec.shifts import CLEAN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_robust.spec.limits import CellsSpec
    from pytest_robust.spec.loader import Node
    from pytest_robust.spec.plan import AggregateKind, Json
    from pytest_robust.spec.scope import Draft, Rules


def mean_drafts(rules: Rules, row: MeanErrorRow | IceRow | WorstClassRow, node: Node, at: Node) -> list[Draft]:
    """One aggregate per model.

    Args:
        rules: the spec's cells.
        row: the validated row.
        node: where the row stands.
        at: where its `mean_error`, `ice` or `worst_class` stands.

    Returns:
        The aggregates in the order of the models; none after a problem. Models left out though the row names none
        are listed in the options as ``left_out``.
    """
    kind, what = _kind(row)
    if getattr(row, "max_regression", None) is not None and not rules.golden:
        rules.problems.add(node.key("max_regression"), NO_GOLDEN_FOLDER.format("max_regression"))
    scope = _scope(rules, what, at)
    without = list(row.mean_error.without) if isinstance(row, MeanErrorRow) else []
    shifted = () if scope is None else _remaining(rules, scope, without, at)
    if scope is None or not shifted:
        return []
    models = rules.models(what.model, at, shifted)
    columns = (CLEAN_COLUMN, *shifted) if kind == "ice" else shifted
    if not rules.have(models, columns, at):
        return []
    options: dict[str, Json] = {"entry": scope.entry}
    if without:
        options["without"] = list(without)
    if not what.model:
        options["left_out"] = [name for model, name in enumerate(rules.matrix.models) if model not in models]
    name = f"{scope.entry}.{kind}"
    return [rules.draft(row, node, kind, name, [m], [(m, column) for column in columns], options) for m in models]


def _kind(row: MeanErrorRow | IceRow | WorstClassRow) -> tuple[AggregateKind, CellsSpec]:
    if isinstance(row, MeanErrorRow):
        return "mean_error", row.mean_error
    return ("ice", row.ice) if isinstance(row, IceRow) else ("worst_class", row.worst_class)


def _scope(rules: Rules, what: CellsSpec, at: Node) -> Scope | None:
    """The columns of the suite, or of all named entries together."""
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


def _remaining(rules: Rules, scope: Scope, without: Sequence[str], at: Node) -> tuple[int, ...]:
    """The columns without the shifts that the row leaves out; empty after a problem."""
    shifts = rules.matrix.columns
    having = list(dict.fromkeys(shifts[column].shift for column in scope.columns))
    given, good = at.get("without"), True
    for name, node in zip(without, given.rows() if given else (), strict=True):
        if name not in having:
            good = False
            if rules.matrix.complete:
                rules.problems.add(node.place, f"no shift '{name}' in '{scope.entry}'{did_you_mean(name, having)}")
    rest = tuple(column for column in scope.columns if shifts[column].shift not in without)
    if good and not rest:
        rules.problems.add((given or at).place, f"nothing is left of '{scope.entry}' without these shifts")
    return rest if good else ()
