"""Applies the profiles of a spec; all of them are checked, so that a rarely used one does not rot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_robust.spec.check import Item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_robust.spec.limits import ProfileSpec, Where
    from pytest_robust.spec.problems import Problems
    from pytest_robust.spec.select import Matrix, Selection


def exclusions(items: Sequence[Item[Where]], matrix: Matrix, problems: Problems) -> list[Selection]:
    """The cells that rows of `exclude` name.

    Args:
        items: the validated rows.
        matrix: the spec's cells.
        problems: takes rows that exclude nothing, or clean alone.
    """
    found = []
    for item in items:
        if item.value is None:
            continue
        if not item.node.keys:
            problems.add(
                item.at, "this row would exclude everything; give at least one of model, suite, shift, severity, entry"
            )
            continue
        selection = matrix.choose(item.value, item.node, problems)
        if selection is None:
            continue
        if selection.columns and selection.columns <= matrix.clean:
            problems.add(item.at, "the clean cells cannot be excluded: drops are measured from them")
        elif matrix.finds(selection, matrix.cells):
            found.append(selection)
        elif matrix.complete:
            problems.add(item.at, "this row excludes no cell; loosen it or remove it")
    return found


def cells_of_profile(item: Item[ProfileSpec], matrix: Matrix, problems: Problems) -> list[set[int]]:
    """What a profile leaves of the spec's cells.

    Args:
        item: the validated profile.
        matrix: the spec's cells; left as they are.
        problems: takes severities and selectors that the spec has not.

    Returns:
        Per model the columns that remain: clean, shifts without severity, and those of a listed severity.
    """
    cells = [set(columns) for columns in matrix.cells]
    if item.value is None:
        return cells
    excluded = item.node.get("exclude")
    rows = excluded.rows() if excluded else []
    wheres = [Item("exclude", row.place, row, where) for row, where in zip(rows, item.value.exclude, strict=True)]
    for selection in exclusions(wheres, matrix, problems):
        matrix.remove(selection, cells)
    given = item.node.get("severities")
    if given is not None:
        for value, node in zip(item.value.severities, given.rows(), strict=True):
            matrix.check("severity", value, node, problems)
        keep = set().union(*(matrix.columns_of("severity", value) for value in item.value.severities))
        keep |= {position for position, column in enumerate(matrix.columns) if column.severity is None}
        cells = [columns & keep for columns in cells]
    return cells
