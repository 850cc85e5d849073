"""One cell or aggregate as the JSON report holds it: plain values, the one structure all reports are drawn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_robust.metrics.calibration import ece, mean_brier, mean_nll, rmsce, top5_accuracy

if TYPE_CHECKING:
    from pytest_robust.measurement import Measurement, Samples
    from pytest_robust.spec.plan import AggregatePlan, CellPlan
    from pytest_robust.verdict import GoldenEvidence, Judgement


def cell_record(
    spec: str,
    cell: CellPlan,
    judgement: Judgement,
    measurement: Measurement | None = None,
    samples: Samples | None = None,
    golden: GoldenEvidence | None = None,
    attack: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The report's entry for a cell; fields of an unmeasured one are None."""
    flips = golden.flips if golden else None
    weights = measurement.enhancer_weights if measurement else None
    return {
        "id": f"{spec}::{cell.id}",
        "spec": spec,
        "model": cell.model.name,
        "model_sha256": measurement.provenance.model_sha256 if measurement else None,
        "suite": cell.shift.suite,
        "shift": cell.shift.shift,
        "severity": cell.shift.severity,
        "parameters": dict(measurement.parameters) if measurement else dict(cell.shift.parameters),
        "shift_version": cell.shift.version,
        "canvas_digest": measurement.canvas_digest if measurement else None,
        "labels_digest": samples.labels_digest if samples else None,
        "generated_or_stored": measurement.source if measurement else None,
        "n": measurement.n if measurement else 0,
        "correct": measurement.correct if measurement else None,
        "accuracy": measurement.accuracy if measurement else None,
        "interval": list(judgement.interval) if measurement else None,
        "clean_drop": judgement.clean_drop,
        "verdict": str(judgement.verdict),
        "level": judgement.level,
        "reasons": list(judgement.reasons),
        "golden": None
        if golden is None
        else {
            "n": golden.n,
            "correct": golden.correct,
            "accuracy": golden.correct / golden.n,
            "device_class": golden.device_class,
            "recorded": golden.recorded,
            "reason": golden.reason,
        },
        "flips": None
        if flips is None
        else {
            "negative": flips.b,
            "positive": flips.c,
            "churn": flips.churn,
            "drop": flips.drop,
            "drop_upper": judgement.drop_upper,
            "p": judgement.p,
            "p_holm": None,
            "mdd": judgement.mdd,
            "proven": judgement.proven,
        },
        "scores": _scores(measurement, samples),
        "attack": attack,
        **({"enhancer_weights": dict(weights)} if weights else {}),
        "near_ties": int(measurement.near_tie.sum()) if measurement else None,
        "cached": measurement.cached if measurement else False,
        "seconds": dict(measurement.seconds) if measurement else None,
    }


def _scores(measurement: Measurement | None, samples: Samples | None) -> dict[str, Any] | None:
    if measurement is None or samples is None or measurement.scores is None:
        return None
    scores, right = measurement.scores, measurement.predicted == samples.labels
    return {
        "outputs": scores.outputs,
        "top5": top5_accuracy(scores),
        "ece": ece(scores.confidence, right),
        "rmsce": rmsce(scores.confidence, right),
        "nll": mean_nll(scores),
        "brier": mean_brier(scores),
    }


def aggregate_record(
    spec: str, plan: AggregatePlan, value: float | None, verdict: str, level: str, reasons: list[str]
) -> dict[str, Any]:
    """The report's entry for an aggregate."""
    return {
        "id": f"{spec}::{plan.id}",
        "spec": spec,
        "models": list(plan.models),
        "kind": plan.kind,
        "value": value,
        "limit": dict(plan.limits),
        "verdict": verdict,
        "level": level,
        "reasons": reasons,
    }
