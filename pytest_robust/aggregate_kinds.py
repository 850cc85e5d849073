"""The kinds of aggregates: from the results of their members to a value, its limits held, and its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_robust.metrics.corruption_error import ALEXNET_CLEAN_ERROR, corruption_weights
from pytest_robust.metrics.groups import accuracy_per_class, worst_class
from pytest_robust.metrics.mean_error import mean_error
from pytest_robust.metrics.monotone import largest_rise
from pytest_robust.metrics.relative import imperceptible_corruption_error
from pytest_robust.metrics.trend import pearson, spearman, weakest_side
from pytest_robust.spec.mce import STAND_INS
from pytest_robust.verdict import Held, PairedCell, bounded, bounded_surely, interval, split, tango
from pytest_robust.verdict.wording import percent, points

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pytest_robust.measurement import Samples
    from pytest_robust.spec.plan import AggregatePlan, CellPlan


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """What a model got right in one cell.

    Attributes:
        samples: the samples of the cell.
        right: whether each of them is classified correctly, bool, shape (n,).
        near_tie: samples whose result may be numeric noise, bool, shape (n,); None where such noise cannot have
            changed a result, as between equal device classes and onnxruntime versions.
    """

    samples: Samples
    right: NDArray[np.bool_]
    near_tie: NDArray[np.bool_] | None = None

    @property
    def error(self) -> float:
        """Share of samples that are wrong.

        Raises:
            ValueError: there are no samples.
        """
        if not len(self.right):
            raise ValueError("a cell of this aggregate has no samples")
        return float(len(self.right) - self.right.sum()) / len(self.right)


Measured = Mapping[str, Results]
"""Results by cell id."""


@dataclass(frozen=True, slots=True)
class Value:
    """What a kind makes of its members: the value, its name in words, its limits, and what else to say.

    `weights` is, for the kinds that a golden limits, what the error of each of the judged model's cells counts in a
    change of the value: given the golden's errors by cell id, the weights by cell id.
    """

    value: float | None
    label: str
    held: tuple[Held, ...] = ()
    notes: tuple[str, ...] = ()
    weights: Callable[[Mapping[str, float]], Mapping[str, float] | None] | None = None


def paired(now: Results, before: Results, weight: float, *, firm: bool = False) -> PairedCell:
    """A cell of golden and candidate; where `firm`, near ties count as unchanged."""
    second = now.right
    if firm and before.near_tie is not None:
        second = (now.right & ~before.near_tie) | (before.right & before.near_tie)
    return PairedCell(now.samples.digest, now.samples.ids, before.right, second, weight)


def _maximum(plan: AggregatePlan, label: str, value: float | None) -> tuple[Held, ...]:
    if "max" not in plan.limits:
        return ()
    return (bounded(label, value, plan.limits["max"], at_most=True, undefined="the clean error is 0"),)


def _shifted(plan: AggregatePlan, model: str) -> list[CellPlan]:
    return [cell for cell in plan.members if cell.model.name == model and cell.shift.suite != "clean"]


def _clean(plan: AggregatePlan, model: str) -> CellPlan | None:
    cells = (cell for cell in plan.members if cell.model.name == model and cell.shift.suite == "clean")
    return next(cells, None)


def _mce(plan: AggregatePlan, measured: Measured, _: float) -> Value:
    reference = str(plan.options["reference"])
    ours = _shifted(plan, plan.models[0])
    keys = {cell.id: (cell.shift.shift, float(cell.shift.severity or 0)) for cell in ours}
    note = ""
    if reference == "alexnet":
        theirs, clean = None, ALEXNET_CLEAN_ERROR
        published = {stand_in: shift for shift, stand_in in STAND_INS.items()}
        if taken := sorted({shift for shift, _ in keys.values()} & published.keys()):
            note = f", {', '.join(f'{shift} in place of {published[shift]}' for shift in taken)}"
        keys = {name: (published.get(shift, shift), severity) for name, (shift, severity) in keys.items()}
    else:
        others = _shifted(plan, reference)
        theirs = {(c.shift.shift, float(c.shift.severity or 0)): measured[c.id].error for c in others}
        unshifted = _clean(plan, reference)
        clean = measured[unshifted.id].error if unshifted else 0.0
    relative = bool(plan.options.get("relative"))
    found = corruption_weights(keys.values(), theirs, clean if relative else None)
    weights = {name: found.cells[key] for name, key in keys.items()}
    own_clean = _clean(plan, plan.models[0])
    if relative and own_clean:
        weights[own_clean.id] = found.clean
    value = sum(weight * measured[name].error for name, weight in weights.items())
    shifts = len(dict.fromkeys(cell.shift.shift for cell in ours))
    kind = "relative mCE" if relative else "mCE"
    label = f"{kind} against {reference} over {shifts} corruption{'s' * (shifts > 1)}{note}"
    return Value(value, label, _maximum(plan, label, value), weights=lambda _: weights)


def _mean_error(plan: AggregatePlan, measured: Measured, _: float) -> Value:
    cells = _shifted(plan, plan.models[0])
    value = mean_error({cell.id: measured[cell.id].error for cell in cells})
    shifts = len(dict.fromkeys((cell.shift.entry, cell.shift.shift) for cell in cells))
    label = f"mean error over {shifts} shift{'s' * (shifts > 1)}"
    weights = {cell.id: 1 / len(cells) for cell in cells}
    return Value(value, label, _maximum(plan, label, value), weights=lambda _: weights)


def _ice(plan: AggregatePlan, measured: Measured, _: float) -> Value:
    model = plan.models[0]
    cells, clean = _shifted(plan, model), _clean(plan, model)
    if clean is None:
        raise ValueError("iCE needs the clean cell")
    own = clean.id
    errors = {name: one.error for name, one in measured.items()}
    value = imperceptible_corruption_error([errors[cell.id] for cell in cells], errors[own])
    label = f"iCE over {len(cells)} shift{'s' * (len(cells) > 1)}"

    def weights(before: Mapping[str, float]) -> Mapping[str, float] | None:
        # With mean error m and clean error e, now and before (M, E): m/e - M/E = ((m - M)(e + E) - (e - E)(m + M))
        # / 2eE. The sums stay the same whichever of the two results of an image is called the golden's, so this is a
        # weighted sum of changes, and the sign-flip test of it is exact.
        sums = {name: errors[name] + before[name] for name in before}
        both = 2 * errors[own] * before[own]
        if not both:
            return None
        mean = sum(sums[cell.id] for cell in cells) / len(cells)
        return {own: -mean / both} | {cell.id: sums[own] / (len(cells) * both) for cell in cells}

    return Value(value, label, _maximum(plan, label, value), weights=weights)


def _ladder(plan: AggregatePlan, measured: Measured) -> tuple[list[tuple[float, float]], str]:
    """(severity, drop from clean) of the cells, and their suite."""
    clean = _clean(plan, plan.models[0])
    cells = _shifted(plan, plan.models[0])
    if clean is None:
        raise ValueError(f"{plan.kind} needs the clean cell")
    base = measured[clean.id].error
    return [(float(cell.shift.severity or 0), measured[cell.id].error - base) for cell in cells], cells[0].shift.suite


def _trend(plan: AggregatePlan, measured: Measured, _: float) -> Value:
    ladder, suite = _ladder(plan, measured)
    values = {
        "spearman": weakest_side(ladder, suite, spearman),
        "pearson": weakest_side(ladder, suite, pearson),
    }
    asked = [name for name in values if f"min_{name}" in plan.limits]
    labels = {name: f"{name.title()} correlation of strength and drop" for name in asked}
    held = tuple(
        bounded(
            labels[name], values[name], plan.limits[f"min_{name}"], at_most=False, undefined="accuracy does not vary"
        )
        for name in asked
    )
    return Value(values[asked[0]], labels[asked[0]], held)


def _monotone(plan: AggregatePlan, measured: Measured, _: float) -> Value:
    value = largest_rise(*_ladder(plan, measured))
    label = "largest rise of accuracy with strength"
    return Value(value, label, (bounded(label, value, plan.limits["allowance"], at_most=True, show=points),))


def _worst_class(plan: AggregatePlan, measured: Measured, _: float) -> Value:
    cells = [measured[cell.id] for cell in _shifted(plan, plan.models[0])]
    worst = worst_class([accuracy_per_class(one.samples.labels, one.right) for one in cells])
    label = f"accuracy of the worst class ({worst.label}) over {len(cells)} cell{'s' * (len(cells) > 1)}"
    return Value(
        worst.accuracy, label, (bounded(label, worst.accuracy, plan.limits["min"], at_most=False, show=percent),)
    )


def _compare(plan: AggregatePlan, measured: Measured, alpha: float) -> Value:
    ours, theirs = plan.models
    held = []
    pairs = _pairs(plan, measured, _shifted(plan, theirs), _shifted(plan, ours))
    images = split(pairs)
    gain = -images.total
    if "min_gain" in plan.limits:
        low, high = _bounds(pairs, alpha)
        label, limit = f"gain over {theirs}", plan.limits["min_gain"]
        held.append(bounded_surely(label, gain, (-high, -low), limit, at_most=False, alpha=alpha))
    if "max_clean_loss" in plan.limits:
        clean = _pairs(plan, measured, [_clean(plan, theirs)], [_clean(plan, ours)])
        label, limit = f"clean loss to {theirs}", plan.limits["max_clean_loss"]
        loss = split(clean).total
        held.append(bounded_surely(label, loss, _bounds(clean, alpha), limit, at_most=True, alpha=alpha))
    notes = () if plan.options.get("same_geometry", True) else (f"{ours} and {theirs} see canvases of other geometry",)
    return Value(gain, f"gain over {theirs}", tuple(held), notes)


def _pairs(
    plan: AggregatePlan,
    measured: Measured,
    first: Sequence[CellPlan | None],
    second: Sequence[CellPlan | None],
) -> list[PairedCell]:
    """Cells of two models side by side, by shift.

    Raises:
        ValueError: a model lacks a cell, or was measured on other samples.
    """
    by_key = {cell.key: cell for cell in second if cell is not None}
    pairs = []
    for cell in first:
        other = by_key.get(cell.key) if cell else None
        if cell is None or other is None or len(by_key) != len(first):
            raise ValueError(f"{plan.models[0]} and {plan.models[1]} were not measured on the same cells")
        one, two = measured[cell.id], measured[other.id]
        if one.samples.digest != two.samples.digest:
            raise ValueError(f"{plan.models[0]} and {plan.models[1]} were measured on other samples of {cell.key}")
        pairs.append(paired(two, one, 1 / len(first)))
    return pairs


def _bounds(pairs: Sequence[PairedCell], alpha: float) -> tuple[float, float]:
    """Interval of the loss: Tango's for a single cell, where it is exact enough for any number of samples."""
    if len(pairs) > 1:
        return interval(split(pairs), alpha)
    (pair,) = pairs
    lost, won = int((pair.first & ~pair.second).sum()), int((pair.second & ~pair.first).sum())
    return tango(lost, won, len(pair.ids), 1 - 2 * alpha)


KINDS: Mapping[str, Callable[[AggregatePlan, Measured, float], Value]] = {
    "mce": _mce,
    "mean_error": _mean_error,
    "ice": _ice,
    "trend": _trend,
    "monotone": _monotone,
    "worst_class": _worst_class,
    "compare": _compare,
}
"""Each takes the aggregate, its members' results and the gate's alpha.

They raise ValueError where a value makes no sense, as without a needed cell.
"""
