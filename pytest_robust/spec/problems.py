"""Collects what is wrong in a spec and words it."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NoReturn

from pytest_robust.errors import Mark, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable

Place = tuple[int, int]
"""Line and column, both from 1."""

NO_GOLDEN_FOLDER = "`{}` needs a golden to compare with; say where by `golden: FOLDER` at the top level"
NO_ANCHOR = "there is no anchor to judge against; name one by `golden: {path: ..., anchor: NAME}`"


class Problems:
    """Collects everything wrong in one file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: dict[Problem, None] = {}
        self._final: set[Place] = set()

    def mark(self, place: Place) -> Mark:
        """The place with the file's name."""
        return Mark(self._file, *place)

    def add(self, place: Place, message: str, *, final: bool = False) -> None:
        """Note one problem; after a `final` one, nothing more is said of the value at that place."""
        if place not in self._final:
            self._found[Problem(self.mark(place), message)] = None
        if final:
            self._final.add(place)

    def fail(self, place: Place, message: str) -> NoReturn:
        """Note a problem that makes reading on pointless.

        Raises:
            SpecError: always, with everything found so far.
        """
        self.add(place, message)
        raise SpecError(list(self._found))

    def stop(self) -> None:
        """Raise `SpecError` if anything was found."""
        if self._found:
            raise SpecError(list(self._found))


def did_you_mean(wrong: object, valid: Iterable[object]) -> str:
    """The end of a sentence about an unknown name: the closest valid one, or all of them if they are few."""
    names = list(dict.fromkeys(str(name) for name in valid))
    close = difflib.get_close_matches(str(wrong), names, n=1)
    if close:
        return f", did you mean '{close[0]}'?"
    return f" (known: {', '.join(names)})" if 0 < len(names) <= 16 else ""


def show(value: object) -> str:
    """A value as a message names it: quoted text, a number, `a list`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= 60 else f"'{value[:57]}...'"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else str(value)
