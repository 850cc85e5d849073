"""The pytest hooks, and nothing else: options, registration, hand-over.

Imported by every pytest run on a machine that has this package, so it imports pytest alone; whatever costs
time is imported when a spec is collected.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_robust.stash import IDLE, REPORT

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_robust.collect import SpecFile
    from pytest_robust.controller import Controller

_NAMED = pytest.StashKey[frozenset[Path]]()
_SUFFIXES = {".yaml", ".yml"}


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare `pytest_robust_register`."""
    from pytest_robust import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the `--robust-*` options and their ini twins."""
    from pytest_robust.options import add_options

    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and put the named specs in the place of the positional arguments."""
    config.addinivalue_line(
        "markers",
        "robust(spec, model, entry, suite, shift, severity): set on every case of a spec; "
        "select with -m \"robust(suite='imagenet-c')\"",
    )
    if not all(text.strip() for text in config.getoption("robust_spec")):
        raise pytest.UsageError("--robust-spec is empty; name a spec, or leave the option out")
    named = [config.invocation_params.dir / text for text in config.getoption("robust_spec")]
    for path in named:
        if not path.is_file():
            raise pytest.UsageError(f"--robust-spec: there is no file {path}")
    config.stash[_NAMED] = frozenset(path.resolve() for path in named)
    if named:
        from pytest_robust.settings import Settings

        Settings.from_config(config)  # a value that cannot be is a usage error now, before anything is collected
        _replace_arguments(config, named)
    if hasattr(config, "workerinput"):
        return
    if named or config.getoption("robust_report"):
        _check_reports(config)
    config.pluginmanager.register(Gatherer(config), "robust-gatherer")
    if config.pluginmanager.hasplugin("xdist"):
        from pytest_robust.workers import Workers

        config.pluginmanager.register(Workers(config), "robust-workers")


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """`-n auto` means one worker for each GPU, where a spec is named and its models may run on any of them.

    What the environment says of it, as xdist reads it, comes first.
    """
    if not config.getoption("robust_spec") or os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return None
    from pytest_robust.workers import gpus_to_share

    return len(gpus_to_share(config)) or None


def _check_reports(config: pytest.Config) -> None:
    """Refuse reports that cannot be written now, and not after hours of measuring."""
    from pytest_robust.errors import RobustError
    from pytest_robust.report.place import check_place
    from pytest_robust.settings import Settings

    if config.option.collectonly:
        return
    for path in Settings.from_config(config).reports:
        try:
            check_place(path)
        except RobustError as error:
            raise pytest.UsageError(f"--robust-report: {error}") from error


def _replace_arguments(config: pytest.Config, named: list[Path]) -> None:
    """Collect the named specs beside what was asked for by position, or alone if nothing was."""
    positional = config.args if config.args_source is pytest.Config.ArgsSource.ARGS else []
    given = {(config.invocation_params.dir / text.split("::")[0]).resolve() for text in positional}
    fresh = {path.resolve(): str(path) for path in named if path.resolve() not in given}
    config.args = [*positional, *fresh.values()]
    config.args_source = pytest.Config.ArgsSource.ARGS


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect named specs without Python's garbage collector, and keep it off what was collected.

    Thousands of cells are objects that stay to the end of the run; every pass over them would find nothing.
    """
    if not session.config.stash[_NAMED] or not gc.isenabled():
        return (yield)
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SpecFile | None:
    """Collect a file that was named, or a YAML file that matches `robust_files` or is a spec given by position."""
    named = file_path.resolve() in parent.config.stash[_NAMED]
    if not named and (file_path.suffix not in _SUFFIXES or not _is_spec(file_path, parent)):
        return None
    from pytest_robust.collect import SpecFile

    return SpecFile.from_parent(parent, path=file_path)


def _is_spec(path: Path, parent: pytest.Collector) -> bool:
    from pytest_robust.patterns import matches

    config = parent.config
    base = config.inipath.parent if config.inipath else config.rootpath
    if any(matches(path, pattern, base) for pattern in config.getini("robust_files")):
        return True
    if not parent.session.isinitpath(path):
        return False
    keys = {line.split(":")[0] for line in path.read_text(errors="replace").splitlines()}
    return {"format", "models"} <= keys


def pytest_report_header(config: pytest.Config) -> str | None:
    """One line that says what the run will do, where a spec is named."""
    if not config.stash[_NAMED]:
        return None
    from pytest_robust.controller import header

    return header(config, len(config.stash[_NAMED]))


def pytest_collection_modifyitems(session: pytest.Session) -> None:
    """Refuse options that name what no collected spec has; leave to other shards what is theirs."""
    if collect := sys.modules.get("pytest_robust.collect"):
        collect.refuse_absent(session)
        if not hasattr(session.config, "workerinput"):
            _check_reports(session.config)
        collect.keep_share(session)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say what the thresholds can see, unless pytest is to be quiet."""
    collect = sys.modules.get("pytest_robust.collect")
    return collect.outlook(config) if collect and config.get_verbosity() >= 0 else []


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell the engine which cells this run may ask for, before the first item runs."""
    if collect := sys.modules.get("pytest_robust.collect"):
        collect.select(session)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Mark what is wrong with a spec as ours, the only way from a worker to the controller."""
    report = yield
    collect = sys.modules.get("pytest_robust.collect")
    if report.failed and collect and isinstance(collector, collect.SpecFile):
        report.robust = collector.display  # type: ignore[attr-defined]
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put what a cell or an aggregate found on its report, the only way from a worker to the controller."""
    report = yield
    if call.when == "call" and (found := item.stash.get(REPORT, None)):
        report.robust = found  # type: ignore[attr-defined]
    return report


class Gatherer:
    """Hands reports of specs to a `Controller`, which is made when the first of them arrives.

    Lives in the one process that writes: a run without xdist, or the controller of one with it.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._controller: Controller | None = None
        self._errors: dict[str, None] = {}

    @property
    def report(self) -> dict[str, Any] | None:
        """The finished run as the JSON report holds it; None before its end, and where no case of a spec ran."""
        return self._controller.structure if self._controller is not None else None

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what is wrong with a spec, a sentence for each mistake; workers find the same ones."""
        if report.failed and (spec := report.__dict__.get("robust")):
            crash = getattr(report.longrepr, "reprcrash", None)  # a defect, of a conftest's shift for one
            text = f"{spec} could not be collected: {crash.message}" if crash else str(report.longrepr)
            self._errors |= dict.fromkeys(line for line in text.splitlines() if line)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a cell or an aggregate reported."""
        if plain := report.__dict__.get("robust"):
            if self._controller is None:
                from pytest_robust.controller import Controller

                self._controller = Controller(self._config)
            self._controller.add(plain)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Keep what a worker without a case to run says of the specs."""
        if plans := getattr(node, "workeroutput", {}).get("robust_idle"):
            self._config.stash[IDLE] = plans

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write goldens and reports; fail a run that may not count as a pass.

        A run that names a spec, or finds mistakes in one, always writes its reports, or an old one would be taken for
        its result.
        """
        idle = self._config.stash.get(IDLE, [])
        asked = (self._config.stash[_NAMED] or self._errors) and not self._config.option.collectonly
        if self._controller is None and (asked or idle):
            from pytest_robust.controller import Controller

            self._controller = Controller(self._config)
            self._controller.learn(idle)
        if self._controller is not None:
            self._controller.refuse(list(self._errors))
            self._controller.finish(session, int(exitstatus))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table and what needs attention."""
        if self._controller is not None:
            self._controller.summarise(terminalreporter)
