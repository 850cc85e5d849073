"""Expands the `aggregates` of a spec: one row per kind of value, one aggregate per model or pair of models."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_robust.spec.check import validate
from pytest_robust.spec.limits import CompareRow, IceRow, MceRow, MeanErrorRow, MonotoneRow, TrendRow, WorstClassRow
from pytest_robust.spec.mce import mce_drafts
from pytest_robust.spec.means import mean_drafts
from pytest_robust.spec.problems import did_you_mean, show
from pytest_robust.spec.scope import CLEAN_COLUMN, LIMITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_robust.spec.limits import TrendSpec
    from pytest_robust.spec.loader import Node
    from pytest_robust.spec.plan import AggregateKind, Json
    from pytest_robust.spec.scope import Draft, Rules, Scope

FEWEST = {"trend": 3, "monotone": 2}
"""Severities that a correlation, or an order, needs to say anything."""

_AnyRow = MceRow | MeanErrorRow | IceRow | TrendRow | MonotoneRow | WorstClassRow | CompareRow
_ROWS: dict[AggregateKind, type[_AnyRow]] = {
    "mce": MceRow,
    "mean_error": MeanErrorRow,
    "ice": IceRow,
    "trend": TrendRow,
    "monotone": MonotoneRow,
    "worst_class": WorstClassRow,
    "compare": CompareRow,
}
_ANY_KIND = f"{', '.join(list(_ROWS)[:-1])} and {list(_ROWS)[-1]}"


def aggregate_drafts(rules: Rules, rows: Sequence[Node]) -> list[Draft]:
    """Expand all rows; what is wrong with one is noted and the others go on.

    Args:
        rules: the spec's cells.
        rows: the elements of `aggregates`.

    Returns:
        The aggregates in the order of the file, with names that are unique per owner.
    """
    if not rows:
        return []
    cases = {column.label: column.mark.line for column in rules.matrix.columns}
    taken: dict[tuple[str, str], int] = {}
    drafts = []
    for row in rows:
        made = _expand(rules, row)
        for draft in made:
            line = taken.get((draft.owner, draft.name), cases.get(draft.name))
            if line is not None:
                text = f"the name '{draft.name}' is already used by line {line}; give this row a `name:` of its own"
                rules.problems.add(row.place, text, final=True)
        taken |= {(draft.owner, draft.name): row.place[0] for draft in made}
        drafts += made
    return drafts


def _expand(rules: Rules, node: Node) -> list[Draft]:
    kinds = [kind for kind in _ROWS if kind in node.keys]
    if len(kinds) != 1:
        hints = (did_you_mean(key, _ROWS) for key in node.keys)
        near = next((hint for hint in hints if "did you mean" in hint), "")
        found = " and ".join(kinds) or ("none of them" if isinstance(node.value, dict) else show(node.plain()))
        rules.problems.add(node.place, f"a row of `aggregates` has one of {_ANY_KIND}, not {found}{near}")
        return []
    kind = kinds[0]
    row: _AnyRow | None = validate(_ROWS[kind], node, node.place, rules.problems)
    if row is None:
        return []
    if LIMITS[kind] and all(getattr(row, key) is None for key in LIMITS[kind]):
        rules.problems.add(node.place, f"this row sets no limit; give {' or '.join(LIMITS[kind])}")
        return []
    at = node.get(kind) or node
    if isinstance(row, MceRow):
        return mce_drafts(rules, row, node, at)
    if isinstance(row, TrendRow):
        return _ladder(rules, row, row.trend, "trend", node, at)
    if isinstance(row, MonotoneRow):
        drafts = _ladder(rules, row, row.monotone, "monotone", node, at)
        return [replace(draft, limits={"allowance": row.monotone.allowance}) for draft in drafts]
    return _compare(rules, row, node, at) if isinstance(row, CompareRow) else mean_drafts(rules, row, node, at)


def _ladder(
    rules: Rules, row: TrendRow | MonotoneRow, what: TrendSpec, kind: AggregateKind, node: Node, at: Node
) -> list[Draft]:
    """One aggregate per model over clean and the severities of one shift."""
    scope = rules.scope(what.suite, what.entry, at)
    shift = None if scope is None else _one_shift(rules, what, scope, at)
    if scope is None or shift is None:
        return []
    numbers = {
        column: severity
        for column in scope.columns
        if rules.matrix.columns[column].shift == shift
        and isinstance(severity := rules.matrix.columns[column].severity, (int, float))
    }
    if len(numbers) < FEWEST[kind]:
        rules.problems.add(
            at.place,
            f"{kind} needs at least {FEWEST[kind]} severities that are numbers;"
            f" '{scope.entry}.{shift}' has {len(numbers)}",
        )
        return []
    columns = (CLEAN_COLUMN, *numbers)
    models = rules.models(what.model, at, list(numbers))
    if not rules.have(models, columns, at):
        return []
    options: dict[str, Json] = {"suite": what.suite, "entry": scope.entry, "shift": shift}
    if not what.model:
        options["left_out"] = [name for model, name in enumerate(rules.matrix.models) if model not in models]
    name = f"{scope.entry}.{shift}.{kind}"
    return [rules.draft(row, node, kind, name, [m], [(m, column) for column in columns], options) for m in models]


def _one_shift(rules: Rules, what: TrendSpec, scope: Scope, at: Node) -> str | None:
    if what.mode and what.shift:
        rules.problems.add(at.key("mode"), "`mode` and `shift` mean the same; remove one")
        return None
    shifts = list(dict.fromkeys(rules.matrix.columns[column].shift for column in scope.columns))
    wanted = what.mode or what.shift
    if wanted in shifts:
        return wanted
    if wanted is None and len(shifts) == 1:
        return shifts[0]
    if wanted is None:
        text = f"'{scope.entry}' has several shifts ({', '.join(shifts)}); choose one by `shift:`"
        rules.problems.add(at.place, text)
    elif rules.matrix.complete:
        place = at.get("mode") or at.get("shift") or at
        rules.problems.add(place.place, f"no shift '{wanted}' in '{scope.entry}'{did_you_mean(wanted, shifts)}")
    return None


def _compare(rules: Rules, row: CompareRow, node: Node, at: Node) -> list[Draft]:
    what = row.compare
    scope = rules.scope(what.suite, what.entry, at)
    first = rules.model(what.model, at.get("model") or at)
    second = rules.model(what.against, at.get("against") or at)
    if scope is None or first is None or second is None:
        return []
    if first == second:
        rules.problems.add(
            (at.get("against") or at).place, f"'{what.model}' is compared with itself; name another model"
        )
        return []
    if not rules.have((first, second), scope.columns, at):
        return []
    options: dict[str, Json] = {
        "suite": what.suite,
        "entry": scope.entry,
        "model": what.model,
        "against": what.against,
        "same_geometry": rules.geometry.get(what.model) == rules.geometry.get(what.against),
    }
    members = [(model, column) for model in (first, second) for column in (CLEAN_COLUMN, *scope.columns)]
    return [rules.draft(row, node, "compare", f"{scope.entry}.compare", [first, second], members, options)]
