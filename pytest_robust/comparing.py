"""What measurements are compared with, and whether an update takes them: the goldens as the bench sees them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_robust.golden import Comparable, GoldenFile, find, read
from pytest_robust.report.commands import typed
from pytest_robust.settings import Settings, update_refusal
from pytest_robust.verdict import GoldenEvidence, Judgement, Role, Verdict, compare

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_robust.measurement import Measurement, Samples
    from pytest_robust.spec.plan import CellPlan, Plan


@dataclass(frozen=True, slots=True)
class Against:
    """What a measurement was compared with: evidence and match by role, and why a role has none."""

    evidence: Mapping[Role, GoldenEvidence]
    missing: Mapping[Role, str]
    matches: Mapping[Role, Comparable]


class Goldens:
    """The goldens of the specs of one process, each read once.

    Args:
        settings: the run's options.
        refusals: by spec why its profile may not write goldens; None where it may.
    """

    def __init__(self, settings: Settings, refusals: Mapping[str, str | None]) -> None:
        self.settings = settings
        self.refusals = refusals
        self._read: dict[tuple[str, Path, str], GoldenFile | None] = {}

    def _golden(self, owner: str, folder: Path, model: str) -> GoldenFile | None:
        key = owner, folder, model
        if key not in self._read:
            self._read[key] = read(folder, model, spec=owner)
        return self._read[key]

    def against(self, plan: Plan, cell: CellPlan, measurement: Measurement, samples: Samples) -> Against:
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
            golden = self._golden(plan.owner, folder, cell.model.name)
            if role == "anchor" and golden is None:
                missing[role] = self._no_anchor(folder, cell.model.name)
                continue
            found = find(golden, cell.key, measurement, samples, any_device=plan.gate.golden_device == "any")
            if isinstance(found, Comparable):
                matches[role] = found
                evidence[role] = _evidence(role, found, measurement, samples)
            else:
                frozen = "; no update changes an anchor: judge this case against [latest] alone, or freeze a newer one"
                missing[role] = found.reason + frozen * (role == "anchor")
        return Against(evidence, missing, matches)

    def _no_anchor(self, folder: Path, model: str) -> str:
        """That a release was never frozen, and how to freeze what the golden is now."""
        here, latest = typed(folder, self.settings.here), typed(folder.parent, self.settings.here)
        copy = f"cp {shlex.quote(latest)}/{model}.* {shlex.quote(here)}/"
        return (
            f"no anchor {folder.name} of {model} in {here}; freeze the present golden with: "
            f"mkdir -p {shlex.quote(here)} && {copy}"
        )

    def is_stale(self, plan: Plan, cell: CellPlan, measurement: Measurement) -> bool:
        """Whether `--robust-update-new` would find the latest golden taken: by this cell, or by another model file."""
        if plan.golden is None or self.settings.smoke:
            return False
        golden = self._golden(plan.owner, plan.golden, cell.model.name)
        made = measurement.provenance
        recording = golden.recordings.get(made.device_class) if golden else None
        return recording is not None and (cell.key in recording.cells or recording.model_sha256 != made.model_sha256)

    def accepts(
        self,
        plan: Plan,
        spec: str,
        cell: CellPlan,
        judgement: Judgement,
        latest: Comparable | None,
        measurement: Measurement,
        worse: bool,
    ) -> bool:
        """Whether this run's update takes the cell: a plain regression needs a reason, an ERROR is never taken."""
        if not self.settings.update or self.refusal(spec) or plan.golden is None:
            return False
        if judgement.verdict is Verdict.ERROR:
            return False
        if latest is None:
            return self.settings.update == "all" or not self.is_stale(plan, cell, measurement)
        changed = bool((latest.cell.predicted != measurement.predicted).any())
        return self.settings.update == "all" and changed and (not worse or self.settings.reason is not None)

    def refusal(self, spec: str) -> str | None:
        """Why this run may not write the goldens of a spec, whatever it measures."""
        return update_refusal(self.settings) or self.refusals.get(spec)


def gets_worse(judgement: Judgement, latest: Comparable, measurement: Measurement) -> bool:
    """Whether the golden would get worse: fewer right, or what the gate calls a regression or too many flips."""
    bad = (Verdict.REGRESSED, Verdict.TOO_MANY_FLIPS)
    return measurement.correct < latest.cell.correct or any(
        finding.verdict in bad and finding.subject == "latest" for finding in judgement.findings
    )


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
