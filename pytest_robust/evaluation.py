"""A whole run from Python: the same collection, engine, verdict and report as on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_robust.errors import RobustError
from pytest_robust.in_process import Collected, refusal, run_pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOT_SEEN = ("PYTEST_ADDOPTS", "GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS")
"""Options and summaries that belong to the run around this one."""


def evaluate(
    spec_path: str | Path,
    *,
    device: str = "auto",
    engine: str = "local",
    batch_size: int | None = None,
    golden: str | Path | None = None,
    profile: str | None = None,
    models: Mapping[str, str | Path] | None = None,
    limit: int | None = None,
    select: str | None = None,
    workers: int = 0,
    verbose: bool = False,
    cache: str | Path | None = None,
    no_cache: bool = False,
) -> dict[str, Any]:
    """Measure and judge the cells of a spec, in a notebook, a script or a test.

    Goldens are read and never written. Shifts that a conftest beside the spec registers are known; `addopts` of the
    project's ini file are not applied.

    Args:
        spec_path: the spec.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; cuda fails where CUDA cannot be had.
        engine: ``local``; ``ray`` for a Ray cluster on this machine alone, ``ray:ADDRESS`` for one that runs already. A
            connection that this process has is used as it is.
        batch_size: images per inference; None chooses by image size.
        golden: folder in place of the spec's own.
        profile: name of a profile of the spec.
        models: files to judge in place of the spec's own, by model name.
        limit: a smoke run on so many images, which proves nothing.
        select: only the cases that this expression matches, as pytest's ``-k`` has it.
        workers: processes (pytest-xdist); 0 measures in this one.
        verbose: let pytest print.
        cache: folder where measurements and decoded images wait for later calls and runs, such as a project's
            ``.pytest_cache/d/robust``; None takes what the project's ini file says, else keeps nothing.
        no_cache: measure everything anew, whatever the ini file says.

    Returns:
        The report, as ``--robust-report=x.json`` writes it: ``run``, ``cells`` and ``aggregates``. A case that
        fails raises nothing: ``report["run"]["failed"]`` names it with its numbers.

    Raises:
        RobustError: the spec has mistakes (all of them are in the text), an option cannot be, `select` matches
            nothing, or the run broke off.
    """
    spec = Path(spec_path).absolute()
    if not spec.is_file():
        raise RobustError(f"there is no file {spec_path}")
    options = {
        "--robust-device": device,
        "--robust-engine": engine,
        "--robust-batch-size": batch_size,
        "--robust-golden": Path(golden).absolute() if golden is not None else None,
        "--robust-profile": profile,
        "--robust-limit": limit,
        "--robust-cache": Path(cache).absolute() if cache is not None else None,
    }
    arguments = [str(spec), f"--robust-spec={spec}", "-o", "addopts=", "-o", "robust_report="]
    arguments += [f"{name}={value}" for name, value in options.items() if value is not None]
    arguments += [f"--robust-model={name}={Path(path).absolute()}" for name, path in (models or {}).items()]
    arguments += ["--robust-no-cache"] if no_cache else []
    arguments += ["-k", select] if select is not None else []
    arguments += ["-n", str(workers)] if workers else []
    found = _Finished()
    code, printed = run_pytest(arguments, found, verbose=verbose, without=_NOT_SEEN)
    if found.mistakes:
        raise RobustError("\n".join(found.mistakes))
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise RobustError(f"select={select!r} matches no case of {spec_path}" if select else f"{spec_path} has no case")
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) or found.report is None:
        raise RobustError(f"the run of {spec_path} broke off: {refusal(printed)}")
    plain: dict[str, Any] = json.loads(json.dumps(found.report))
    return plain


class _Finished(Collected):
    """A pytest plugin that takes the report of the run with it."""

    report: dict[str, Any] | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Keep the report, whatever the run came to."""
        gatherer = config.pluginmanager.get_plugin("robust-gatherer")
        self.report = gatherer.report if gatherer is not None else None
