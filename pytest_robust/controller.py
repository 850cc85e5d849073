"""The one process that sees every report: it writes goldens and reports, and says what the run amounts to."""

from __future__ import annotations

import datetime
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_robust.errors import RobustError
from pytest_robust.golden import Entry, propose, prune, read, unused, write
from pytest_robust.measurement import Measurement, Samples
from pytest_robust.report.markdown import markdown
from pytest_robust.report.structure import replace, structure, write_json
from pytest_robust.report.table import rows
from pytest_robust.report.terminal import draw
from pytest_robust.settings import Settings, ci_variable, update_refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHOWN = 10
_NOTED = ("INCONCLUSIVE", "IMPROVED")


def header(config: pytest.Config, specs: int) -> str:
    """The line of pytest's header that says what the run will do."""
    settings = Settings.from_config(config)
    parts = [f"{specs} spec{'s' * (specs != 1)}", f"device {settings.device}"]
    if settings.profile:
        parts.append(f"profile {settings.profile}")
    if settings.smoke:
        parts.append(f"SMOKE: {settings.limit} images")
    parts += [f"candidate {name} = {path}" for name, path in settings.candidates.items()]
    if settings.update:
        refusal = update_refusal(settings)
        parts.append(f"update refused: {refusal}" if refusal else f"update {settings.update}")
    elif variable := ci_variable():
        parts.append(f"update off ({variable} is set)")
    return f"robust: {', '.join(parts)}"


class Controller:
    """Gathers what cells report, and ends the run."""

    def __init__(self, config: pytest.Config) -> None:
        self.settings = Settings.from_config(config)
        self._reports: dict[str, dict[str, Any]] = {}
        self._plans: dict[str, dict[str, Any]] = {}
        self._samples: dict[str, Samples] = {}
        self._started = datetime.datetime.now(datetime.UTC)
        self._clock = time.monotonic()
        self._lines: list[tuple[str, dict[str, bool]]] = []
        self._structure: dict[str, Any] = {}

    def add(self, report: dict[str, Any]) -> None:
        """Keep one item's report; what a process sends but once comes with its first."""
        if plan := report.pop("plan", None):
            self._plans.setdefault(plan["spec"], plan)
        if samples := report.pop("samples", None):
            self._samples.setdefault(samples["digest"], Samples.from_plain(samples))
        self._reports[report["id"]] = report

    def finish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write goldens and reports, then fail a run that may not count as a pass."""
        measurements = {
            name: Measurement.from_plain(report["measurement"])
            for name, report in self._reports.items()
            if report.get("measurement")
        }
        self._structure = structure(
            started=self._started.isoformat(timespec="seconds"),
            duration_s=time.monotonic() - self._clock,
            smoke=self.settings.smoke,
            plans=list(self._plans.values()),
            cells=[report["record"] for report in self._reports.values() if report["kind"] == "cell"],
            aggregates=[report["record"] for report in self._reports.values() if report["kind"] == "aggregate"],
            measurements=measurements,
        )
        failed = False
        if self.settings.update:
            failed |= not self._update(measurements, _interruption(session, exitstatus))
        failed |= not self._sweep()
        failed |= not self._write_reports(measurements)
        not_run = self._structure["run"]["not_run"]
        if not_run:
            planned = self._structure["run"]["planned"]
            fails = self.settings.incomplete == "fail"
            failed |= fails
            self._say(f"Gate INCOMPLETE: {len(not_run)} of {len(planned)} not run", red=fails, yellow=not fails)
        if failed and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def summarise(self, reporter: pytest.TerminalReporter) -> None:
        """Print the table, then every line that needs attention."""
        reporter.section("robust", sep="-")
        table = rows(self._structure["cells"], self._failed())
        if table:
            reporter.write_line(draw(table, reporter._tw.fullwidth, reporter._tw.hasmarkup))
        if self.settings.smoke:
            reporter.write_line(f"SMOKE: {self.settings.limit} images; this run proves nothing", yellow=True)
        for text in self._notes():
            reporter.write_line(text, yellow=True)
        for text, markup in self._lines:
            reporter.write_line(text, **markup)

    def _say(self, text: str, **markup: bool) -> None:
        self._lines.append((text, markup))

    def _failed(self) -> list[str]:
        return [name for name, report in self._reports.items() if report["fails"] and not report["waiver"]]

    def _notes(self) -> Iterator[str]:
        """Lines on cells that passed and still want to be looked at, and one line on all missing goldens."""
        for report in self._reports.values():
            record = report["record"]
            warned = record["level"] == "warn" and record["verdict"] != "PASS"
            if not report["fails"] and (warned or record["verdict"] in _NOTED):
                yield f"{record['verdict']} {report['id']}: {report['headline']}"
        missing = [name for name, report in self._reports.items() if report["record"]["verdict"] == "NO_GOLDEN"]
        if missing:
            specs = " ".join(f"--robust-spec={spec}" for spec in dict.fromkeys(name.split("::")[0] for name in missing))
            yield (
                f"{len(missing)} case{'s' * (len(missing) != 1)} without a comparable golden; record with: "
                f"pytest {specs} --robust-update-new"
            )

    def _update(self, measurements: dict[str, Measurement], interruption: str | None) -> bool:
        """Write what was accepted; False if anything was refused."""
        refusal = update_refusal(self.settings) or interruption or _fall_back(measurements)
        if refusal:
            self._say(f"Goldens not updated: {refusal}", red=True)
            return False
        done = True
        for plan in self._plans.values():
            for model, planned in plan["keys"].items():
                try:
                    done &= self._update_model(plan, model, planned, measurements)
                except RobustError as error:
                    self._say(f"Golden of {model} not updated: {error}", red=True)
                    done = False
        return done

    def _update_model(
        self, plan: dict[str, Any], model: str, planned: list[str], measurements: dict[str, Measurement]
    ) -> bool:
        entries = {}
        for report in self._reports.values():
            if (report["spec"], report.get("model")) == (plan["spec"], model) and report["id"] in measurements:
                measurement = measurements[report["id"]]
                entries[report["key"]] = Entry(measurement, self._samples[measurement.samples])
        if not entries:
            return True
        if plan["golden"] is None:
            self._say(f"Goldens not updated: {plan['spec']} names no golden folder; add `golden: PATH`", red=True)
            return False
        folder = Path(plan["golden"])
        golden = read(folder, model, spec=plan["name"])
        proposal = propose(
            golden,
            spec=plan["name"],
            model=model,
            entries=entries,
            planned=planned,
            mode=self.settings.update or "all",
            reason=self.settings.reason,
            date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        )
        for refusal in proposal.refusals:
            self._say(f"Golden of {model} not updated: {refusal}", red=True)
        if proposal.refusals:
            return False
        written = write(folder, proposal.golden, expected=golden)
        changes = [change for change in proposal.changes if change.kind != "="]
        same = len(proposal.changes) - len(changes)
        for change in changes[:_SHOWN]:
            values = [f"{100 * value:.2f}" for value in (change.old_accuracy, change.new_accuracy) if value is not None]
            self._say(f"  {change.kind} {model}::{change.key}   {' -> '.join(values)}")
        if len(changes) > _SHOWN:
            self._say(f"  ... and {len(changes) - _SHOWN} more")
        for note in proposal.notes:
            self._say(f"  {note}")
        if written:
            self._say(
                f"Golden of {model} updated: {len(changes)} changed, {same} unchanged; review with git diff {folder}"
            )
        else:
            self._say(f"Golden of {model} is up to date: {same} cells unchanged")
        return True

    def _sweep(self) -> bool:
        """Report goldens that the spec no longer defines, and remove them if asked to."""
        done = True
        for plan in self._plans.values():
            # a profile may leave out cells that the spec still defines
            if plan["golden"] is None or self.settings.profile:
                continue
            for model, planned in plan["keys"].items():
                try:
                    golden = read(Path(plan["golden"]), model, spec=plan["name"])
                    left = unused(golden, planned) if golden else ()
                    if golden is None or not left:
                        continue
                    if self.settings.prune and not update_refusal(self.settings):
                        write(Path(plan["golden"]), prune(golden, planned), expected=golden)
                        self._say(f"{len(left)} unused goldens of {model} removed: {', '.join(left[:_SHOWN])}")
                    else:
                        self._say(
                            f"{len(left)} golden{'s' * (len(left) != 1)} of {model} unused ({', '.join(left[:3])}"
                            f"{', ...' * (len(left) > 3)}); remove with --robust-prune",
                            yellow=True,
                        )
                except RobustError as error:
                    if self.settings.prune:
                        self._say(f"Goldens of {model} not pruned: {error}", red=True)
                        done = False
        return done

    def _write_reports(self, measurements: dict[str, Measurement]) -> bool:
        done = True
        for path in self.settings.reports:
            try:
                if path.suffix == ".json":
                    write_json(path, self._structure, measurements, self._samples)
                else:
                    failed = self._failed()
                    headlines = {name: report["headline"] for name, report in self._reports.items()}
                    table = rows(self._structure["cells"], failed)
                    replace(path, markdown(self._structure, table, headlines, failed).encode())
                self._say(f"Report written to {_shown(path)}")
            except RobustError as error:
                self._say(str(error), red=True)
                done = False
        return done


def _fall_back(measurements: dict[str, Measurement]) -> str | None:
    """Why measurements of a machine whose GPU failed may not become goldens."""
    devices = [one.provenance.device for one in measurements.values() if one.provenance.fell_back]
    if not devices:
        return None
    return f"the device fell back: {devices[0]}; mend CUDA, or record for the CPU with --robust-device=cpu"


def _shown(path: Path) -> str:
    """A path as the user would type it."""
    full = os.path.normpath(path)
    near = os.path.relpath(full)
    return full if near.startswith("..") else near


def _interruption(session: pytest.Session, exitstatus: int) -> str | None:
    """Why a run that ended early may not write goldens."""
    if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        return "the run was interrupted or broke off; run it again"
    if session.shouldstop or session.shouldfail:
        return "the run was stopped early; run it again without -x or --maxfail"
    return None
