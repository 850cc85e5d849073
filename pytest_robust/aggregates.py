"""Aggregates: values over several cells, from the predictions of their members, held against the spec's limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pytest_robust.aggregate_kinds import KINDS, Measured, Results, Value, paired
from pytest_robust.errors import RobustError
from pytest_robust.report.record import aggregate_record
from pytest_robust.verdict import Held, Verdict, against_golden, split
from pytest_robust.verdict.wording import no_golden

if TYPE_CHECKING:
    from pytest_robust.spec.plan import AggregatePlan, CellPlan, Gate

__all__ = ["Circumstances", "Results", "judge_aggregate"]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What beside the numbers decides about an aggregate.

    Attributes:
        gate: how verdicts are reached.
        family: declared golden tests of the model.
        smoke: measured on fewer samples than the spec declares; nothing is judged then.
        accepts: what this run's update puts up with: that there is no golden (``new``), or also that the value is
            worse than the golden's (``all``).
    """

    gate: Gate
    family: int = 1
    smoke: bool = False
    accepts: Literal["all", "new"] | None = None


Golden = Callable[["CellPlan"], Results | str]
"""The golden's results of a cell, in the order of the cell's samples, or why there are none to compare with."""


def judge_aggregate(
    spec: str,
    plan: AggregatePlan,
    measure: Callable[[CellPlan], Results],
    golden: Golden,
    given: Circumstances,
) -> dict[str, Any]:
    """Judge one aggregate.

    Args:
        spec: how the spec is named in ids.
        plan: what was asked.
        measure: a member's results; raises RobustError where it could not be measured.
        golden: the golden's results of a member, or why there are none.
        given: what else decides.

    Returns:
        Plain values: ``record``, ``headline``, ``text``, ``fails`` and the rest of an item's report.
    """
    value, held, notes = None, [], []
    try:
        measured = {cell.id: measure(cell) for cell in plan.members}
        found = KINDS[plan.kind](plan, measured, given.gate.alpha)
        value, held, notes = found.value, list(found.held), list(found.notes)
        if given.smoke:
            held = [Held(Verdict.PASS, _plain(found))]
            notes.append(f"SMOKE: {', '.join(plan.limits)} not judged")
        elif "max_regression" in plan.limits:
            held.append(_against_golden(plan, found, measured, golden, given))
    except (RobustError, ValueError) as error:
        held = [Held(Verdict.ERROR, str(error))]
    held.sort(key=lambda one: one.verdict.rank)
    verdict = held[0].verdict
    failing = [one for one in held if one.verdict.rank < Verdict.INCONCLUSIVE.rank]
    headline = "; ".join(one.sentence for one in failing or held if failing or one.verdict is verdict)
    level = "block" if verdict is Verdict.ERROR else plan.level
    reasons = [*(one.sentence for one in held), *notes]
    record = aggregate_record(spec, plan, value, str(verdict), level, reasons)
    rest = [line for line in reasons if line not in headline]
    return {
        "kind": "aggregate",
        "id": record["id"],
        "spec": spec,
        "record": record,
        "headline": headline,
        "text": "\n  ".join([headline, f"spec      {plan.mark}", f"members   {len(plan.members)} cells", *rest]),
        "fails": level == "block" and _fails(verdict, given.gate),
        "waiver": plan.waiver.reason if plan.waiver else None,
        "accepted": False,
    }


def _fails(verdict: Verdict, gate: Gate) -> bool:
    if verdict is Verdict.INCONCLUSIVE:
        return gate.inconclusive == "fail"
    return verdict.rank < Verdict.INCONCLUSIVE.rank


def _against_golden(
    plan: AggregatePlan, found: Value, measured: Measured, golden: Golden, given: Circumstances
) -> Held:
    """Hold the rise over the golden against `max_regression`, or say why it cannot be."""
    model = plan.models[0]
    cells = [cell for cell in plan.members if cell.model.name == model]
    goldens = {cell.id: golden(cell) for cell in cells}
    before = {name: one for name, one in goldens.items() if not isinstance(one, str)}
    missing = next((one for one in goldens.values() if isinstance(one, str)), None)
    if missing is not None:
        accepted = given.accepts is not None
        return Held(Verdict.UPDATED if accepted else Verdict.NO_GOLDEN, no_golden("latest", missing))
    weights = found.weights({name: one.error for name, one in before.items()}) if found.weights else None
    if weights is None or found.value is None:
        return Held(Verdict.INCONCLUSIVE, f"the change of {found.label} since the golden is undefined")
    images = split([paired(measured[name], one, weights[name]) for name, one in before.items()])
    firm = None
    if any(one.near_tie is not None for one in before.values()):
        firm = split([paired(measured[name], one, weights[name], firm=True) for name, one in before.items()])
    limit = plan.limits["max_regression"]
    held = against_golden(found.label, found.value, images, firm, limit, family=given.family, gate=given.gate)
    if held.verdict in (Verdict.REGRESSED, Verdict.INCONCLUSIVE) and given.accepts == "all":
        return Held(Verdict.UPDATED, held.sentence)
    return held


def _plain(found: Value) -> str:
    return f"{found.label} " + ("is undefined" if found.value is None else f"{found.value:.4f}")
