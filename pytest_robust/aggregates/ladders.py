"""Values of one shift at rising severities: does accuracy fall with strength, and never rise?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.aggregates.values import Measured, Value, clean, paired, shifted
from pytest_robust.metrics.monotone import largest_rise
from pytest_robust.metrics.trend import pearson, sides, spearman, weakest_side
from pytest_robust.spec.ladders import strength
from pytest_robust.verdict import bounded, exchanged
from pytest_robust.verdict.aggregate import number
from pytest_robust.verdict.wording import points

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from pytest_robust.aggregates.values import Since
    from pytest_robust.metrics.trend import Side
    from pytest_robust.spec.plan import AggregatePlan, CellPlan
    from pytest_robust.verdict.exchanged import Badness


_FLAT = "accuracy does not vary"


@dataclass(frozen=True, slots=True)
class _Ladder:
    """Clean and the severities of one shift, in the order of the plan."""

    cells: tuple[CellPlan, ...]
    strengths: list[float]

    @classmethod
    def of(cls, plan: AggregatePlan) -> _Ladder:
        model = plan.models[0]
        steps = shifted(plan, model)
        return cls((clean(plan, model), *steps), [_strength(cell) for cell in steps])

    def drops(self, measured: Measured) -> NDArray[np.float64]:
        return _drops(np.array([measured[cell.id].error for cell in self.cells]))

    def of_both(self, label: str, text: Callable[[Side], str]) -> Iterator[str]:
        """One sentence on shrinking and enlarging apart; none for a ladder that goes one way."""
        parts = sides(self.strengths)
        if len(parts) == 2:
            yield f"{label}: " + ", ".join(f"{'below' if side.below else 'above'} 1 {text(side)}" for side in parts)

    def since(self, badness: Badness, finer: Badness | None = None) -> Since:
        """The change of a value of the cells' errors; see `exchanged`."""
        return lambda before, now, level: exchanged(
            [[paired(now[cell.id], before[cell.id], 1.0)] for cell in self.cells], badness, level, finer
        )


def _strength(cell: CellPlan) -> float:
    """See `strength`.

    Raises:
        ValueError: the spec does not say the model's own size, of which a resolution is a multiple; or there is none.
    """
    shift, model = cell.shift, cell.model
    severity = float(shift.severity or 0)
    if shift.suite == "resolution":
        own = model.geometry.crop or model.geometry.resize or model.preprocess.size
        if own is None:
            raise ValueError(
                f"the strength of a resolution is its ratio to the own one of {model.name}, which the spec does not "
                "say; give the model preprocess: {size: N} or a geometry with a crop"
            )
        severity /= own
    found = strength(shift.suite, shift.shift, severity)
    if found is None:
        raise ValueError(f"the severities of {shift.entry}.{shift.shift} do not lead away from clean")
    return found


def _drops(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """From errors, clean first on the last axis, to drops from clean."""
    return errors[..., 1:] - errors[..., :1]


def trend(plan: AggregatePlan, measured: Measured, _: float) -> Value:
    """Correlation of strength and drop; the value is the rank correlation, unless only the linear one is limited."""
    ladder = _Ladder.of(plan)
    drops = ladder.drops(measured)
    kinds = {"spearman": spearman, "pearson": pearson}
    found = {name: float(weakest_side(ladder.strengths, drops, kind)) for name, kind in kinds.items()}
    values = {name: None if math.isnan(value) else value for name, value in found.items()}
    asked = [name for name in kinds if f"min_{name}" in plan.limits]
    labels = {name: f"{name.title()} correlation of strength and drop" for name in kinds}
    held = tuple(
        bounded(labels[name], values[name], plan.limits[f"min_{name}"], at_most=False, undefined=_FLAT)
        for name in asked
    )
    first = (asked or ["spearman"])[0]

    def badness(name: str) -> Badness:
        return lambda errors: -weakest_side(ladder.strengths, _drops(errors), kinds[name])

    def side_text(name: str, side: Side) -> str:
        value = float(kinds[name](side.strengths, side.drops(drops)))
        return f"undefined, as {_FLAT}" if math.isnan(value) else number(value)

    return Value(
        values[first],
        labels[first],
        held,
        tuple(note for name in asked or [first] for note in ladder.of_both(labels[name], partial(side_text, name))),
        ladder.cells,
        ladder.since(badness(first), badness("pearson")),
        larger_is_worse=False,
    )


def monotone(plan: AggregatePlan, measured: Measured, _: float) -> Value:
    """The largest rise of accuracy with strength, held against its allowance."""
    ladder = _Ladder.of(plan)

    def badness(errors: NDArray[np.float64]) -> NDArray[np.float64]:
        return largest_rise(ladder.strengths, _drops(errors))

    def side_text(side: Side) -> str:
        return points(float(largest_rise(side.strengths[1:], drops[side.positions])))

    drops = ladder.drops(measured)
    value = float(largest_rise(ladder.strengths, drops))
    label = "largest rise of accuracy with strength"
    held = bounded(label, value, plan.limits["allowance"], at_most=True, show=points)
    notes = tuple(ladder.of_both(label, side_text))
    return Value(value, label, (held,), notes, ladder.cells, ladder.since(badness))
