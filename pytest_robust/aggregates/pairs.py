"""Values of one model against another on the same images: gain and error reduction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_robust.aggregates.errors import ratio_weights
from pytest_robust.aggregates.values import Measured, Value, clean, paired, shifted, weighted
from pytest_robust.metrics.mean_error import mean_error
from pytest_robust.metrics.relative import relative_error_reduction
from pytest_robust.verdict import Held, PairedCell, Verdict, bounded_surely, interval, reduction_interval, split, tango
from pytest_robust.verdict.wording import percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_robust.spec.plan import AggregatePlan, CellPlan


def compare(plan: AggregatePlan, measured: Measured, alpha: float) -> Value:
    """Gain in mean accuracy over another model; a limit within its interval leaves it open."""
    ours, theirs = plan.models
    cells, others = shifted(plan, ours), shifted(plan, theirs)
    pairs = _pairs(plan, measured, others, cells)
    gain = 0.0 - split(pairs).total
    held = []
    if "min_gain" in plan.limits:
        low, high = _bounds(pairs, alpha)
        label, limit = f"gain over {theirs}", plan.limits["min_gain"]
        held.append(bounded_surely(label, gain, (-high, -low), limit, at_most=False, alpha=alpha))
    if "max_clean_loss" in plan.limits:
        unshifted = _pairs(plan, measured, [clean(plan, theirs)], [clean(plan, ours)])
        label, limit = f"clean loss to {theirs}", plan.limits["max_clean_loss"]
        loss = split(unshifted).total
        held.append(bounded_surely(label, loss, _bounds(unshifted, alpha), limit, at_most=True, alpha=alpha))
    weights = dict.fromkeys((cell.id for cell in cells), 1 / len(cells))
    weights |= dict.fromkeys((cell.id for cell in others), -1 / len(others))
    return Value(
        gain,
        f"gain over {theirs}",
        tuple(held),
        _geometry(plan),
        (*cells, *others),
        weighted(lambda *_: weights),
        larger_is_worse=False,
    )


def error_reduction(plan: AggregatePlan, measured: Measured, alpha: float) -> Value:
    """Share of another model's mean error that is avoided; undefined where the other makes no error."""
    ours, theirs = plan.models
    cells, others = shifted(plan, ours), shifted(plan, theirs)
    pairs = _pairs(plan, measured, others, cells)
    error, reference = (mean_error({cell.id: measured[cell.id].error for cell in each}) for each in (cells, others))
    value = relative_error_reduction(reference, error)
    label = f"relative error reduction against {theirs}"
    held = []
    if value is None:
        held.append(Held(Verdict.INCONCLUSIVE, f"{label} is undefined: {theirs} makes no error"))
    elif "min" in plan.limits:
        bounds, limit = reduction_interval(pairs, alpha), plan.limits["min"]
        held.append(bounded_surely(label, value, bounds, limit, at_most=False, alpha=alpha, show=percent))

    def weigh(before: Measured, now: Measured) -> Mapping[str, float] | None:
        return ratio_weights(cells, others, before, now)

    return Value(value, label, tuple(held), _geometry(plan), (*cells, *others), weighted(weigh), larger_is_worse=False)


def _geometry(plan: AggregatePlan) -> tuple[str, ...]:
    if plan.options.get("same_geometry", True):
        return ()
    return (f"{plan.models[0]} and {plan.models[1]} see canvases of other geometry",)


def _pairs(
    plan: AggregatePlan, measured: Measured, first: Sequence[CellPlan], second: Sequence[CellPlan]
) -> list[PairedCell]:
    """Cells of two models side by side, by shift.

    Raises:
        ValueError: a model lacks a cell, or was measured on other samples.
    """
    by_key = {cell.key: cell for cell in second}
    pairs = []
    if by_key.keys() != {cell.key for cell in first}:
        lacking = sorted(by_key.keys() ^ {cell.key for cell in first})
        raise ValueError(f"{plan.models[0]} and {plan.models[1]} were not both measured on {', '.join(lacking[:3])}")
    for cell in first:
        one, two = measured[cell.id], measured[by_key[cell.key].id]
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
