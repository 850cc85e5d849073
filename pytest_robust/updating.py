"""How a run changes goldens: what was accepted is written, what the specs no longer define is found and pruned."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pytest_robust.errors import RobustError
from pytest_robust.golden import Entry, propose, prune, read, stored_models, unused, write
from pytest_robust.report.changes import change_lines
from pytest_robust.report.counted import counted
from pytest_robust.report.outcomes import outcome
from pytest_robust.report.planned import profile_refusal
from pytest_robust.settings import Settings, update_refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_robust.measurement import Measurement, Samples


_SHOWN = 3


class _Say(Protocol):
    def __call__(self, text: str, **markup: bool) -> None: ...


class GoldenWriter:
    """Writes the goldens of a finished run, in the one process that may.

    Args:
        settings: the run's options.
        plans: what `planned` says of every spec, by its name in ids.
        reports: of every item that ran, by id; those whose update is refused after all are changed in place.
        samples: by digest.
        say: takes the lines to print.
    """

    def __init__(
        self,
        settings: Settings,
        plans: Mapping[str, dict[str, Any]],
        reports: Mapping[str, dict[str, Any]],
        samples: Mapping[str, Samples],
        say: _Say,
    ) -> None:
        self._settings = settings
        self._plans = plans
        self._reports = reports
        self._samples = samples
        self._say = say
        self.refused: list[str] = []

    def update(self, measurements: dict[str, Measurement], interruption: str | None) -> None:
        """Write what was accepted; what was not is reported as it was judged, with a sentence in `refused`."""
        taken_back = [report for report in self._refuse_unfit(measurements, interruption) if _take_back(report)]
        failing = [report["id"] for report in taken_back if outcome(report) == "failed"]
        if failing:
            some = ", ".join(failing[:_SHOWN]) + ", ..." * (len(failing) > _SHOWN)
            self._say(f"FAILED after all, for its golden was not updated: {some}", red=True)

    def _refuse_unfit(self, measurements: dict[str, Measurement], interruption: str | None) -> Iterator[dict[str, Any]]:
        """Write what may be written, and yield the reports of what may not."""
        refusal = update_refusal(self._settings) or interruption or _fall_back(measurements)
        if refusal:
            self._refuse(f"Goldens not updated: {refusal}")
            yield from self._reports.values()
            return
        for plan in self._plans.values():
            if refusal := profile_refusal(plan["spec"], plan):
                self._refuse(f"Goldens of {plan['spec']} not updated: {refusal}")
                yield from (report for report in self._reports.values() if report["spec"] == plan["spec"])
                continue
            for model, planned in plan["golden_keys"].items():
                reports = [
                    report
                    for report in self._reports.values()
                    if (report["spec"], report.get("model")) == (plan["spec"], model)
                ]
                try:
                    refusals = self._update_model(plan, model, planned, reports, measurements)
                except RobustError as error:
                    refusals = (str(error),)
                for refusal in refusals:
                    self._refuse(f"Golden of {model} not updated: {refusal}")
                if refusals:
                    yield from reports
                    yield from self._aggregates(plan["spec"], model)

    def _aggregates(self, spec: str, model: str) -> Iterator[dict[str, Any]]:
        """What stands on cells of a model."""
        for report in self._reports.values():
            if report["spec"] == spec and report["kind"] == "aggregate" and model in report["record"]["models"]:
                yield report

    def _refuse(self, sentence: str) -> None:
        self.refused.append(sentence)
        self._say(sentence, red=True)

    def _update_model(
        self,
        plan: dict[str, Any],
        model: str,
        planned: list[str],
        reports: list[dict[str, Any]],
        measurements: dict[str, Measurement],
    ) -> tuple[str, ...]:
        """Write one model's golden; the reasons if it is refused."""
        if not reports:
            return ()
        if plan["golden"] is None:
            return (f"{plan['spec']} names no golden folder; add `golden: PATH`",)
        folder = Path(plan["golden"])
        # one that cannot be read made an ERROR of every cell, and is to be told of instead
        golden = read(folder, model, spec=plan["name"])
        errors = [report["key"] for report in reports if report["record"]["verdict"] == "ERROR"]
        if errors:
            some = ", ".join(errors[:3]) + ", ..." * (len(errors) > 3)
            return (f"{counted(len(errors), 'cell')} could not be measured ({some}); mend that first",)
        entries = {}
        for report in reports:
            measurement = measurements[report["id"]]
            entries[report["key"]] = Entry(measurement, self._samples[measurement.samples], report["worse"])
        proposal = propose(
            golden,
            spec=plan["name"],
            model=model,
            entries=entries,
            planned=planned,
            mode=self._settings.update or "all",
            reason=self._settings.reason,
            date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        )
        if not proposal.refusals:
            written = write(folder, proposal.golden, expected=golden)
            for line in change_lines(proposal, model, folder, bool(written)):
                self._say(line)
        return proposal.refusals

    def sweep(self, interruption: str | None) -> None:
        """Report goldens that the specs no longer define, and remove them if asked to."""
        refusal = update_refusal(self._settings) or interruption
        if self._settings.prune and refusal:
            self._refuse(f"Goldens not pruned: {refusal}")
            return
        for plan in self._plans.values():
            # of a folder named for a run under a profile nobody knows which other profiles it serves
            if plan["golden"] is None or (plan["profile"] and self._settings.golden):
                continue
            folder = Path(plan["golden"])
            for model in dict.fromkeys((*plan["golden_keys"], *stored_models(folder, plan["name"]))):
                try:
                    self._sweep_model(plan, folder, model)
                except RobustError as error:
                    if self._settings.prune:
                        self._refuse(f"Goldens of {model} not pruned: {error}")

    def _sweep_model(self, plan: dict[str, Any], folder: Path, model: str) -> None:
        golden = read(folder, model, spec=plan["name"])
        planned = plan["golden_keys"].get(model, ())
        left = unused(golden, planned) if golden else ()
        if golden is None or not left:
            return
        some = ", ".join(left[:3]) + ", ..." * (len(left) > 3)
        if self._settings.prune:
            write(folder, prune(golden, planned), expected=golden)
            self._say(f"{counted(len(left), 'unused golden')} of {model} removed: {some}")
        else:
            text = f"{counted(len(left), 'golden')} of {model} unused ({some}); remove with --robust-prune"
            self._say(text, yellow=True)


def _take_back(report: dict[str, Any]) -> bool:
    """Report what was not written after all as it was judged; False for what no update had accepted."""
    if not report["accepted"]:
        return False
    judged = report["judged"]
    report |= {"accepted": False, "headline": judged["headline"], "fails": judged["fails"]}
    report["expected"] = judged["expected"]
    report["record"] |= {"verdict": judged["verdict"], "level": judged["level"]}
    return True


def _fall_back(measurements: dict[str, Measurement]) -> str | None:
    """Why measurements of a machine whose GPU failed may not become goldens."""
    devices = [one.provenance.device for one in measurements.values() if one.provenance.fell_back]
    if not devices:
        return None
    return f"the device fell back: {devices[0]}; mend CUDA, or record for the CPU with --robust-device=cpu"
