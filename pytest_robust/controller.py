"""The one process that sees every report: it writes goldens and reports, and says what the run amounts to."""

from __future__ import annotations

import datetime
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_robust.errors import RobustError
from pytest_robust.golden import Entry, propose, prune, read, stored_models, unused, write
from pytest_robust.measurement import Measurement, Samples
from pytest_robust.report.changes import change_lines, shown
from pytest_robust.report.github import annotate, append_summary
from pytest_robust.report.markdown import markdown
from pytest_robust.report.structure import replace, structure, write_json
from pytest_robust.report.table import rows
from pytest_robust.report.terminal import draw
from pytest_robust.settings import Settings, ci_variable, update_refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
        self.structure: dict[str, Any] | None = None
        self._root = config.rootpath
        self._plugins = [str(name) for name, plugin in config.pluginmanager.list_name_plugin() if plugin]
        self._reports: dict[str, dict[str, Any]] = {}
        self._plans: dict[str, dict[str, Any]] = {}
        self._samples: dict[str, Samples] = {}
        self._started = datetime.datetime.now(datetime.UTC)
        self._clock = time.monotonic()
        self._lines: list[tuple[str, dict[str, bool]]] = []

    def add(self, report: dict[str, Any]) -> None:
        """Keep one item's report; what a process sends but once comes with its first."""
        for plan in report.pop("plans", ()):
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
        interruption = _interruption(session, exitstatus)
        failed = False
        if self.settings.update:
            failed |= not self._update(measurements, interruption)
        failed |= not self._sweep(interruption)
        self.structure = structure(
            started=self._started.isoformat(timespec="seconds"),
            duration_s=time.monotonic() - self._clock,
            smoke=self.settings.smoke,
            profile=self.settings.profile,
            interrupted=interruption,
            plans=list(self._plans.values()),
            cells=[report["record"] for report in self._reports.values() if report["kind"] == "cell"],
            aggregates=[report["record"] for report in self._reports.values() if report["kind"] == "aggregate"],
            measurements=measurements,
            failed={name: report["headline"] for name, report in self._failed()},
            waived={
                name: f"{report['headline']} (waived: {report['waiver']})"
                for name, report in self._reports.items()
                if report["fails"] and report["waiver"]
            },
        )
        failed |= not self._write_reports(self.structure, measurements)
        not_run = self.structure["run"]["not_run"]
        if not_run:
            planned = self.structure["run"]["planned"]
            fails = self.settings.incomplete == "fail"
            failed |= fails
            self._say(f"Gate INCOMPLETE: {len(not_run)} of {len(planned)} not run", red=fails, yellow=not fails)
        if failed and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def summarise(self, reporter: pytest.TerminalReporter) -> None:
        """Print the table, then every line that needs attention."""
        reporter.section("robust", sep="-")
        table = rows(self.structure["cells"], self.structure["run"]["failed"]) if self.structure else []
        if table:
            reporter.write_line(draw(table, reporter._tw.fullwidth, reporter._tw.hasmarkup))
        if self.settings.smoke:
            reporter.write_line(f"SMOKE: {self.settings.limit} images; this run proves nothing", yellow=True)
        for text in self._notes():
            reporter.write_line(text, yellow=True)
        for text, markup in self._lines:
            reporter.write_line(text, **markup)
        failures = [(report["spec"], report["line"], name, report["headline"]) for name, report in self._failed()]
        for command in annotate(failures, self._root, self._plugins):
            reporter.write_line(command)

    def _say(self, text: str, **markup: bool) -> None:
        self._lines.append((text, markup))

    def _failed(self) -> list[tuple[str, dict[str, Any]]]:
        return [entry for entry in self._reports.items() if entry[1]["fails"] and not entry[1]["waiver"]]

    def _notes(self) -> Iterator[str]:
        """Lines on cells that passed and still want to be looked at, and how to record what has no golden."""
        for report in self._reports.values():
            record = report["record"]
            warned = record["level"] == "warn" and record["verdict"] != "PASS"
            if not report["fails"] and (warned or record["verdict"] in _NOTED):
                yield f"{record['verdict']} {report['id']}: {report['headline']}"
        missing = [report for report in self._reports.values() if report["record"]["verdict"] == "NO_GOLDEN"]
        stale = [report for report in missing if report.get("stale_golden")]
        new = [report for report in missing if not report.get("stale_golden")]
        if new:
            cases = _counted(len(new), "case")
            yield f"{cases} without a comparable golden; record with: pytest {_options(new)} --robust-update-new"
        if stale:
            cases = _counted(len(stale), "case")
            yield (
                f"{cases} whose golden is of other images, parameters or another model file; record anew with: "
                f"pytest {_options(stale)} --robust-update --robust-reason='...'"
            )

    def _update(self, measurements: dict[str, Measurement], interruption: str | None) -> bool:
        """Write what was accepted; False if anything was refused."""
        refusal = update_refusal(self.settings) or interruption or _fall_back(measurements)
        if refusal:
            self._say(f"Goldens not updated: {refusal}", red=True)
            self._take_back(self._reports.values())
            return False
        done = True
        for plan in self._plans.values():
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
                    self._say(f"Golden of {model} not updated: {refusal}", red=True)
                if refusals:
                    self._take_back(reports)
                    done = False
        return done

    @staticmethod
    def _take_back(reports: Iterable[dict[str, Any]]) -> None:
        """What was not written after all is reported as it was judged."""
        for report in reports:
            if report.get("accepted"):
                report["accepted"] = False
                report["headline"] = report["judged"]["headline"]
                report["record"]["verdict"] = report["judged"]["verdict"]

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
        errors = [report["key"] for report in reports if report["record"]["verdict"] == "ERROR"]
        if errors:
            some = ", ".join(errors[:3]) + ", ..." * (len(errors) > 3)
            return (f"{_counted(len(errors), 'cell')} could not be measured ({some}); mend that first",)
        if plan["golden"] is None:
            return (f"{plan['spec']} names no golden folder; add `golden: PATH`",)
        folder = Path(plan["golden"])
        golden = read(folder, model, spec=plan["name"])
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
            mode=self.settings.update or "all",
            reason=self.settings.reason,
            date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        )
        if not proposal.refusals:
            written = write(folder, proposal.golden, expected=golden)
            for line in change_lines(proposal, model, folder, bool(written)):
                self._say(line)
        return proposal.refusals

    def _sweep(self, interruption: str | None) -> bool:
        """Report goldens that the specs no longer define, and remove them if asked to; False if that was refused."""
        refusal = update_refusal(self.settings) or interruption
        if self.settings.prune and refusal:
            self._say(f"Goldens not pruned: {refusal}", red=True)
            return False
        # a profile may leave out cells that the spec still defines
        plans = [plan for plan in self._plans.values() if plan["golden"] and not self.settings.profile]
        done = True
        for plan in plans:
            folder = Path(plan["golden"])
            for model in dict.fromkeys((*plan["keys"], *stored_models(folder, plan["name"]))):
                try:
                    self._sweep_model(plan, folder, model)
                except RobustError as error:
                    if self.settings.prune:
                        self._say(f"Goldens of {model} not pruned: {error}", red=True)
                        done = False
        return done

    def _sweep_model(self, plan: dict[str, Any], folder: Path, model: str) -> None:
        golden = read(folder, model, spec=plan["name"])
        planned = plan["keys"].get(model, ())
        left = unused(golden, planned) if golden else ()
        if golden is None or not left:
            return
        some = ", ".join(left[:3]) + ", ..." * (len(left) > 3)
        if self.settings.prune:
            write(folder, prune(golden, planned), expected=golden)
            self._say(f"{_counted(len(left), 'unused golden')} of {model} removed: {some}")
        else:
            text = f"{_counted(len(left), 'golden')} of {model} unused ({some}); remove with --robust-prune"
            self._say(text, yellow=True)

    def _write_reports(self, report: dict[str, Any], measurements: dict[str, Measurement]) -> bool:
        done = True
        try:
            append_summary(report)
        except RobustError as error:
            self._say(str(error), red=True)
            done = False
        for path in self.settings.reports:
            try:
                if path.suffix == ".json":
                    write_json(path, report, measurements, self._samples)
                else:
                    replace(path, markdown(report).encode())
                self._say(f"Report written to {shown(path)}")
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


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def _options(reports: list[dict[str, Any]]) -> str:
    """The options that name the reports' specs."""
    specs = dict.fromkeys(report["spec"] for report in reports)
    return " ".join(shlex.quote(f"--robust-spec={spec}") for spec in specs)


def _interruption(session: pytest.Session, exitstatus: int) -> str | None:
    """Why a run that ended early may not write goldens."""
    if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        return "the run was interrupted or broke off; run it again"
    if session.shouldstop or session.shouldfail:
        return "the run was stopped early; run it again without -x or --maxfail"
    return None
