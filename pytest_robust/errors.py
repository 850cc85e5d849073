"""Errors that a user can mend.

Everything a user can get wrong ends in a `RobustError`: its text is one sentence that names the file, the
place and the remedy. The plugin and the command line print that sentence and never a traceback; any other
exception is a defect of this package and is shown whole.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class RobustError(Exception):
    """A mistake in the user's input or set-up; the text is one clear sentence with the remedy."""


def shown(path: Path) -> str:
    """A path as messages print it, without the detours that a spec's `../` makes; for opening it is left as it is."""
    return os.path.normpath(path)


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a spec file; lines and columns count from 1. Line 0 is none: `file` is an option that stands alone."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in a spec, and where."""

    mark: Mark
    message: str

    def __str__(self) -> str:
        return f"{self.mark}: {self.message}"


class SpecError(RobustError):
    """Everything wrong in one spec, in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))
