"""pytest, run inside this process: for the commands that need a spec's plan, and for `evaluate`.

Nothing of such a run stays behind: not its modules, its search path, its environment or its cache folder.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.metadata
import io
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from pytest_robust.settings import Settings
    from pytest_robust.spec.plan import Plan

_NO_TRACE = ("no:lfplugin", "no:nfplugin", "no:stepwiseplugin")
"""The plugins of pytest's own that keep what a run did in its cache folder, left out."""

_COLOUR = re.compile(r"\x1b\[[\d;]*m")


class Collected:
    """A pytest plugin that keeps what collection found.

    Attributes:
        plans: by the name of the spec in ids.
        mistakes: one text for each file that could not be collected.
        interrupted: whether the user broke it off.
    """

    interrupted = False

    def __init__(self) -> None:
        self.plans: dict[str, Plan] = {}
        self.mistakes: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what is wrong with a spec."""
        if report.failed:
            self.mistakes.append(str(report.longrepr))

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Keep what pytest makes an exit code of; its own reasons to stop are kinds of the same exception."""
        self.interrupted = type(excinfo.value) is KeyboardInterrupt

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep the plans, also of specs of which no case was selected."""
        from pytest_robust.stash import PLANS

        if PLANS in session.config.stash:
            plans = session.config.stash[PLANS]
            self.plans = dict(plans)


class Kept:
    """A pytest plugin that finds out how the project's runs measure, and where they keep what they made.

    Attributes:
        settings: those of a run without options; None where nothing could be collected.
        folder: of the cache, made where it is a part of pytest's own; None where runs keep nothing.
    """

    settings: Settings | None = None
    folder: Path | None = None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep both."""
        from pytest_robust.settings import Settings

        self.settings = Settings.from_config(session.config)
        with contextlib.suppress(OSError):  # a folder that cannot be written keeps nothing
            self.folder = self.settings.cache_folder(session.config)


def run_pytest(
    arguments: Sequence[str],
    *plugins: object,
    verbose: bool = False,
    without: Collection[str] = (),
    cached: bool = False,
) -> tuple[int, str]:
    """Run pytest and leave the process as it was.

    Args:
        arguments: of pytest.
        plugins: objects with hooks.
        verbose: let pytest print.
        without: environment variables that the run must not see.
        cached: let `Settings.cache_folder` find the project's own folder.

    Returns:
        The exit code, and what was printed unless `verbose`.
    """
    printed = io.StringIO()
    with contextlib.ExitStack() as stack:
        cache = stack.enter_context(tempfile.TemporaryDirectory(prefix="pytest-robust-cache-"))
        stack.enter_context(_as_it_was(without))
        if not verbose:
            stack.enter_context(contextlib.redirect_stdout(printed))
            stack.enter_context(contextlib.redirect_stderr(printed))
        place = [text for name in _NO_TRACE for text in ("-p", name)] if cached else ["-o", f"cache_dir={cache}"]
        always = ["--assert=plain", "--capture=no", *place, *_this_plugin()]
        try:
            code = pytest.main([*always, *arguments], plugins=list(plugins))
        finally:
            gc.unfreeze()  # the plugin takes what a run collects out of the collector's sight; this process goes on
    return int(code), _COLOUR.sub("", printed.getvalue())


def collect(specs: Sequence[str | Path], *options: str, kept: Kept | None = None) -> Collected:
    """Collect specs as pytest would, so that what a conftest registers is known. Opens no model and no image.

    Args:
        specs: their files.
        options: more arguments of pytest.
        kept: finds out what it says of itself.

    Raises:
        RobustError: pytest refuses to start; the text is its own.
        KeyboardInterrupt: the user broke it off.
    """
    found = Collected()
    arguments = ["--collect-only", *(f"--robust-spec={path}" for path in specs), *options]
    code, printed = run_pytest(arguments, found, *([kept] if kept else []), cached=kept is not None)
    if found.interrupted:
        raise KeyboardInterrupt
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) and not found.mistakes:
        raise RobustError(refusal(printed))
    return found


def refusal(printed: str) -> str:
    """What pytest said when it refused to start."""
    lines = [line.removeprefix("ERROR: ") for line in printed.splitlines() if line.strip()]
    marked = [line.removeprefix("ERROR: ") for line in printed.splitlines() if line.startswith("ERROR: ")]
    return "\n".join(marked or lines[-5:]) or "pytest ended without a word"


def _this_plugin() -> list[str]:
    """The plugin by name, for where plugins are not loaded by themselves (PYTEST_DISABLE_PLUGIN_AUTOLOAD)."""
    if any(found.name == "robust" for found in importlib.metadata.entry_points(group="pytest11")):
        return ["-p", "robust"]
    return ["-p", "pytest_robust.plugin"]


@contextlib.contextmanager
def _as_it_was(without: Collection[str]) -> Iterator[None]:
    names = {name for name in os.environ if name.startswith("PYTEST_")} | set(without)
    environment = {name: os.environ[name] for name in names if name in os.environ}
    path, modules, folder = list(sys.path), set(sys.modules), Path.cwd()
    for name in without:
        os.environ.pop(name, None)
    try:
        yield
    finally:
        for name in {found for found in os.environ if found.startswith("PYTEST_")} - environment.keys():
            del os.environ[name]
        os.environ.update(environment)
        sys.path[:] = path
        for name in sys.modules.keys() - modules:
            # A conftest of another folder would be taken for this one; libraries are left, they load only once.
            if Path(getattr(sys.modules[name], "__file__", None) or "").name == "conftest.py":
                del sys.modules[name]
        os.chdir(folder)
