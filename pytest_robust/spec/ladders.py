"""Expands `trend` and `monotone` rows: one shift at rising severities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_robust.spec.problems import did_you_mean
from pytest_robust.spec.scope import CLEAN_COLUMN

if TYPE_CHECKING:
    from pytest_robust.spec.aggregate_rows import MonotoneRow, TrendRow, TrendSpec
    from pytest_robust.spec.loader import Node
    from pytest_robust.spec.plan import AggregateKind, Json
    from pytest_robust.spec.scope import Draft, Rules, Scope

FEWEST = {"trend": 3, "monotone": 2}
"""Severities that a correlation, or an order, needs to say anything."""

_MULTIPLES = ("scaling", "resolution")
_NO_LADDER = (("si-score", "size"), ("si-score", "rotation"), ("fourier", "phase_swap"))


def strength(suite: str, shift: str, severity: float) -> float | None:
    """How far a severity is from clean, whose strength is 0.

    Args:
        suite: the suite.
        shift: the shift within the suite.
        severity: its severity; of a resolution the multiple of the model's own size.

    Returns:
        log2 of a multiple, negative where images shrink; what a low pass takes away, 1 - radius; else the severity.
        None where the severities do not lead away from clean, because the samples are others.
    """
    if (suite, shift) in _NO_LADDER:
        return None
    if suite in _MULTIPLES:
        return math.log2(severity)
    return 1 - severity if (suite, shift) == ("fourier", "low_pass") else float(severity)


def ladder_drafts(
    rules: Rules, row: TrendRow | MonotoneRow, what: TrendSpec, kind: AggregateKind, node: Node, at: Node
) -> list[Draft]:
    """One aggregate per model over clean and the severities of one shift.

    Args:
        rules: the spec's cells.
        row: the validated row.
        what: its `trend` or `monotone`.
        kind: which of the two.
        node: where the row stands.
        at: where `what` stands.

    Returns:
        The aggregates in the order of the models; none after a problem.
    """
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
    if any(
        strength(what.suite, shift, severity) is None or rules.matrix.columns[column].main is not None
        for column, severity in numbers.items()
    ):
        rules.problems.add(
            at.place,
            f"{kind} needs severities that lead away from clean, and the samples of '{scope.entry}.{shift}' are others"
            " than clean's; limit its cases one by one, or their mean",
        )
        return []
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
        options["left_out"] = rules.left_out(models)
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
