"""What the controller of a parallel run does: one store for all workers, and the truth about one that died."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from xdist.workermanage import WorkerController

RESCHEDULED = "robust-rescheduled"
"""Outcome of a case whose worker died and that runs again elsewhere: neither passed nor failed."""


def run_folder(run: str) -> Path:
    """The folder of one run on this host; workers on other hosts make their own under the same name."""
    import tempfile

    return Path(tempfile.gettempdir()) / f"pytest-robust-{run}"


class Workers:
    """Hooks of the process that starts xdist workers."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._run = os.urandom(16).hex()
        self._rescheduled: dict[str, pytest.TestReport] = {}

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: WorkerController) -> None:
        """Give every worker the name of the run's store."""
        node.workerinput["robust_run"] = self._run

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport, sched: Any) -> None:
        """Blame the model x shift pair that was running, and run the case that merely shared its process again.

        The pair's own case, when its turn comes, finds the failure in the store and reports it in one sentence.
        """
        folder = run_folder(self._run)
        if not folder.is_dir():
            return
        from pytest_robust.engine.store import RunStore, process_died

        store = RunStore(folder)
        worker = report.node.gateway.id
        pair = store.running(worker)
        if pair is None:
            return
        store.put(pair["key"], process_died(pair["model"], pair["shift"]))
        store.mark_running(worker, None)
        try:
            sched.mark_test_pending(crashitem)
        except NotImplementedError:
            # The loadscope family keeps the case in its work and runs it again by itself; `each` does neither.
            if not hasattr(sched, "workqueue"):
                return
        report.outcome = RESCHEDULED  # type: ignore[assignment]
        self._rescheduled[crashitem] = report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A rescheduled case that reports has run."""
        if report.outcome != RESCHEDULED:
            self._rescheduled.pop(report.nodeid, None)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """A rescheduled case that nobody ran, because no worker was left, has failed after all."""
        result = yield
        for report in list(self._rescheduled.values()):
            report.outcome = "failed"
            report.longrepr = f"{report.longrepr}, and no worker was left to run it again"
            self._config.hook.pytest_runtest_logreport(report=report)
        return result

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """A case that runs again is counted when it has."""
        return ("", "", "") if report.outcome == RESCHEDULED else None

    def pytest_unconfigure(self) -> None:
        """Remove the store of the run."""
        import shutil

        shutil.rmtree(run_folder(self._run), ignore_errors=True)
