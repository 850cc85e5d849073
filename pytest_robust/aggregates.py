"""Aggregates: values over several cells, pulled from the engine and judged against the spec's limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_robust.errors import RobustError
from pytest_robust.metrics.corruption_error import mean_corruption_error
from pytest_robust.metrics.trend import pearson, spearman, weakest_side
from pytest_robust.report.record import aggregate_record
from pytest_robust.verdict import Verdict

if TYPE_CHECKING:
    from pytest_robust.spec.plan import AggregatePlan, CellPlan

Accuracies = Mapping[str, float]
"""Accuracy in [0, 1] by cell id."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One limit held against its value; `ok` is None where the value is undefined."""

    name: str
    value: float | None
    limit: float
    ok: bool | None
    sentence: str


def judge_aggregate(
    spec: str,
    plan: AggregatePlan,
    accuracy: Callable[[CellPlan], float],
    golden_accuracy: Callable[[CellPlan], float | str],
) -> dict[str, Any]:
    """Judge one aggregate.

    Args:
        spec: how the spec is named in ids.
        plan: what was asked.
        accuracy: a member's measured accuracy; raises RobustError where it could not be measured.
        golden_accuracy: a member's golden accuracy, or why there is none to compare with.

    Returns:
        Plain values: ``record``, ``headline``, ``text``, ``fails`` and the rest of an item's report.
    """
    try:
        measured = {cell.id: accuracy(cell) for cell in plan.members}
        value, findings = _KINDS[plan.kind](plan, measured)
        verdict = _verdict(findings)
        if "max_regression" in plan.limits:
            regression = _regression(plan, value, golden_accuracy)
            findings.append(regression[1])
            verdict = min(verdict, regression[0], key=lambda found: found.rank)
    except (RobustError, ValueError) as error:
        value, findings, verdict = None, [Finding("error", None, 0.0, False, str(error))], Verdict.ERROR
    reasons = [finding.sentence for finding in findings]
    bad = [finding.sentence for finding in findings if finding.ok is not True]
    headline = "; ".join(bad or reasons)
    level = "block" if verdict is Verdict.ERROR else plan.level
    record = aggregate_record(spec, plan, value, str(verdict), level, reasons)
    return {
        "kind": "aggregate",
        "id": record["id"],
        "spec": spec,
        "record": record,
        "headline": headline,
        "text": f"{headline}\n  spec      {plan.mark}\n  members   {len(plan.members)} cells",
        "fails": level == "block" and verdict not in (Verdict.PASS, Verdict.INCONCLUSIVE),
        "waiver": plan.waiver.reason if plan.waiver else None,
        "accepted": False,
    }


def _verdict(findings: list[Finding]) -> Verdict:
    if any(finding.ok is False for finding in findings):
        return Verdict.BELOW_FLOOR
    return Verdict.INCONCLUSIVE if any(finding.ok is None for finding in findings) else Verdict.PASS


def _regression(
    plan: AggregatePlan, value: float | None, golden_accuracy: Callable[[CellPlan], float | str]
) -> tuple[Verdict, Finding]:
    limit = plan.limits["max_regression"]
    goldens = {cell.id: golden_accuracy(cell) for cell in plan.members}
    missing = next((reason for reason in goldens.values() if isinstance(reason, str)), None)
    if missing is not None or value is None:
        return Verdict.NO_GOLDEN, Finding("max_regression", None, limit, False, f"no golden: {missing}")
    before, _ = _KINDS[plan.kind](plan, {name: acc for name, acc in goldens.items() if not isinstance(acc, str)})
    # mCE is an error, worse when it grows; correlations and gains are worse when they fall
    rise = (value - before) * (1 if plan.kind == "mce" else -1) if before is not None else 0.0
    ok = rise <= limit
    sentence = f"{plan.kind} {value:.4f} vs golden {before:.4f} (allowed {limit:.4f} worse)"
    return (Verdict.PASS if ok else Verdict.REGRESSED), Finding("max_regression", rise, limit, ok, sentence)


def _bound(name: str, label: str, value: float | None, limit: float, at_most: bool) -> Finding:
    if value is None:
        return Finding(name, None, limit, None, f"{label} is undefined: the accuracy does not vary")
    ok = value <= limit if at_most else value >= limit
    sign = ("<=" if ok else ">") if at_most else (">=" if ok else "<")
    return Finding(name, value, limit, ok, f"{label} {value:.4f} {sign} {limit:.4f}")


def _mce(plan: AggregatePlan, accuracies: Accuracies) -> tuple[float, list[Finding]]:
    reference = str(plan.options["reference"])

    def errors(model: str) -> dict[tuple[str, int | float], float]:
        return {
            (cell.shift.shift, cell.shift.severity): 1 - accuracies[cell.id]  # type: ignore[misc]  # suites of mce have numbers
            for cell in plan.members
            if cell.model.name == model and cell.shift.suite != "clean"
        }

    theirs = None if reference == "alexnet" else errors(reference)
    value = mean_corruption_error(errors(plan.models[0]), theirs)
    label = f"mCE against {reference}"
    findings = [_bound("max", label, value, plan.limits["max"], at_most=True)] if "max" in plan.limits else []
    return value, findings or [Finding("value", value, 0.0, True, f"{label} {value:.4f}")]


def _trend(plan: AggregatePlan, accuracies: Accuracies) -> tuple[float | None, list[Finding]]:
    clean = next(accuracies[cell.id] for cell in plan.members if cell.shift.suite == "clean")
    ladder = [cell for cell in plan.members if cell.shift.suite != "clean"]
    points = [(float(cell.shift.severity or 0), clean - accuracies[cell.id]) for cell in ladder]
    suite = ladder[0].shift.suite
    values = {
        "spearman": weakest_side(points, suite, spearman),
        "pearson": weakest_side(points, suite, pearson),
    }
    asked = [name for name in values if f"min_{name}" in plan.limits] or ["spearman"]
    findings = [
        _bound(
            f"min_{name}",
            f"{name.title()} correlation of strength and drop",
            values[name],
            limit,
            at_most=False,
        )
        for name in asked
        if (limit := plan.limits.get(f"min_{name}")) is not None
    ]
    return values[asked[0]], findings


def _compare(plan: AggregatePlan, accuracies: Accuracies) -> tuple[float, list[Finding]]:
    ours, theirs = plan.models

    def mean(model: str, clean: bool) -> float:
        values = [
            accuracies[cell.id]
            for cell in plan.members
            if cell.model.name == model and (cell.shift.suite == "clean") is clean
        ]
        return sum(values) / len(values)

    gain = mean(ours, clean=False) - mean(theirs, clean=False)
    loss = mean(theirs, clean=True) - mean(ours, clean=True)
    findings = []
    if "min_gain" in plan.limits:
        findings.append(_bound("min_gain", f"gain over {theirs}", gain, plan.limits["min_gain"], at_most=False))
    if "max_clean_loss" in plan.limits:
        limit = plan.limits["max_clean_loss"]
        findings.append(_bound("max_clean_loss", f"clean loss to {theirs}", loss, limit, at_most=True))
    return gain, findings


_KINDS: Mapping[str, Callable[[AggregatePlan, Accuracies], tuple[float | None, list[Finding]]]] = {
    "mce": _mce,
    "trend": _trend,
    "compare": _compare,
}
