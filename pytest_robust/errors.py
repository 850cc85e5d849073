"""Errors that a user can mend.

Everything a user can get wrong ends in a `RobustError`: its text is one sentence that names the file, the
place and the remedy. The plugin and the command line print that sentence and never a traceback; any other
exception is a defect of this package and is shown whole.
"""

from __future__ import annotations

from dataclasses import dataclass


class RobustError(Exception):
    """A mistake in the user's input or set-up; the text is one clear sentence with the remedy."""


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a spec file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


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
