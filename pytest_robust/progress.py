"""A line that shows how far a long case is: on a terminal only, gone when the case ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

Progress = Callable[[str, int, int], None]

_PATIENCE_SECONDS = 1.0
_INTERVAL_SECONDS = 0.1


def progress_for(config: pytest.Config) -> Progress | None:
    """A progress display for this process; None where nobody looks on: no terminal, a worker, or ``-q``."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not reporter.isatty or config.get_verbosity() < 0:
        return None
    return ProgressLine(config, reporter)


class ProgressLine:
    """Redraws one line under the test's own; silent for passes under a second."""

    def __init__(self, config: pytest.Config, reporter: pytest.TerminalReporter) -> None:
        self._capture = config.pluginmanager.getplugin("capturemanager")
        self._writer = reporter._tw
        self._began = self._drawn = 0.0

    def __call__(self, label: str, done: int, total: int) -> None:
        """Show that `done` of `total` images of a shift are through."""
        now = time.monotonic()
        if not self._began:
            self._began = now
        if done < total and (now - self._began < _PATIENCE_SECONDS or now - self._drawn < _INTERVAL_SECONDS):
            return
        if done >= total:
            if self._drawn:
                self._draw("")
            self._began = self._drawn = 0.0
            return
        left = (now - self._began) * (total - done) / done
        self._drawn = now
        self._draw(f"  {label}  {done}/{total} images  {done / total:4.0%}  {left:.0f} s left")

    def _draw(self, text: str) -> None:
        """Save the cursor, write below the current line, restore: pytest's own progress stays untouched."""
        line = f"\x1b7\x1b[E\x1b[2K{text[: self._writer.fullwidth - 1]}\x1b8"
        if self._capture is None:
            self._put(line)
        else:
            with self._capture.global_and_fixture_disabled():
                self._put(line)

    def _put(self, line: str) -> None:
        self._writer.write(line, flush=True)
