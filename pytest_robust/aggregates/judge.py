"""The judge of one aggregate: its members are measured, its value is found, and its limits are held against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pytest_robust.aggregates.kinds import KINDS
from pytest_robust.aggregates.values import Results, on_one_set, settled
from pytest_robust.errors import RobustError
from pytest_robust.report.failure import aggregate_text
from pytest_robust.report.record import aggregate_record
from pytest_robust.verdict import BREACHED, Held, Role, Verdict, against_golden, held_as_expected
from pytest_robust.verdict.wording import no_golden, points

if TYPE_CHECKING:
    from pytest_robust.aggregates.values import Measured, Value
    from pytest_robust.spec.plan import AggregatePlan, CellPlan, Gate

_WORST = 3


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What beside the numbers decides about an aggregate.

    Attributes:
        gate: how verdicts are reached.
        family: declared golden tests of the model.
        smoke: measured on fewer samples than the spec declares; nothing is judged then.
        accepts: what this run's update puts up with: that there is no golden (``new``), or also that the value is
            worse than the golden's (``all``).
        options: the run's options that commands must repeat.
        path: the spec, as commands name it; as ids do unless given.
        refusal: why an update cannot take what was measured.
    """

    gate: Gate
    family: int = 1
    smoke: bool = False
    accepts: Literal["all", "new"] | None = None
    options: Sequence[str] = ()
    path: str | None = None
    refusal: str | None = None


Golden = Callable[["CellPlan", Role], Results | str]
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
    value, held, notes, details = None, [], [], {}
    stuck = False  # against a frozen anchor, which no update changes
    measured: Measured = {}
    goldens: Measured = {}
    try:
        measured = on_one_set(plan, {cell.id: _measured(cell, measure) for cell in plan.members})
        found = KINDS[plan.kind](plan, measured, given.gate.alpha)
        value, held, notes = found.value, list(found.held), list(found.notes)
        details = dict(found.details)
        if given.smoke:
            held = [Held(Verdict.PASS, _plain(found))]
            limits = [*plan.limits, *(key for key in ("on_frontier",) if key in plan.options)]
            notes += [f"SMOKE: {', '.join(limits)} not judged"] if limits else []
        elif "max_regression" in plan.limits:
            for role in plan.against:
                before = {cell.id: golden(cell, role) for cell in found.cells}
                held.append(_against(plan, found, measured, before, role, given))
                stuck |= role == "anchor" and _fails(held[-1].verdict, given.gate)
                goldens = goldens or {name: one for name, one in before.items() if isinstance(one, Results)}
    except (RobustError, ValueError) as error:
        held = [Held(Verdict.ERROR, str(error))]
    if plan.expect and not given.smoke:
        held = held_as_expected(plan.expect, held)
    held.sort(key=lambda one: one.verdict.rank)
    verdict = held[0].verdict
    failing = [one for one in held if one.verdict.rank < Verdict.INCONCLUSIVE.rank]
    headline = "; ".join(one.sentence for one in failing or held if failing or one.verdict is verdict)
    level = "block" if verdict is Verdict.ERROR else plan.level
    reasons = [*(one.sentence for one in held), *notes]
    record = aggregate_record(spec, plan, value, str(verdict), level, reasons) | details
    waiver = plan.waiver if verdict is not Verdict.ERROR else None
    return {
        "kind": "aggregate",
        "id": record["id"],
        "spec": spec,
        "record": record,
        "headline": headline,
        "text": aggregate_text(
            headline,
            plan,
            record,
            lost=_lost_most(measured, goldens),
            goldens=_origins(goldens),
            devices=_origins(measured),
            options=given.options,
            path=given.path,
            refusal=given.refusal,
            update_helps=not stuck,
        ),
        "fails": level == "block" and _fails(verdict, given.gate),
        "waiver": f"{waiver.reason}, {waiver.owner}, until {waiver.until}" if waiver else None,
        "expected": plan.expect if verdict in BREACHED else None,
        "accepted": False,
    }


def _measured(cell: CellPlan, measure: Callable[[CellPlan], Results]) -> Results:
    """A member's results; the sentence of what could not be measured names it."""
    try:
        return measure(cell)
    except RobustError as error:
        raise RobustError(f"{cell.id}: {error}") from None


def _fails(verdict: Verdict, gate: Gate) -> bool:
    if verdict is Verdict.INCONCLUSIVE:
        return gate.inconclusive == "fail"
    return verdict.rank < Verdict.INCONCLUSIVE.rank


def _against(
    plan: AggregatePlan,
    found: Value,
    measured: Measured,
    goldens: Mapping[str, Results | str],
    role: Role,
    given: Circumstances,
) -> Held:
    """Hold the change since a golden against `max_regression`, or say why it cannot be."""
    before: Measured = {name: one for name, one in goldens.items() if isinstance(one, Results)}
    missing = {name: one for name, one in goldens.items() if isinstance(one, str)}
    if missing:
        accepted = given.accepts is not None and role == "latest"
        return Held(Verdict.UPDATED if accepted else Verdict.NO_GOLDEN, no_golden(role, _why(missing, len(goldens))))
    before = on_one_set(plan, before)
    level = given.gate.alpha / max(1, given.family)
    change = found.since(before, measured, level) if found.since else None
    if change is None or found.value is None:
        which = "anchor golden" if role == "anchor" else "golden"
        return Held(Verdict.INCONCLUSIVE, f"the change of {found.label} since the {which} is undefined")
    firm = None
    if found.since and any(one.near_tie is not None for one in before.values()):
        still = {**measured, **{name: settled(measured[name], one) for name, one in before.items()}}
        firm = found.since(before, still, level)
    held = against_golden(
        found.label,
        found.value,
        change,
        firm,
        plan.limits["max_regression"],
        family=given.family,
        gate=given.gate,
        role=role,
        larger_is_worse=found.larger_is_worse,
    )
    worse = held.verdict in (Verdict.REGRESSED, Verdict.INCONCLUSIVE)
    if worse and given.accepts == "all" and role == "latest":
        return Held(Verdict.UPDATED, held.sentence)
    return held


def _why(missing: Mapping[str, str], of: int) -> str:
    """The reason that all members share, else the first one with its member and how many there are."""
    if len(missing) == of and len(set(missing.values())) == 1:
        return next(iter(missing.values()))
    name, reason = next(iter(missing.items()))
    more = f" ({len(missing)} of {of} cells have none)" if len(missing) > 1 else ""
    return f"{name}: {reason}{more}"


def _lost_most(measured: Measured, goldens: Measured) -> list[str]:
    """The members that lost most accuracy against the golden, as phrases; none if no member lost any."""
    rises = {name: measured[name].error - one.error for name, one in goldens.items()}
    worst = sorted(rises, key=lambda name: -rises[name])[:_WORST]
    return [f"{name} {points(-rises[name])}" for name in worst if rises[name] > 0]


def _origins(results: Measured) -> list[str]:
    return list(dict.fromkeys(one.origin for one in results.values() if one.origin))


def _plain(found: Value) -> str:
    return f"{found.label} " + ("is undefined" if found.value is None else f"{found.value:.4f}")
