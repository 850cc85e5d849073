"""Expands `compare` and `error_reduction` rows: one model against another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_robust.spec.scope import CLEAN_COLUMN

if TYPE_CHECKING:
    from pytest_robust.spec.aggregate_rows import CompareRow, CompareSpec, ErrorReductionRow
    from pytest_robust.spec.loader import Node
    from pytest_robust.spec.plan import AggregateKind, Json
    from pytest_robust.spec.scope import Draft, Rules


def pair_drafts(
    rules: Rules,
    row: CompareRow | ErrorReductionRow,
    what: CompareSpec,
    kind: AggregateKind,
    node: Node,
    at: Node,
) -> list[Draft]:
    """The one aggregate over both models; `compare` takes their clean cells too.

    Args:
        rules: the spec's cells.
        row: the validated row.
        what: its `compare` or `error_reduction`.
        kind: which of the two.
        node: where the row stands.
        at: where `what` stands.

    Returns:
        It, or nothing after a problem, which `rules` then holds.
    """
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
    columns = (CLEAN_COLUMN, *scope.columns) if kind == "compare" else scope.columns
    members = [(model, column) for model in (first, second) for column in columns]
    return [rules.draft(row, node, kind, f"{scope.entry}.{kind}", [first, second], members, options)]
