"""The one process that sees every report: it writes goldens and reports, and says what the run amounts to."""

from __future__ import annotations

import datetime
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_robust.errors import RobustError
from pytest_robust.measurement import Measurement, Samples
from pytest_robust.report.changes import shown
from pytest_robust.report.commands import quoted, repeated, typed
from pytest_robust.report.counted import counted
from pytest_robust.report.github import annotate, append_summary
from pytest_robust.report.markdown import markdown
from pytest_robust.report.notes import cell_notes, dropped
from pytest_robust.report.outcomes import by_outcome, outcome
from pytest_robust.report.structure import structure, write_json
from pytest_robust.report.table import rows
from pytest_robust.report.terminal import draw, draw_chosen
from pytest_robust.settings import Settings, ci_variable, update_refusal
from pytest_robust.updating import GoldenWriter
from pytest_robust.whole_file import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_NOTED = ("INCONCLUSIVE", "IMPROVED")


def header(config: pytest.Config, specs: int) -> str:
    """The line of pytest's header that says what the run will do."""
    settings = Settings.from_config(config)
    parts = [counted(specs, "spec"), f"device {settings.device}"]
    if settings.engine != "local":
        parts.append(f"engine {settings.engine}")
    if settings.profile:
        parts.append(f"profile {settings.profile}")
    if settings.smoke:
        parts.append(f"SMOKE: at most {counted(settings.limit or 0, 'image')}")
    if settings.shard:
        parts.append(f"shard {settings.shard}")
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
        self._passes: Counter[str] = Counter()
        self._errors: Sequence[str] = ()
        self._started = datetime.datetime.now(datetime.UTC)
        self._clock = time.monotonic()
        self._lines: list[tuple[str, dict[str, bool]]] = []

    def add(self, report: dict[str, Any]) -> None:
        """Keep one item's report; what a process sends but once comes with its first."""
        self.learn(report.pop("plans", ()))
        if samples := report.pop("samples", None):
            self._samples.setdefault(samples["digest"], Samples.from_plain(samples))
        self._passes.update(report.pop("passes", ()))
        self._reports[report["id"]] = report

    def learn(self, plans: Iterable[dict[str, Any]]) -> None:
        """Keep what `planned` says of the specs; the first process to say it counts."""
        for plan in plans:
            self._plans.setdefault(plan["spec"], plan)

    def refuse(self, errors: Sequence[str]) -> None:
        """Keep what is wrong with specs that could not be collected, one sentence each."""
        self._errors = errors

    def finish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write goldens and reports, then fail a run that may not count as a pass."""
        measurements = {
            name: Measurement.from_plain(report["measurement"])
            for name, report in self._reports.items()
            if report.get("measurement")
        }
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self._is_empty_shard():
            exitstatus = session.exitstatus = pytest.ExitCode.OK
        interruption = _interruption(session, exitstatus)
        if interruption and self._errors:
            interruption = "a spec could not be collected; mend its mistakes first"
        failed = False
        writer = GoldenWriter(self.settings, self._plans, self._reports, self._samples, self._say)
        if self.settings.update:
            writer.update(measurements, interruption)
        writer.sweep(interruption)
        failed |= bool(writer.refused)
        self.structure = structure(
            started=self._started.isoformat(timespec="seconds"),
            duration_s=time.monotonic() - self._clock,
            smoke=self.settings.smoke,
            profile=self.settings.profile,
            shard=str(self.settings.shard) if self.settings.shard else None,
            interrupted=interruption,
            plans=list(self._plans.values()),
            cells=[report["record"] for report in self._reports.values() if report["kind"] == "cell"],
            aggregates=[report["record"] for report in self._reports.values() if report["kind"] == "aggregate"],
            measurements=measurements,
            **by_outcome(self._reports.values()),
            refused=writer.refused,
            errors=list(self._errors),
        )
        failed |= not self._write_reports(self.structure, measurements)
        for sentence in self.structure["run"]["unused_waivers"]:
            self._say(sentence, red=True)
            failed = True
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
        if self.structure and table:
            screen = reporter._tw.fullwidth, reporter._tw.hasmarkup
            reporter.write_line(draw(table, *screen))
            if reporter.verbosity > 0 and (weights := draw_chosen(self.structure["cells"], *screen)):
                reporter.write_line(weights)
            reporter.write_line(self._effort())
        if self.settings.smoke:
            reporter.write_line(f"SMOKE: {self._smoke()}; this run proves nothing", yellow=True)
        if self.settings.shard and self._plans:
            reporter.write_line(self._share(), yellow=True)
        for plan in self._plans.values():
            # of workers, whose collection nobody saw
            for line in plan.get("outlook", ()) if reporter.verbosity >= 0 else ():
                reporter.write_line(line)
        for text in self._notes():
            reporter.write_line(text, yellow=True)
        for text, markup in self._lines:
            reporter.write_line(text, **markup)
        failures = [(report["spec"], report["line"], name, report["headline"]) for name, report in self._failed()]
        for command in annotate(failures, self._root, self._plugins, self._errors):
            reporter.write_line(command)

    def _smoke(self) -> str:
        """How many images were shown, of data sets with different numbers the fewest and the most."""
        sizes = sorted({len(samples.ids) for samples in self._samples.values()})
        if not sizes:
            return f"at most {counted(self.settings.limit or 0, 'image')}"
        return counted(sizes[0], "image") if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]} images"

    def _effort(self) -> str:
        """How much was measured: one pass per shift, and nothing twice."""
        cells = [report["record"] for report in self._reports.values() if report["kind"] == "cell"]
        cached = sum(record["cached"] for record in cells)
        made = self._passes.total()
        passes = f"{made} pass{'es' * (made != 1)} for {counted(len(self._passes), 'shift')}"
        return f"{passes}; {cached} of {counted(len(cells), 'cell')} from the cache"

    def _is_empty_shard(self) -> bool:
        """Whether there are more shards than shifts, so that there was rightly nothing to run."""
        return self.settings.shard is not None and bool(self._plans) and not self._own()

    def _own(self) -> list[str]:
        return [name for plan in self._plans.values() for name in plan["planned"]]

    def _share(self) -> str:
        """Which part of the specs this run is."""
        if self._is_empty_shard():
            size = "no cells, there are more shards than shifts"
        else:
            keys = [key for plan in self._plans.values() for keys in plan["keys"].values() for key in keys]
            size = f"{len(self._own())} of {counted(len(keys), 'cell')}"
        return f"Shard {self.settings.shard}: {size}; aggregates are judged by pytest-robust merge"

    def _say(self, text: str, **markup: bool) -> None:
        self._lines.append((text, markup))

    def _failed(self) -> list[tuple[str, dict[str, Any]]]:
        return [entry for entry in self._reports.items() if outcome(entry[1]) == "failed"]

    def _notes(self) -> Iterator[str]:
        """Lines on cells that passed and still want to be looked at, and how to record what has no golden."""
        for report in self._reports.values():
            record = report["record"]
            warned = record["level"] == "warn" and record["verdict"] != "PASS"
            quiet = record["verdict"] == "INCONCLUSIVE" and self._plans[report["spec"]]["quiet"]
            if not report["fails"] and not quiet and (warned or record["verdict"] in _NOTED):
                yield f"{record['verdict']} {report['id']}: {report['headline']}"
        if self.structure:
            yield from dropped(self.structure["run"])
            yield from (f"note on {note}" for note in cell_notes(self.structure["cells"]))
            classes = self.structure["run"]["device_class"].split(", ")
            if self.settings.cuda == "fast" and all(one.startswith("cpu") for one in classes):
                yield "--robust-cuda=fast changes nothing: no model ran on a GPU"
        # what lacks only its anchor says itself how to freeze one: no update does
        missing = [report for report in self._reports.values() if report.get("lacks_latest")]
        stale = [report for report in missing if report["stale_golden"]]
        new = [report for report in missing if not report["stale_golden"]]
        if new:
            cases = counted(len(new), "case")
            yield f"{cases} without a comparable golden; record with: {self._record(new)} --robust-update-new"
        if stale:
            cases = counted(len(stale), "case")
            yield (
                f"{cases} whose golden is of other images, parameters or another model file; record anew with: "
                f"{self._record(stale)} --robust-update --robust-reason='...'"
            )

    def _record(self, reports: list[dict[str, Any]]) -> str:
        """The command that runs the reports' specs, so that their goldens can be recorded."""
        plans = [self._plans[spec] for spec in dict.fromkeys(report["spec"] for report in reports)]
        here = self.settings.here
        # a candidate becomes no golden
        options = repeated(self.settings, (), next((plan["profile"] for plan in plans if plan["profile"]), None))
        others = [plan for plan in plans if plan["other_samples"] and plan["golden"]]
        if others:
            options.append(f"--robust-golden={typed(Path(others[0]['golden']), here)}-{others[0]['profile']}")
        return quoted(["pytest", *(f"--robust-spec={typed(Path(plan['path']), here)}" for plan in plans), *options])

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
                    replace(path, markdown(report).encode(), "report")
                self._say(f"Report written to {shown(path)}")
            except RobustError as error:
                self._say(str(error), red=True)
                done = False
        return done


def _interruption(session: pytest.Session, exitstatus: int) -> str | None:
    """Why a run that ended early may not write goldens."""
    if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        return "the run was interrupted or broke off; run it again"
    if session.shouldstop or session.shouldfail:
        return "the run was stopped early; run it again without -x or --maxfail"
    return None
