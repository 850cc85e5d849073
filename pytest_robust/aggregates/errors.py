"""Values that are weighted sums of errors: mCE, mean error, iCE, SI-Score's means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_robust.aggregates.values import Measured, Value, clean, limits, shifted, weighted
from pytest_robust.metrics.corruption_error import ALEXNET_CLEAN_ERROR, corruption_weights
from pytest_robust.metrics.groups import group_accuracies, unweighted_mean
from pytest_robust.metrics.mean_error import COMMON_15, COMMON_19, NOISE, WITHOUT_NOISE, mean_error
from pytest_robust.metrics.relative import imperceptible_corruption_error
from pytest_robust.report.counted import counted
from pytest_robust.spec.mce import STAND_INS
from pytest_robust.verdict.wording import percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_robust.aggregates.values import Results
    from pytest_robust.spec.plan import AggregatePlan, CellPlan

_PUBLISHED = {stand_in: shift for shift, stand_in in STAND_INS.items()}

_KNOWN_SETS = {
    frozenset(COMMON_15): "over the 15 corruptions of ImageNet-C",
    frozenset(COMMON_19): "over the 19 corruptions of ImageNet-C and its extras",
    frozenset(WITHOUT_NOISE): "without noise, over 15 of the 19 corruptions",
    frozenset(COMMON_15).difference(NOISE): "without noise, over 12 of the 15 corruptions",
}


def mce(plan: AggregatePlan, measured: Measured, _: float) -> Value:
    """Mean corruption error, plain or relative; the reference's errors are this run's, before and now."""
    reference = str(plan.options["reference"])
    ours = shifted(plan, plan.models[0])
    keys = {cell.id: (cell.shift.shift, float(cell.shift.severity or 0)) for cell in ours}
    relative = bool(plan.options.get("relative"))
    note = ""
    if reference == "alexnet":
        theirs, unshifted = None, ALEXNET_CLEAN_ERROR
        note = _stand_ins(ours)
        keys = {name: (_PUBLISHED.get(shift, shift), severity) for name, (shift, severity) in keys.items()}
    else:
        others = shifted(plan, reference)
        theirs = {(c.shift.shift, float(c.shift.severity or 0)): measured[c.id].error for c in others}
        unshifted = measured[clean(plan, reference).id].error if relative else 0.0
    found = corruption_weights(keys.values(), theirs, unshifted if relative else None)
    weights = {name: found.cells[key] for name, key in keys.items()}
    cells = ours
    if relative:
        own = clean(plan, plan.models[0])
        weights[own.id] = found.clean
        cells = (own, *ours)
    value = sum(weight * measured[name].error for name, weight in weights.items())
    shifts = counted({cell.shift.shift for cell in ours}, "corruption")
    label = f"{'relative mCE' if relative else 'mCE'} against {reference} over {shifts}{note}"
    return Value(value, label, limits(plan, label, value), cells=cells, since=weighted(lambda *_: weights))


def mean(plan: AggregatePlan, measured: Measured, _: float) -> Value:
    """Mean error over cells; papers call several of them mCE, so the label says over which."""
    cells = shifted(plan, plan.models[0])
    value = mean_error({cell.id: measured[cell.id].error for cell in cells})
    label = f"mean error {_over(plan, cells)}"
    weights = dict.fromkeys((cell.id for cell in cells), 1 / len(cells))
    return Value(value, label, limits(plan, label, value), cells=cells, since=weighted(lambda *_: weights))


def ice(plan: AggregatePlan, measured: Measured, _: float) -> Value:
    """Imperceptible corruption error: the growth of the error relative to clean."""
    model = plan.models[0]
    cells, own = shifted(plan, model), clean(plan, model)
    value = imperceptible_corruption_error([measured[cell.id].error for cell in cells], measured[own.id].error)
    label = f"iCE over {counted(cells, 'shift')}"
    held = limits(plan, label, value, "the clean error is 0")

    def weigh(before: Measured, now: Measured) -> Mapping[str, float] | None:
        return ratio_weights(cells, [own], before, now)

    return Value(value, label, held, cells=(own, *cells), since=weighted(weigh))


def group_means(plan: AggregatePlan, measured: Measured, _: float) -> Value:
    """Accuracy per shift as the mean over its values, and the unweighted mean of those."""
    cells = shifted(plan, plan.models[0])
    by_shift: dict[str, list[CellPlan]] = {}
    for cell in cells:
        by_shift.setdefault(cell.shift.shift, []).append(cell)
    groups = {
        shift: [one for cell in own for one in _accuracies(measured[cell.id], shift)] for shift, own in by_shift.items()
    }
    means = {shift: unweighted_mean(values) for shift, values in groups.items()}
    value = unweighted_mean(means.values())
    label = f"mean of the group means of {', '.join(means)}"
    notes = tuple(
        f"{shift}: mean accuracy {percent(found)} over {counted(groups[shift], 'value')}"
        for shift, found in means.items()
    )
    weights = {cell.id: 1 / (len(means) * len(own)) for own in by_shift.values() for cell in own}
    return Value(
        value,
        label,
        limits(plan, label, value, show=percent),
        notes,
        cells,
        weighted(lambda *_: weights),
        larger_is_worse=False,
    )


def ratio_weights(
    above: Sequence[CellPlan], below: Sequence[CellPlan], before: Measured, now: Measured
) -> Mapping[str, float] | None:
    """The weights of cells' errors in the change of a ratio of two mean errors; None where a mean is 0.

    With the means m above and e below, now, and M and E before: m/e - M/E = ((m - M)(e + E) - (e - E)(m + M)) / 2eE.
    The sums stay the same whichever of the two results of an image is called the golden's, so this is a weighted sum
    of changes, and the sign-flip test of it is exact.
    """
    m, e = (mean_error({cell.id: now[cell.id].error for cell in cells}) for cells in (above, below))
    was_m, was_e = (mean_error({cell.id: before[cell.id].error for cell in cells}) for cells in (above, below))
    both = 2 * e * was_e
    if not both:
        return None
    over = dict.fromkeys((cell.id for cell in above), (e + was_e) / (both * len(above)))
    return over | dict.fromkeys((cell.id for cell in below), -(m + was_m) / (both * len(below)))


def _accuracies(results: Results, shift: str) -> list[float]:
    """A cell's accuracy, or that of each value where the cell holds several."""
    return list(group_accuracies(results.groups, shift).values()) or [1 - results.error]


def _over(plan: AggregatePlan, cells: Sequence[CellPlan]) -> str:
    """Which shifts a mean is over, by the name of the set where it is one of the papers'."""
    names = {_PUBLISHED.get(cell.shift.shift, cell.shift.shift) for cell in cells}
    suites = {cell.shift.suite for cell in cells}
    shifts = counted({(cell.shift.entry, cell.shift.shift) for cell in cells}, "shift")
    if suites <= {"imagenet-c", "imagenet-c-extra"} and frozenset(names) in _KNOWN_SETS:
        return _KNOWN_SETS[frozenset(names)] + _stand_ins(cells)
    if suites == {"lp-noise"}:
        return f"over Lp noise, {counted(cells, 'cell')}"
    without = plan.options.get("without")
    return f"over {shifts}" + (f" without {', '.join(map(str, without))}" if isinstance(without, list) else "")


def _stand_ins(cells: Sequence[CellPlan]) -> str:
    taken = sorted({cell.shift.shift for cell in cells} & _PUBLISHED.keys())
    return f", {', '.join(f'{shift} in place of {_PUBLISHED[shift]}' for shift in taken)}" if taken else ""
