"""What every kind of aggregate takes and gives: results of cells in, a value with its limits out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.same_samples import is_part, places
from pytest_robust.spec.scope import LIMITS
from pytest_robust.verdict import Change, Held, Images, PairedCell, bounded, split
from pytest_robust.verdict.aggregate import number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_robust.measurement import Attacked, Samples, Scores
    from pytest_robust.metrics.clever import CleverResult
    from pytest_robust.spec.plan import AggregatePlan, CellPlan


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """What a model made of one cell.

    Attributes:
        samples: the samples of the cell.
        predicted: predicted class per sample, uint16, shape (n,).
        near_tie: samples whose result may be numeric noise, bool, shape (n,); None where such noise cannot have
            changed a result, as between equal device classes and onnxruntime versions.
        scores: what the probabilities say, where the spec keeps it; a golden has none.
        groups: as in `Measurement.groups`; a golden has none.
        origin: where and when it was measured, in words.
        attacked: what an attack did; a golden has none.
        clever: of clean images, scores of the gradients around some of them, where an aggregate asks for these.
    """

    samples: Samples
    predicted: NDArray[np.uint16]
    near_tie: NDArray[np.bool_] | None = None
    scores: Scores | None = None
    groups: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    origin: str = ""
    attacked: Attacked | None = None
    clever: CleverResult | None = None

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each sample is classified correctly, bool, shape (n,)."""
        right: NDArray[np.bool_] = self.predicted == self.samples.labels
        return right

    @property
    def error(self) -> float:
        """Share of samples that are wrong.

        Raises:
            ValueError: there are no samples.
        """
        if not len(self.predicted):
            raise ValueError("a cell of this aggregate has no samples")
        return float(len(self.predicted) - self.right.sum()) / len(self.predicted)


Measured = Mapping[str, Results]
"""Results by cell id."""

Since = Callable[[Measured, Measured, float], Change | None]
"""``since(before, now, level)``: the change for the worse, significant if its p is at most `level`; None if undefined.

The results are those of the cells that the golden limits, and of all members.
"""


@dataclass(frozen=True, slots=True)
class Value:
    """What a kind makes of its members.

    Attributes:
        value: the value; None where it is undefined.
        label: its name in words.
        held: its limits but `max_regression`, each held against it.
        notes: what else to say.
        cells: the members whose goldens `max_regression` is judged by.
        since: see `Since`; None for kinds that no golden limits.
        larger_is_worse: whether the value becomes worse by rising, or by falling.
        details: what else the record holds, JSON values by key.
    """

    value: float | None
    label: str
    held: tuple[Held, ...] = ()
    notes: tuple[str, ...] = ()
    cells: tuple[CellPlan, ...] = ()
    since: Since | None = None
    larger_is_worse: bool = True
    details: Mapping[str, Any] = field(default_factory=dict)


def on_one_set(plan: AggregatePlan, results: Measured) -> Measured:
    """The results with those of clean cut down to the samples of the shifted cells, where these are a part of them.

    Args:
        plan: the aggregate; a comparison of two models holds clean against clean, and keeps it whole, and so does a
            frontier, since accuracy takes more images than distortion.
        results: of its members, or of some of them.

    Raises:
        ValueError: the shifted cells are not all measured on one part.
        RobustError: a sample of the part is none of clean's.
    """
    found = dict(results)
    for whole in plan.members:
        if plan.kind in ("compare", "pareto") or whole.shift.suite != "clean" or whole.id not in results:
            continue
        cells = [cell for cell in shifted(plan, whole.model.name) if cell.id in results]
        if not any(is_part(cell.shift, whole.shift) for cell in cells):
            continue
        part = results[cells[0].id].samples
        if any(results[cell.id].samples.ids != part.ids for cell in cells):
            raise ValueError(f"{plan.kind} holds cells against clean, and they are measured on different samples")
        at = places(part, results[whole.id].samples)
        own = results[whole.id]
        near_tie = None if own.near_tie is None else own.near_tie[at]
        labels = own.samples.labels[at]
        found[whole.id] = replace(
            own, samples=replace(part, labels=labels), predicted=own.predicted[at], near_tie=near_tie
        )
    return found


def settled(now: Results, before: Results) -> Results:
    """The same results with every near tie put back to what the golden has there."""
    if before.near_tie is None:
        return now
    return replace(now, predicted=np.where(before.near_tie, before.predicted, now.predicted))


def paired(now: Results, before: Results, weight: float) -> PairedCell:
    """A cell of golden and candidate, or of two models."""
    return PairedCell(now.samples.digest, now.samples.ids, before.right, now.right, weight)


def weighted(weigh: Callable[[Measured, Measured], Mapping[str, float] | None]) -> Since:
    """The change of a weighted sum of errors.

    Args:
        weigh: from the results before and now the weight of each cell's error by id, the same whichever of an image's
            two results is called the golden's; None where the value is undefined.
    """

    def since(before: Measured, now: Measured, level: float) -> Images | None:
        weights = weigh(before, now)
        if weights is None:
            return None
        return split([paired(now[name], before[name], weight) for name, weight in weights.items() if weight])

    return since


def limits(
    plan: AggregatePlan,
    label: str,
    value: float | None,
    undefined: str = "",
    show: Callable[[float, int], str] = number,
) -> tuple[Held, ...]:
    """The plain limits `min` and `max`, each held against the value; see `bounded`."""
    return tuple(
        bounded(label, value, plan.limits[key], at_most=key == "max", undefined=undefined, show=show)
        for key in LIMITS[plan.kind]
        if key in ("min", "max") and key in plan.limits
    )


def shifted(plan: AggregatePlan, model: str) -> tuple[CellPlan, ...]:
    """A model's members but the clean one, in the order of the plan."""
    return tuple(cell for cell in plan.members if cell.model.name == model and cell.shift.suite != "clean")


def clean(plan: AggregatePlan, model: str) -> CellPlan:
    """A model's clean member.

    Raises:
        ValueError: there is none.
    """
    cells = (cell for cell in plan.members if cell.model.name == model and cell.shift.suite == "clean")
    found = next(cells, None)
    if found is None:
        raise ValueError(f"{plan.kind} needs the clean cell of {model}")
    return found
