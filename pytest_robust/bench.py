"""Where an item is measured and judged: the engine, the goldens and the verdict brought together.

One bench per process. It knows no pytest; what it returns is plain and travels on pytest's report.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_robust.aggregates import judge_aggregate
from pytest_robust.engine.engine import Engine, Wanted
from pytest_robust.engine.store import MeasurementError, RunStore
from pytest_robust.errors import RobustError
from pytest_robust.golden import Comparable, GoldenFile, find, read
from pytest_robust.report.failure import failure_text, worst_classes
from pytest_robust.report.record import cell_record
from pytest_robust.settings import Settings, update_refusal
from pytest_robust.verdict import (
    Evidence,
    GoldenEvidence,
    Judgement,
    Role,
    Verdict,
    compare,
    fails,
    judge,
    updated,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_robust.measurement import Measurement, Samples
    from pytest_robust.progress import Progress
    from pytest_robust.spec.plan import AggregatePlan, CellPlan, Plan


@dataclass(frozen=True, slots=True)
class _Against:
    """What a measurement was compared with: evidence and match by role, and why a role has none."""

    evidence: Mapping[Role, GoldenEvidence]
    missing: Mapping[Role, str]
    matches: Mapping[Role, Comparable]


class Bench:
    """Measures and judges the items of one process."""

    def __init__(
        self,
        settings: Settings,
        wanted: Iterable[Wanted],
        folder: Path,
        worker: str,
        progress: Progress | None,
    ) -> None:
        self.settings = settings
        self.engine = Engine(wanted, settings, RunStore(folder), worker, progress)
        self._goldens: dict[tuple[Path, str], GoldenFile | None] = {}
        self._plans_sent: set[str] = set()
        self._samples_sent: set[str] = set()

    def close(self) -> None:
        """Release the sessions."""
        self.engine.close()

    def judge_cell(self, plan: Plan, spec: str, cell: CellPlan) -> dict[str, Any]:
        """Measure one cell and judge it by its own evidence."""
        try:
            measurement = self.engine.measure(cell, spec)
            clean = self._clean(spec, plan, cell)
            samples = self.engine.samples(cell)
            against = self._against(plan, cell, measurement, samples)
        except RobustError as error:
            return self._failed(plan, spec, cell, error)
        evidence = Evidence(
            n=measurement.n,
            correct=measurement.correct,
            clean=clean,
            goldens=against.evidence,
            missing=against.missing,
            family=plan.family[cell.model.name],
            smoke=self.settings.smoke,
        )
        judgement = judge(evidence, cell.thresholds, plan.gate)
        latest = against.matches.get("latest")
        if accepted := self._accepts(plan, judgement, latest, measurement):
            judgement = updated(judgement, evidence)
        record = cell_record(spec, cell, judgement, measurement, samples, against.evidence.get("latest"))
        report = self._report(plan, spec, cell, judgement, record)
        report["accepted"] = accepted
        worst = []
        if latest is not None:
            worst = worst_classes(samples.labels, latest.cell.predicted, measurement.predicted, None)
        report["text"] = failure_text(
            judgement.headline,
            cell,
            record,
            measurement.provenance,
            worst,
            latest.changed if latest else (),
            latest.recording.model_sha256 if latest else None,
            self._options(),
        )
        report["measurement"] = measurement.to_plain()
        if samples.digest not in self._samples_sent:
            self._samples_sent.add(samples.digest)
            report["samples"] = samples.to_plain()
        return report

    def judge_aggregate(self, plan: Plan, spec: str, aggregate: AggregatePlan) -> dict[str, Any]:
        """Measure what an aggregate stands on and judge its value."""

        def accuracy(cell: CellPlan) -> float:
            return self.engine.measure(cell, spec).accuracy

        def golden_accuracy(cell: CellPlan) -> float | str:
            measurement = self.engine.measure(cell, spec)
            against = self._against(plan, cell, measurement, self.engine.samples(cell))
            if latest := against.matches.get("latest"):
                return latest.cell.accuracy
            return against.missing.get("latest", "a smoke run compares with none")

        return judge_aggregate(spec, aggregate, accuracy, golden_accuracy)

    def attach_plan(self, plan: Plan, spec: str, report: dict[str, Any]) -> dict[str, Any]:
        """Send what the controller must know of a spec along with this process's first report of it."""
        if spec not in self._plans_sent:
            self._plans_sent.add(spec)
            report["plan"] = {
                "spec": spec,
                "name": plan.name,
                "sha256": plan.sha256,
                "seed": plan.seed,
                "golden": str(plan.golden) if plan.golden else None,
                "planned": [
                    *(f"{spec}::{cell.id}" for cell in plan.cells),
                    *(f"{spec}::{aggregate.id}" for aggregate in plan.aggregates),
                ],
                "keys": {model.name: [cell.key for cell in plan.cells if cell.model is model] for model in plan.models},
                "candidates": {model.name: str(model.path.resolve()) for model in plan.models if model.candidate},
            }
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

    def _clean(self, spec: str, plan: Plan, cell: CellPlan) -> tuple[int, int] | None:
        if cell.shift.suite == "clean" or all(row.max_drop is None for row in cell.thresholds):
            return None
        clean = self.engine.measure(plan.cell[cell.model.name, "clean"], spec)
        return clean.correct, clean.n

    def _golden(self, plan: Plan, folder: Path, model: str) -> GoldenFile | None:
        if (folder, model) not in self._goldens:
            self._goldens[folder, model] = read(folder, model, spec=plan.name)
        return self._goldens[folder, model]

    def _against(self, plan: Plan, cell: CellPlan, measurement: Measurement, samples: Samples) -> _Against:
        """Compare with the latest golden and the anchor.

        Raises:
            RobustError: a golden is damaged.
        """
        evidence: dict[Role, GoldenEvidence] = {}
        missing: dict[Role, str] = {}
        matches: dict[Role, Comparable] = {}
        folders: dict[Role, Path] = {}
        if plan.golden is None:
            missing["latest"] = f"{plan.path.name} names no golden folder; add `golden: PATH`"
        elif not self.settings.smoke:
            folders["latest"] = plan.golden
            if plan.anchor:
                folders["anchor"] = plan.golden / plan.anchor
        for role, folder in folders.items():
            golden = self._golden(plan, folder, cell.model.name)
            found = find(golden, cell.key, measurement, samples, any_device=plan.gate.golden_device == "any")
            if isinstance(found, Comparable):
                matches[role] = found
                evidence[role] = _evidence(role, found, measurement, samples)
            else:
                missing[role] = found.reason
        return _Against(evidence, missing, matches)

    def _accepts(self, plan: Plan, judgement: Judgement, latest: Comparable | None, measurement: Measurement) -> bool:
        """Whether this run's update takes the cell: a plain regression needs a reason, an ERROR is never taken."""
        if not self.settings.update or update_refusal(self.settings) or plan.golden is None:
            return False
        if judgement.verdict is Verdict.ERROR:
            return False
        if latest is None:
            return True
        changed = bool((latest.cell.predicted != measurement.predicted).any())
        explained = measurement.correct >= latest.cell.correct or self.settings.reason is not None
        return self.settings.update == "all" and changed and explained

    def _failed(self, plan: Plan, spec: str, cell: CellPlan, error: RobustError) -> dict[str, Any]:
        judgement = judge(Evidence(0, 0, error=str(error), smoke=self.settings.smoke), cell.thresholds, plan.gate)
        record = cell_record(spec, cell, judgement)
        report = self._report(plan, spec, cell, judgement, record)
        trace = error.traceback if isinstance(error, MeasurementError) else None
        report["text"] = failure_text(
            judgement.headline, cell, record, None, worst=(), options=self._options(), traceback=trace
        )
        return report

    def _report(
        self, plan: Plan, spec: str, cell: CellPlan, judgement: Judgement, record: dict[str, Any]
    ) -> dict[str, Any]:
        waiver = cell.waiver
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
            "accepted": False,
        }

    def _options(self) -> list[str]:
        """Options that a command must repeat to measure the same thing."""
        settings = self.settings
        options = [f"--robust-model={name}={path}" for name, path in settings.candidates.items()]
        if settings.device != "auto":
            options.append(f"--robust-device={settings.device}")
        if settings.profile:
            options.append(f"--robust-profile={settings.profile}")
        return options


def _evidence(role: Role, found: Comparable, measurement: Measurement, samples: Samples) -> GoldenEvidence:
    recording, cell = found.recording, found.cell
    flips = compare(samples.labels, cell.predicted, measurement.predicted)
    here = measurement.provenance
    firm = None
    if (recording.device_class, cell.origin.onnxruntime) != (here.device_class, here.onnxruntime):
        firm = compare(samples.labels, cell.predicted, measurement.predicted, near_tie=measurement.near_tie)
    return GoldenEvidence(
        role=role,
        flips=flips,
        firm=firm,
        n=cell.n,
        correct=cell.correct,
        recorded=cell.origin.date,
        device_class=recording.device_class,
        onnxruntime=cell.origin.onnxruntime,
        reason=cell.origin.reason or "",
    )
