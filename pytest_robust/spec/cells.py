"""Makes the cells of a plan: which rows apply to each, without asking every row about every cell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from pytest_robust.spec.attack_limits import applied as of_attack
from pytest_robust.spec.match_limits import applied as of_match
from pytest_robust.spec.plan import CellPlan, ModelPlan, Threshold, Waiver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_robust.spec.rows import ThresholdRow, WaiverRow
    from pytest_robust.spec.scope import Member
    from pytest_robust.spec.select import Matrix, Selection


class _Selecting(Protocol):
    @property
    def selection(self) -> Selection: ...


R = TypeVar("R", bound=_Selecting)


def cell_plans(
    models: Sequence[ModelPlan],
    matrix: Matrix,
    cells: Sequence[set[int]],
    thresholds: Sequence[ThresholdRow],
    waivers: Sequence[WaiverRow],
    scored: bool = False,
) -> dict[Member, CellPlan]:
    """All cells, model by model, each in the order of the columns.

    Args:
        models: one plan per model of the matrix.
        matrix: the shifts.
        cells: per model the columns to make.
        thresholds: the rows; on clean a row loses its `max_drop`, on attacks what `attack_limits` says, on what
            `max_match` limits what `match_limits` says, and is left out if nothing remains.
        waivers: the waivers of cells; the first one in the file that matches a cell is its waiver.
        scored: whether what the probabilities say is kept of every cell.
    """
    limits, excused = _by_column(thresholds, matrix), _by_column(waivers, matrix)
    made: dict[Member, CellPlan] = {}
    for position, model in enumerate(models):
        # Few combinations of rows occur; cells that share one share its tuple.
        rows: dict[tuple[int, ...], tuple[Threshold, ...]] = {}
        waived: dict[tuple[int, ...], Waiver | None] = {(): None}
        for column in sorted(cells[position]):
            matched, excuse = limits[column], excused[column]
            if matched not in rows:
                rows[matched] = tuple(row.threshold for row in _of_model(thresholds, matched, position))
            if excuse not in waived:
                waived[excuse] = next((row.waiver for row in _of_model(waivers, excuse, position)), None)
            applied = rows[matched]
            shift = matrix.columns[column]
            if column in matrix.clean:
                applied = tuple(bare for row in applied if (bare := _without_drop(row)) is not None)
            elif any(row.limits_attack for row in applied):
                applied = tuple(bare for row in applied if (bare := of_attack(row, shift, model.name)) is not None)
            elif any(row.max_match is not None for row in applied):
                applied = tuple(bare for row in applied if (bare := of_match(row)) is not None)
            made[position, column] = CellPlan(model, shift, applied, waived[excuse], scored)
    return made


def _of_model(rows: Sequence[R], matched: Sequence[int], model: int) -> list[R]:
    return [rows[index] for index in matched if model in rows[index].selection.models]


def _by_column(rows: Sequence[_Selecting], matrix: Matrix) -> list[tuple[int, ...]]:
    """Per column the positions of the rows that select it for any model."""
    found: list[list[int]] = [[] for _ in matrix.columns]
    for position, row in enumerate(rows):
        for column in row.selection.columns:
            found[column].append(position)
    return [tuple(positions) for positions in found]


def _without_drop(row: Threshold) -> Threshold | None:
    """What is left of a row on the clean cell, which cannot drop from itself."""
    if row.max_drop is None:
        return row
    bare = replace(row, max_drop=None)
    return bare if bare.limits else None
