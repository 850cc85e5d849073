"""Expands the `aggregates` of a spec: one row per kind of value, one aggregate per model or pair of models."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_robust.spec.aggregate_rows import (
    AggregateRow,
    CompareRow,
    ErrorReductionRow,
    GroupMeansRow,
    IceRow,
    MceRow,
    MeanErrorRow,
    MonotoneRow,
    PhaseRelianceRow,
    ScoresRow,
    TrendRow,
    WorstClassRow,
)
from pytest_robust.spec.check import validate
from pytest_robust.spec.clever import clever_drafts
from pytest_robust.spec.ladders import ladder_drafts
from pytest_robust.spec.mce import mce_drafts
from pytest_robust.spec.means import mean_drafts
from pytest_robust.spec.pairs import pair_drafts
from pytest_robust.spec.problems import NO_ANCHOR, NO_GOLDEN_FOLDER, did_you_mean, show
from pytest_robust.spec.rows import check_expect
from pytest_robust.spec.scope import LIMITS
from pytest_robust.spec.studies import pareto_drafts, transfer_drafts
from pytest_robust.spec.study_rows import CleverRow, ParetoRow, TransferRow, UniquenessRow
from pytest_robust.spec.uniqueness import uniqueness_drafts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_robust.spec.loader import Node
    from pytest_robust.spec.plan import AggregateKind
    from pytest_robust.spec.scope import Draft, Rules

_ROWS: dict[AggregateKind, type[AggregateRow]] = {
    "mce": MceRow,
    "mean_error": MeanErrorRow,
    "ice": IceRow,
    "group_means": GroupMeansRow,
    "trend": TrendRow,
    "monotone": MonotoneRow,
    "worst_class": WorstClassRow,
    "phase_reliance": PhaseRelianceRow,
    "scores": ScoresRow,
    "compare": CompareRow,
    "error_reduction": ErrorReductionRow,
    "uniqueness": UniquenessRow,
    "transfer": TransferRow,
    "pareto": ParetoRow,
    "clever": CleverRow,
}
_ANY_KIND = f"{', '.join(list(_ROWS)[:-1])} and {list(_ROWS)[-1]}"

_NO_REGRESSION = {
    "scores": "goldens keep the predicted classes and no probabilities; limit the value itself by `max`",
    "transfer": "goldens do not keep which images were attacked; limit the rate itself by `max`",
    "pareto": "goldens do not keep distortions; limit the fit itself by `min_r2`",
    "clever": "goldens do not keep slopes; limit the score itself by `min_clever`",
}
"""Why a kind takes no `max_regression`."""

_REPORTED = ("monotone", "transfer", "pareto", "clever")
"""Kinds that say something without a limit."""


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
    if kind in _NO_REGRESSION and "max_regression" in node.keys:
        place = node.key("max_regression")
        rules.problems.add(place, f"`{kind}` takes no max_regression: {_NO_REGRESSION[kind]}")
        return []
    row: AggregateRow | None = validate(_ROWS[kind], node, node.place, rules.problems)
    if row is None:
        return []
    if kind not in _REPORTED and all(getattr(row, key) is None for key in LIMITS[kind]):
        rules.problems.add(node.place, f"this row sets no limit; give {' or '.join(LIMITS[kind])}")
        return []
    if row.expect is not None:
        limits = [key for key in (*LIMITS[kind], "on_frontier") if getattr(row, key, None) is not None]
        if not limits and kind != "monotone":
            rules.problems.add(node.key("expect"), "`expect` speaks of a limit, and this row sets none; remove it")
            return []
        check_expect(node, ["allowance", *limits] if kind == "monotone" else limits, row.level, rules.problems)
    _check_golden(rules, node, "anchor" in getattr(row, "against", ()))
    return _drafts(rules, row, kind, node)


def _check_golden(rules: Rules, node: Node, anchor: bool) -> None:
    """Note goldens that the spec does not name, and a choice of goldens that nothing is held against."""
    limited = "max_regression" in node.keys
    if limited and not rules.golden:
        rules.problems.add(node.key("max_regression"), NO_GOLDEN_FOLDER.format("max_regression"))
    if anchor and not rules.anchor:
        rules.problems.add((node.get("against") or node).place, NO_ANCHOR)
    if "against" in node.keys and not limited:
        text = "`against` chooses a golden, and this row does not set max_regression"
        rules.problems.add(node.key("against"), text)


def _drafts(rules: Rules, row: AggregateRow, kind: AggregateKind, node: Node) -> list[Draft]:
    at = node.get(kind) or node
    if isinstance(row, MceRow):
        return mce_drafts(rules, row, node, at)
    if isinstance(row, TrendRow):
        return ladder_drafts(rules, row, row.trend, kind, node, at)
    if isinstance(row, MonotoneRow):
        allowance = {"allowance": row.monotone.allowance}
        drafts = ladder_drafts(rules, row, row.monotone, kind, node, at)
        return [replace(draft, limits={**allowance, **draft.limits}) for draft in drafts]
    if isinstance(row, CompareRow | ErrorReductionRow):
        what = row.compare if isinstance(row, CompareRow) else row.error_reduction
        return pair_drafts(rules, row, what, kind, node, at)
    if isinstance(row, TransferRow):
        return transfer_drafts(rules, row, node, at)
    if isinstance(row, ParetoRow):
        return pareto_drafts(rules, row, node, at)
    if isinstance(row, CleverRow):
        return clever_drafts(rules, row, node, at)
    if isinstance(row, UniquenessRow):
        return uniqueness_drafts(rules, row, node, at)
    return mean_drafts(rules, row, getattr(row, kind), kind, node, at)
