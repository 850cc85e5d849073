"""Values that look at samples by class or by score: worst class, phase reliance, calibration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.aggregates.values import Measured, Value, clean, limits, shifted
from pytest_robust.metrics import calibration
from pytest_robust.metrics.groups import accuracy_per_class, worst_class
from pytest_robust.metrics.phase import Followed, followed
from pytest_robust.report.counted import counted
from pytest_robust.shifts.swaps import partner_of
from pytest_robust.verdict import Images, PairedCell, exchanged, split
from pytest_robust.verdict.wording import percent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_robust.aggregates.values import Results
    from pytest_robust.measurement import Scores
    from pytest_robust.spec.plan import AggregatePlan, CellPlan
    from pytest_robust.verdict import Exchanged

    Labels = NDArray[np.uint16]


def worst(plan: AggregatePlan, measured: Measured, _: float) -> Value:
    """Accuracy of the worst class, averaged over the cells that have it."""
    cells = shifted(plan, plan.models[0])
    found = worst_class([accuracy_per_class(measured[c.id].samples.labels, measured[c.id].right) for c in cells])
    known = cells[0].shift.main or cells[0].shift.dataset
    name = known.classes[found.label] if isinstance(known.classes, tuple) else str(found.label)
    label = f"accuracy of the worst class ({name}) over {counted(cells, 'cell')}"

    def since(before: Measured, now: Measured, level: float) -> Exchanged | None:
        parts = _by_class([(before[cell.id], now[cell.id]) for cell in cells])
        return exchanged(parts, lambda errors: errors.max(axis=-1), level)

    held = limits(plan, label, found.accuracy, show=percent)
    return Value(found.accuracy, label, held, cells=cells, since=since, larger_is_worse=False)


def _by_class(cells: Sequence[tuple[Results, Results]]) -> list[list[PairedCell]]:
    """Per class its samples in every cell that has it; the mean over those cells is the class's error."""
    parts: dict[int, list[PairedCell]] = {}
    for before, now in cells:
        labels, first, second = now.samples.labels, before.right, now.right
        order = np.argsort(labels, kind="stable")
        classes, starts = np.unique(labels[order], return_index=True)
        for label, rows in zip(classes.tolist(), np.split(order, starts[1:]), strict=True):
            ids = [now.samples.ids[row] for row in rows.tolist()]
            parts.setdefault(label, []).append(PairedCell(now.samples.digest, ids, first[rows], second[rows], 1.0))
    return [[replace(cell, weight=1 / len(part)) for cell in part] for part in parts.values()]


def phase_reliance(plan: AggregatePlan, measured: Measured, _: float) -> Value:
    """Share of predictions that follow the owner of the phase less those that follow the owner of the amplitude."""
    model = plan.models[0]
    cells, own = shifted(plan, model), clean(plan, model)
    found = {c.id: followed(measured[c.id].predicted, *_owners(c, measured[own.id], measured[c.id])) for c in cells}
    shares = [share for share in found.values() if share is not None]
    value = None if len(shares) < len(cells) else sum(share.reliance for share in shares) / len(shares)
    label = f"phase reliance over {counted(cells, 'cell')}"
    notes = tuple(_in_words(cell.key, found[cell.id]) for cell in cells)

    def since(before: Measured, now: Measured, level: float) -> Images | None:
        pairs = []
        for cell in cells:
            owners = _owners(cell, measured[own.id], now[cell.id])
            pairs += _following(before[cell.id], now[cell.id], *owners, 1 / len(cells))
        return split(pairs) if len(pairs) == 2 * len(cells) else None

    held = limits(plan, label, value, "no mixed image has owners of two classes")
    return Value(value, label, held, notes, cells, since, larger_is_worse=False)


def _owners(cell: CellPlan, unmixed: Results, mixed: Results) -> tuple[Labels, Labels]:
    """The classes of the images that gave the phase, and the amplitude.

    Raises:
        ValueError: the mixed images are not those of the clean cell.
    """
    samples = unmixed.samples
    if mixed.samples.ids != samples.ids:
        raise ValueError(f"{cell.key} and clean were measured on other samples, so the mixed classes are not known")
    other = samples.labels[partner_of(cell.shift.dataset.seed, samples.ids)]
    return (other, samples.labels) if cell.shift.shift == "phase_swap" else (samples.labels, other)


def _following(before: Results, now: Results, phase: Labels, amplitude: Labels, weight: float) -> list[PairedCell]:
    """The two sides of a cell's reliance, over the pairs that tell: to lose the phase is worse, to lose the other not.

    None where no pair tells.
    """
    rows = np.flatnonzero(phase != amplitude)
    if not len(rows):
        return []
    ids = [now.samples.ids[row] for row in rows.tolist()]
    was, now_is = before.predicted[rows], now.predicted[rows]
    return [
        PairedCell(now.samples.digest, ids, was == owner[rows], now_is == owner[rows], sign * weight)
        for owner, sign in ((phase, 1), (amplitude, -1))
    ]


def _in_words(key: str, share: Followed | None) -> str:
    if share is None:
        return f"{key}: no mixed image has owners of two classes"
    follows = f"follows the phase {percent(share.phase)}, the amplitude {percent(share.amplitude)}"
    return f"{key}: {follows} of {counted(share.n, 'mixed image')} of two classes"


def scores(plan: AggregatePlan, measured: Measured, _: float) -> Value:
    """A number from the probabilities: the mean over cells."""
    metric = str(plan.options["metric"])
    found = [_METRICS[metric](_scores(cell, measured), measured[cell.id]) for cell in plan.members]
    values = [value for value in found if value is not None]
    value = None if len(values) < len(found) else sum(values) / len(values)
    label = f"{_NAMES[metric]} over {counted(plan.members, 'cell')}"
    return Value(value, label, limits(plan, label, value, "a true class is none that the prediction is chosen from"))


_NAMES = {"ece": "ECE", "rmsce": "RMSCE", "nll": "NLL", "brier": "Brier score", "top5_error": "top-5 error"}
_METRICS: Mapping[str, Callable[[Scores, Results], float | None]] = {
    "ece": lambda scores, results: calibration.ece(scores.confidence, results.right),
    "rmsce": lambda scores, results: calibration.rmsce(scores.confidence, results.right),
    "nll": lambda scores, _: calibration.mean_nll(scores),
    "brier": lambda scores, _: calibration.mean_brier(scores),
    "top5_error": lambda scores, _: 1 - calibration.top5_accuracy(scores),
}


def _scores(cell: CellPlan, measured: Measured) -> Scores:
    found = measured[cell.id].scores
    if found is None:
        raise ValueError(f"what the probabilities of {cell.id} say was not kept; run it again with `scores: true`")
    return found
