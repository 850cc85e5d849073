"""Which shifts there are.

A family is a module with `SHIFTS`, with `VIEWS` where its shifts bring samples, or with both; where its spec entry has
keys of its own it has `SUITES` as well. To add a family, write the module and name it below. Nothing here imports
scipy, OpenCV or Pillow.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from pytest_robust.errors import RobustError
from pytest_robust.shifts import c_bar, clean, fourier, imagenet_c, lp, scaling
from pytest_robust.shifts.suites import severity_suite
from pytest_robust.views import adversarial, fingerprint, natural, resolution, si_score, stored, swapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_robust.shifts.base import PixelShift
    from pytest_robust.spec.catalog import Catalog, Suite
    from pytest_robust.spec.plan import ShiftPlan
    from pytest_robust.views.base import View

_FAMILIES: tuple[Any, ...] = (
    clean,
    imagenet_c,
    c_bar,
    scaling,
    resolution,
    lp,
    fourier,
    swapped,
    si_score,
    adversarial,
    natural,
    stored,
    fingerprint,
)
_NAME = re.compile(r"[A-Za-z0-9_-]+")


class Registry:
    """The shifts that specs may name: the built-in ones and those that a conftest adds.

    Args:
        shared: told of every shift that is added here. So the specs below a conftest see its shifts and others do not,
            while the process, which runs them all, knows each.
    """

    def __init__(self, shared: Registry | None = None) -> None:
        self._shared = shared
        self._shifts: dict[tuple[str, str], PixelShift] = {}
        self._views: dict[tuple[str, str], View] = {}
        self._special: dict[str, Suite] = {}
        for family in _FAMILIES:
            self._shifts |= {(shift.suite, shift.name): shift for shift in getattr(family, "SHIFTS", ())}
            self._views |= {(view.suite, view.name): view for view in getattr(family, "VIEWS", ())}
            self._special |= {suite.name: suite for suite in getattr(family, "SUITES", ())}
        self._built_in = frozenset(suite for suite, _ in (*self._shifts, *self._views))

    def add(self, shift: PixelShift) -> None:
        """Add a shift of the user's own; ``{suite: <its suite>}`` in a spec then asks for it.

        The entry takes `corruptions` (names, default all of the suite) and `severities` (default all that the
        shift has). The same definition may be added again, as when a conftest is read once more.

        Raises:
            RobustError: the name or suite holds other characters than letters, digits, ``_`` and ``-``, the
                suite is a built-in one, or another shift has the name.
        """
        for word in (shift.suite, shift.name):
            if not _NAME.fullmatch(word):
                raise RobustError(f"the shift name {word!r} must consist of letters, digits, _ and -")
        if shift.suite in self._built_in:
            raise RobustError(f"the suite {shift.suite} is built in; add {shift.name} to a suite of another name")
        known = self._shifts.get((shift.suite, shift.name))
        if known is not None and known != shift and _place(known.apply) != _place(shift.apply):
            raise RobustError(f"the shift {shift.suite}.{shift.name} is added twice; give one of them another name")
        if self._shared is not None:
            self._shared.add(shift)
        self._shifts[shift.suite, shift.name] = shift

    def shifts(self) -> tuple[PixelShift, ...]:
        """Every pixel shift, in the order of the suites."""
        return tuple(self._shifts.values())

    def views(self) -> tuple[View, ...]:
        """Every shift that brings samples, in the order of the suites."""
        return tuple(self._views.values())

    def own(self) -> tuple[PixelShift, ...]:
        """The shifts that were added."""
        return tuple(shift for shift in self.shifts() if shift.suite not in self._built_in)

    def catalog(self) -> Catalog:
        """The suites that a spec entry may name; `clean` is not one, every model has it."""
        suites: dict[str, list[PixelShift]] = {}
        for shift in self.shifts():
            suites.setdefault(shift.suite, []).append(shift)
        del suites["clean"]
        made = {name: self._special.get(name) or severity_suite(name, members) for name, members in suites.items()}
        return {**made, **self._special}

    def view(self, shift: ShiftPlan) -> View | None:
        """The view that a column asks for, None where it is a pixel shift."""
        found = self._views.get((shift.suite, shift.attack.name if shift.attack else shift.shift))
        return self._views["stored", "stored"] if found is None and shift.stored is not None else found

    def pixel_shift(self, suite: str, shift: str) -> PixelShift:
        """A shift by suite and name.

        Raises:
            RobustError: there is none; in a process of its own, the conftest that adds it was not read.
        """
        try:
            return self._shifts[suite, shift]
        except KeyError:
            raise RobustError(f"there is no shift {suite}.{shift}; a shift of your own must be registered") from None

    def find(self, name: str) -> PixelShift:
        """A pixel shift by its name, or by ``suite.name``.

        Raises:
            ValueError: no shift has the name, or several have, or it brings samples of its own; the sentence then says
                how to have it.
        """
        every: dict[tuple[str, str], PixelShift | View] = {**self._shifts, **self._views}
        found = [shift for (suite, own), shift in every.items() if name in (own, f"{suite}.{own}")]
        if len(found) > 1:
            raise ValueError(f"{name!r} is the name of {' and '.join(f'{one.suite}.{one.name}' for one in found)}")
        if found:
            key = found[0].suite, found[0].name
            if view := self._views.get(key):
                raise ValueError(f"{'.'.join(key)} needs more than the images it shifts; {view.instead}")
            return self._shifts[key]
        names = [".".join(key) for key in every] if "." in name else [own for _, own in every]
        near = difflib.get_close_matches(name, names, n=1)
        raise ValueError(f"there is no shift {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


def _place(function: Callable[..., Any]) -> tuple[object, ...]:
    """Where a function is written: equal for the same definition read again."""
    code = getattr(function, "__code__", None)
    return (function,) if code is None else (code.co_filename, code.co_firstlineno, code.co_name)


_DEFAULT = Registry()


def default_registry() -> Registry:
    """The registry of this process."""
    return _DEFAULT


def catalog() -> Catalog:
    """The suites of this process's registry."""
    return _DEFAULT.catalog()


def pixel_shift(suite: str, shift: str) -> PixelShift:
    """A shift of this process's registry; see `Registry.pixel_shift`."""
    return _DEFAULT.pixel_shift(suite, shift)
