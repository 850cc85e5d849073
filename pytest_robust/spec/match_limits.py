"""`max_match`: the cases that it limits, and the limits that do not apply there, since fewer matches are better."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_robust.spec.shifts import FINGERPRINT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_robust.spec.check import Item
    from pytest_robust.spec.limits import ThresholdSpec
    from pytest_robust.spec.plan import Threshold
    from pytest_robust.spec.problems import Problems
    from pytest_robust.spec.scope import Member
    from pytest_robust.spec.select import Matrix, Selection

_INVERTED = ("max_drop", "max_regression", "max_negative_flips")
"""Limits of a loss of accuracy, which on the fingerprint of another model is a gain."""


def applied(row: Threshold) -> Threshold | None:
    """What a row limits of a case that some row limits by `max_match`; None if nothing is left."""
    moot: dict[str, Any] = dict.fromkeys(_INVERTED)
    bare = replace(row, **moot)
    return bare if bare.limits else None


def check_matches(rows: Iterable[tuple[Item[ThresholdSpec], Selection]], matrix: Matrix, problems: Problems) -> None:
    """Note a `max_match` on what is no fingerprint, and limits that apply nowhere because of one.

    Args:
        rows: the valid rows, each of which selects a cell.
        matrix: the spec's cells.
        problems: takes the rows.
    """
    limited: set[Member] = set()
    for item, selection in rows:
        if item.value is None or item.value.max_match is None:
            continue
        others = [column for column in sorted(selection.columns) if matrix.columns[column].suite != FINGERPRINT]
        if others:
            text = f"`max_match` limits fingerprints, and this row also selects {matrix.columns[others[0]].label}; give"
            problems.add(item.node.key("max_match"), f"{text} `where: {{suite: {FINGERPRINT}}}`")
        else:
            limited |= set(_cells(selection, matrix))
    for item, selection in rows:
        if not limited.issuperset(_cells(selection, matrix)):
            continue
        for key in _INVERTED:
            if getattr(item.value, key) is not None:
                text = f"`{key}` does not apply where `max_match` does, since fewer matches are better there; remove it"
                problems.add(item.node.key(key), text)


def _cells(selection: Selection, matrix: Matrix) -> Iterable[Member]:
    return ((model, column) for model in selection.models for column in matrix.cells[model] & selection.columns)
