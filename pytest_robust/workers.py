"""What the controller of a parallel run does: it shares out GPUs and one store, and knows the truth of dead workers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from pytest_robust.gpus import VISIBLE, share, visible_gpus
from pytest_robust.scratch import removal, run_folder
from pytest_robust.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from execnet import XSpec
    from xdist.workermanage import WorkerController

RESCHEDULED = "robust-rescheduled"
"""Outcome of a case whose worker died and that runs again elsewhere: neither passed nor failed."""


def gpus_to_share(config: pytest.Config) -> list[str]:
    """The GPUs that the workers of a run share out among them.

    None where no spec is named, and where models run on the CPU or on one GPU that is named by its number.
    """
    if not config.getoption("robust_spec"):
        return []
    device = Settings.from_config(config).device
    if device not in ("auto", "cuda"):
        return []
    gpus = visible_gpus()
    if not gpus:
        return []
    from pytest_robust.engine.device_class import known_place

    return gpus if known_place(device, integer=False) is None else []


class Workers:
    """Hooks of the process that starts xdist workers."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._run = os.urandom(16).hex()
        self._rescheduled: dict[str, pytest.TestReport] = {}
        self._remove: Callable[[], None] | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, specs: Sequence[XSpec]) -> None:
        """Show every worker of this machine one GPU, before anything there can load CUDA."""
        gpus = gpus_to_share(self._config)
        here = [spec for spec in specs if spec.popen and VISIBLE not in spec.env]
        for spec, gpu in zip(here, share(gpus, len(here)) if gpus else (), strict=False):
            spec.env[VISIBLE] = gpu

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: WorkerController) -> None:
        """Give every worker the name of the run's store."""
        if self._remove is None and self._config.getoption("robust_spec"):
            self._remove = removal(run_folder(self._run))
        node.workerinput["robust_run"] = self._run

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport, sched: Any) -> None:
        """Blame the model x shift pair that was running, and run the case that merely shared its process again.

        The pair's own case, when its turn comes, finds the failure in the store and reports it in one sentence.
        """
        folder = run_folder(self._run)
        if not folder.is_dir():
            return
        from pytest_robust.engine.store import RunStore

        store = RunStore(folder)
        worker = report.node.gateway.id
        pairs = store.running(worker)
        if not pairs:
            return
        store.blame(pairs)
        store.mark_running(worker, ())
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
        (self._remove or removal(run_folder(self._run)))()
