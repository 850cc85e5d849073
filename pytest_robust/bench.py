"""Where an item is measured and judged: the engine, the goldens and the verdict brought together.

One bench per process. It knows no pytest; what it returns is plain and travels on pytest's report.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from pytest_robust.aggregates import Circumstances, Results, judge_aggregate
from pytest_robust.comparing import Goldens, gets_worse
from pytest_robust.engine.clever import clever_of
from pytest_robust.engine.drawn import with_draws
from pytest_robust.engine.store import MeasurementError
from pytest_robust.errors import RobustError
from pytest_robust.metrics.attacked import AttackSummary, summary
from pytest_robust.report.attacked import attack_record
from pytest_robust.report.commands import repeated, typed
from pytest_robust.report.failure import failure_text, worst_classes
from pytest_robust.report.planned import profile_refusal
from pytest_robust.report.record import cell_record
from pytest_robust.same_samples import is_part, places
from pytest_robust.spec.attack_limits import source_of
from pytest_robust.verdict import (
    AttackEvidence,
    Evidence,
    Judgement,
    Role,
    Verdict,
    excused,
    fails,
    judge,
    updated,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_robust.engine.cache import Cache
    from pytest_robust.measurement import Measurement, Samples
    from pytest_robust.settings import Settings
    from pytest_robust.spec.plan import AggregatePlan, CellPlan, Plan


class Source(Protocol):
    """Where measurements come from: the engine, or a report of an earlier run."""

    def measure(self, cell: CellPlan, spec: str) -> Measurement:
        """The measurement of one cell; RobustError where there is none."""

    def samples(self, measurement: Measurement) -> Samples:
        """The samples that the arrays of a measurement follow."""

    def close(self) -> None:
        """Release what is held."""


class Bench:
    """Measures and judges the items of one process.

    Args:
        settings: the run's options.
        engine: gives measurements.
        plans: what `planned` says of every spec that was collected, whether or not an item of it was selected.
        passes: gives the passes that this process has made since it was asked last.
        cache: where scores are kept that an aggregate computes.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Source,
        plans: Sequence[Mapping[str, Any]] = (),
        passes: Callable[[], Sequence[str]] = tuple,
        cache: Cache | None = None,
    ) -> None:
        self.settings = settings
        self.engine = engine
        self._plans = list(plans)
        self._goldens = Goldens(settings, {plan["spec"]: profile_refusal(plan["spec"], plan) for plan in plans})
        self._passes = passes
        self._cache = cache
        self._samples_sent: set[str] = set()

    def close(self) -> None:
        """Release the sessions."""
        self.engine.close()

    def judge_cell(self, plan: Plan, spec: str, cell: CellPlan) -> dict[str, Any]:
        """Measure one cell and judge it by its own evidence."""
        try:
            measurement = self.engine.measure(cell, spec)
            samples = self.engine.samples(measurement)
            measurement = with_draws(measurement, cell.shift, plan.seed, samples)
            clean = self._clean(spec, plan, cell, samples)
            against = self._goldens.against(plan, cell, measurement, samples)
        except RobustError as error:
            return self._failed(plan, spec, cell, error)
        attack, source = _attack(cell, measurement, samples)
        evidence = Evidence(
            n=measurement.n,
            correct=measurement.correct,
            clean=clean,
            goldens=against.evidence,
            missing=against.missing,
            family=plan.family[cell.model.name],
            smoke=self.settings.smoke,
            attack=None
            if attack is None
            else AttackEvidence(attack.success.attacked, attack.success.successes, attack.means, attack.transfer),
        )
        judgement = judge(evidence, cell.thresholds, plan.gate)
        latest = against.matches.get("latest")
        worse = latest is not None and gets_worse(judgement, latest, measurement)
        judged = judgement
        if accepted := self._goldens.accepts(plan, spec, cell, judgement, latest, measurement, worse):
            judgement = updated(judgement, evidence)
        told = None if attack is None else attack_record(source, attack)
        record = cell_record(spec, cell, judgement, measurement, samples, against.evidence.get("latest"), told)
        record["reasons"] += measurement.notes
        report = self._report(plan, spec, cell, judgement, record)
        report["accepted"] = accepted
        report["worse"] = worse
        report["judged"] = {
            "verdict": str(judged.verdict),
            "level": judged.level,
            "headline": judged.headline,
            "fails": fails(judged, plan.gate),
            "expected": excused(judged, plan.gate),
        }
        report["lacks_latest"] = any(
            found.verdict is Verdict.NO_GOLDEN and found.subject == "latest" for found in judgement.findings
        )
        report["stale_golden"] = self._goldens.is_stale(plan, cell, measurement)
        worst = []
        if latest is not None:
            classes = (cell.shift.main or cell.shift.dataset).classes
            names = classes if isinstance(classes, tuple) else None
            worst = worst_classes(samples.labels, latest.cell.predicted, measurement.predicted, names)
        report["text"] = failure_text(
            judgement.headline,
            cell,
            record,
            measurement.provenance,
            worst,
            latest.changed if latest else (),
            latest.recording.model_sha256 if latest else None,
            update_helps=not fails(updated(judged, evidence), plan.gate),
            **self._commands(plan, spec),
        )
        report["measurement"] = measurement.to_plain()
        if samples.digest not in self._samples_sent:
            self._samples_sent.add(samples.digest)
            report["samples"] = samples.to_plain()
        return report

    def judge_aggregate(self, plan: Plan, spec: str, aggregate: AggregatePlan) -> dict[str, Any]:
        """Measure what an aggregate stands on and judge its value."""

        def results(cell: CellPlan) -> Results:
            measurement = self.engine.measure(cell, spec)
            made, samples = measurement.provenance, self.engine.samples(measurement)
            scores = None
            if aggregate.kind == "clever":
                scores = clever_of(cell, plan.seed, aggregate.options, measurement, samples, self.settings, self._cache)
            return Results(
                samples,
                measurement.predicted,
                scores=measurement.scores,
                groups=measurement.groups,
                attacked=measurement.attacked,
                clever=scores,
                origin=f"{made.device} ({made.device_class}), onnxruntime {made.onnxruntime}",
            )

        unusable: dict[Role, bool] = {}

        def golden(cell: CellPlan, role: Role) -> Results | str:
            measurement = self.engine.measure(cell, spec)
            samples = self.engine.samples(measurement)
            against = self._goldens.against(plan, cell, measurement, samples)
            match = against.matches.get(role)
            if match is None:
                unusable[role] = unusable.get(role, False) or self._goldens.is_stale(plan, cell, measurement)
                return against.missing.get(role, "a smoke run compares with none")
            noisy = against.evidence[role].firm is not None
            recording, origin = match.recording, match.cell.origin
            reason = f": {origin.reason}" if origin.reason else ""
            recorded = f"recorded {origin.date} on {recording.device_class}{reason}"
            return Results(
                samples,
                match.cell.predicted,
                measurement.near_tie if noisy else None,
                origin=f"{cell.model.name} {recorded}   sha256 {recording.model_sha256[:12]}",
            )

        settings, commands = self.settings, self._commands(plan, spec)
        writes = settings.update is not None and plan.golden is not None and not self._goldens.refusal(spec)
        explained = settings.update == "all" and settings.reason is not None
        given = Circumstances(
            gate=plan.gate,
            family=max(plan.family[model] for model in aggregate.models),
            smoke=settings.smoke,
            accepts=("all" if explained else "new") if writes else None,
            **commands,
        )
        report = judge_aggregate(spec, aggregate, results, golden, given)
        report["lacks_latest"] = "latest" in unusable and not given.accepts
        report["stale_golden"] = unusable.get("latest", False)
        if given.accepts:
            judged = judge_aggregate(spec, aggregate, results, golden, replace(given, accepts=None))
            report["accepted"] = judged["record"]["verdict"] != report["record"]["verdict"]
            report["judged"] = {name: judged["record"][name] for name in ("verdict", "level")}
            report["judged"] |= {name: judged[name] for name in ("headline", "fails", "expected")}
        return report

    def attach_plans(self, report: dict[str, Any]) -> dict[str, Any]:
        """Send along what the controller must know of this process: its passes, and with its first report the specs."""
        report["passes"] = list(self._passes())
        if self._plans:
            report["plans"], self._plans = self._plans, []
        return report

    @staticmethod
    def properties(report: Mapping[str, Any]) -> list[tuple[str, object]]:
        """Flat scalars for JUnit."""
        record = report["record"]
        names = ("model", "suite", "shift", "severity", "n", "correct", "accuracy", "value", "verdict")
        found: list[tuple[str, object]] = [
            (f"robust.{name}", record[name]) for name in names if record.get(name) is not None
        ]
        if record.get("golden"):
            found.append(("robust.golden", record["golden"]["accuracy"]))
        if report.get("measurement"):
            found.append(("robust.device", report["measurement"]["provenance"]["device"]))
        return found

    def _clean(self, spec: str, plan: Plan, cell: CellPlan, samples: Samples) -> tuple[int, int] | None:
        """Correct and n of clean over the samples of the cell; None where no row limits the drop."""
        if cell.shift.suite == "clean" or all(row.max_drop is None for row in cell.thresholds):
            return None
        whole = plan.cell[cell.model.name, "clean"]
        clean = self.engine.measure(whole, spec)
        if not is_part(cell.shift, whole.shift):
            return clean.correct, clean.n
        at = places(samples, self.engine.samples(clean))
        return int((clean.predicted[at] == samples.labels).sum()), len(at)

    def _failed(self, plan: Plan, spec: str, cell: CellPlan, error: RobustError) -> dict[str, Any]:
        judgement = judge(Evidence(0, 0, error=str(error), smoke=self.settings.smoke), cell.thresholds, plan.gate)
        record = cell_record(spec, cell, judgement)
        report = self._report(plan, spec, cell, judgement, record)
        trace = error.traceback if isinstance(error, MeasurementError) else None
        report["text"] = failure_text(
            judgement.headline, cell, record, None, worst=(), traceback=trace, **self._commands(plan, spec)
        )
        return report

    def _report(
        self, plan: Plan, spec: str, cell: CellPlan, judgement: Judgement, record: dict[str, Any]
    ) -> dict[str, Any]:
        # what could not be measured cannot be excused: nobody has seen how bad it is
        waiver = cell.waiver if judgement.verdict is not Verdict.ERROR else None
        return {
            "kind": "cell",
            "id": record["id"],
            "spec": spec,
            "model": cell.model.name,
            "key": cell.key,
            "record": record,
            "fails": fails(judgement, plan.gate),
            "headline": judgement.headline,
            "waiver": f"{waiver.reason}, {waiver.owner}, until {waiver.until}" if waiver else None,
            "expected": excused(judgement, plan.gate),
            "accepted": False,
            "worse": False,
        }

    def _commands(self, plan: Plan, spec: str) -> dict[str, Any]:
        """What the commands in a failure's text need to know of the run."""
        return {
            "options": repeated(self.settings, [model.name for model in plan.models], plan.profile),
            "path": typed(plan.path, self.settings.here),
            "refusal": self._goldens.refusals.get(spec),
        }


def _attack(cell: CellPlan, measurement: Measurement, samples: Samples) -> tuple[AttackSummary | None, str]:
    """What an attack came to, and on which model; the source is the plan's, for a model may be renamed."""
    model, attacked = cell.model.name, measurement.attacked
    source = source_of(cell.shift, model) or model
    if attacked is None or not measurement.n:
        return None, source
    return summary(attacked, measurement.predicted, samples.labels, transfer=source != model), source
