"""CLEVER of a model: the mean of its scores on some clean images, with all that the scores depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.aggregates.values import Measured, Value, clean
from pytest_robust.report.counted import counted
from pytest_robust.verdict import Held, Verdict, bounded
from pytest_robust.verdict.aggregate import number

if TYPE_CHECKING:
    from pytest_robust.spec.plan import AggregatePlan

_NOBODY = "the model has none of the images right, or every target is a label"


def clever(plan: AggregatePlan, measured: Measured, _: float) -> Value:
    """The mean score; an estimate of a lower bound of the distortion that turns an image, no proof of it."""
    found = measured[clean(plan, plan.models[0]).id].clever
    if found is None:
        raise ValueError(f"the gradients of {plan.models[0]} were not sampled")
    options = plan.options
    label = (
        f"CLEVER {options['norm']} ({counted(found.scored, 'image')}, {options['targets']} targets, "
        f"{options['batches']} batches of {options['points']} points within {options['radius']:g})"
    )
    value = found.mean
    if "min_clever" in plan.limits:
        held = bounded(label, value, plan.limits["min_clever"], at_most=False, undefined=_NOBODY)
    else:
        shown = f"is undefined: {_NOBODY}" if value is None else number(value)
        held = Held(Verdict.PASS, f"{label} {shown}")
    others = ", the others the largest one met" if found.fitted < found.estimates else ""
    notes = [f"{found.fitted} of {counted(found.estimates, 'slope')} fitted{others}"]
    if left := len(found.scores) - len(found.scored):
        notes.append(f"{counted(left, 'image')} without a score: wrong when clean, or the target is the label")
    if found.flat:
        notes.append(
            f"{found.flat} of {counted(found.scored, 'image')} have no slope within the radius: gradients may be masked"
        )
    if capped := int((found.scored >= float(str(options["radius"]))).sum()) - found.flat:
        notes.append(
            f"{capped} of {counted(found.scored, 'score')} at the radius, which caps them: a larger one may tell more"
        )
    details = {
        **{key: options[key] for key in ("norm", "targets", "batches", "points", "radius", "samples")},
        "scored": len(found.scored),
        "mean": value,
        "std": float(np.std(found.scored)) if len(found.scored) else None,
        "fitted": found.fitted,
        "estimates": found.estimates,
    }
    return Value(value, label, (held,), tuple(notes), details={"clever": details})
