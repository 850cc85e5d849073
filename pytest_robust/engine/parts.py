"""What passes over the parts of a data set found, and one measurement of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.engine.store import Failure
from pytest_robust.measurement import Measurement, count_correct, count_groups
from pytest_robust.models import Prediction
from pytest_robust.models.augmentations import added, weight_means
from pytest_robust.models.scoring import joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_robust.data import Dataset
    from pytest_robust.measurement import Provenance, Scores
    from pytest_robust.spec.plan import Json, ShiftPlan
    from pytest_robust.views.base import Derived

DIGESTED = 32
"""How many shifted canvases the canvas digest covers."""


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What one model said of a part of a data set.

    Attributes:
        made: predictions and scores, in the order of the samples; `dubious` if those of all batches are.
        doubt: why the whole cannot be scored if every part of it is dubious.
        provenance: what made them.
        canvas_digest: sha256 over the first `DIGESTED` canvases of the part as this model was shown them.
        seconds: spent on inference.
        notes: sentences on how they were made that a reader must know.
    """

    made: Prediction
    doubt: str | None
    provenance: Provenance
    canvas_digest: str
    seconds: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What a pass over a part of a data set found, by the names of its takes; `join` makes measurements of it.

    Attributes:
        found: what each model said, or why it cannot say it.
        parameters: the shift's numbers for canvases of this size.
        seconds: spent on ``decode``, ``shift`` and in ``total``.
        damaged: how many canvases had to be decoded anew.
    """

    found: Mapping[str, Taken | Failure]
    parameters: Mapping[str, Json] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    damaged: int = 0


def join(
    name: str,
    parts: Sequence[Part],
    shift: ShiftPlan,
    dataset: Dataset,
    shape: tuple[int, int, int],
    derived: Derived | None,
) -> Measurement | Failure:
    """One model's result over a whole data set: the same, but for the times, however it was cut.

    Args:
        name: the take's.
        parts: all of them, in the order of the samples.
        shift: what was shown.
        dataset: the whole, as the models saw it.
        shape: of its canvases.
        derived: what the shift is where it is a view.
    """
    found: list[Taken] = []
    for part in parts:
        one = part.found[name]
        if isinstance(one, Failure):
            return one
        found.append(one)
    if differing := _differing(found):
        return Failure(differing)
    if all(one.made.dubious for one in found) and found[0].doubt is not None:
        return Failure(found[0].doubt)
    seconds = {kind: sum(part.seconds[kind] for part in parts) for kind in parts[0].seconds}
    seconds["inference"] = sum(one.seconds for one in found)
    samples, provenance = dataset.samples, found[0].provenance
    made = as_one([one.made for one in found])
    return Measurement(
        samples=samples.digest,
        predicted=made.predicted,
        near_tie=made.near_tie,
        correct=count_correct(made.predicted, samples.labels),
        shift_version=shift.version,
        canvas_digest=found[0].canvas_digest,
        provenance=replace(provenance, options={**provenance.options, **libraries()}),
        parameters=parts[0].parameters,
        seconds={kind: round(value, 4) for kind, value in seconds.items()},
        source=derived.source if derived else "generated",
        groups=count_groups(made.predicted, samples.labels, dataset.groups),
        notes=(
            *_misfit(shift, shape),
            *(derived.notes if derived else ()),
            *dataset.notes,
            *_unscored(made.scores),
            *dict.fromkeys(note for one in found for note in one.notes),
        ),
        scores=made.scores,
        enhancer_weights=None if made.weight_sums is None else weight_means(made.weight_sums, len(made.predicted)),
    )


@cache
def libraries() -> dict[str, str]:
    """Versions of what decodes and shifts images: where a canvas changes, one of these is the likely cause."""
    distributions = {"pillow": "pillow", "numpy": "numpy", "opencv": "opencv-python-headless", "scipy": "scipy"}
    return {name: metadata.version(distribution) for name, distribution in distributions.items()}


def as_one(parts: Sequence[Prediction]) -> Prediction:
    """The predictions of several batches of one model as one."""
    scores = [part.scores for part in parts if part.scores is not None]
    return Prediction(
        np.concatenate([part.predicted for part in parts]),
        np.concatenate([part.near_tie for part in parts]),
        joined(scores) if scores else None,
        all(part.dubious for part in parts),
        added([part.weight_sums for part in parts]),
    )


def _differing(found: Sequence[Taken]) -> str | None:
    """Why parts that were made on different machines are no measurement, or None."""
    first = found[0].provenance
    for other in (one.provenance for one in found[1:]):
        if (other.device_class, other.onnxruntime) != (first.device_class, first.onnxruntime):
            return (
                f"a part was measured on {first.device_class} with onnxruntime {first.onnxruntime} and another on "
                f"{other.device_class} with {other.onnxruntime}; use machines of one kind, or set --robust-device"
            )
    return None


def _misfit(shift: ShiftPlan, shape: tuple[int, int, int]) -> tuple[str, ...]:
    height, width = shape[:2]
    if shift.side is None or (height, width) == (shift.side, shift.side):
        return ()
    return (
        f"the strength is meant for canvases of {shift.side}x{shift.side} pixels and these have {height}x{width}, "
        "where it is another one",
    )


def _unscored(scores: Scores | None) -> tuple[str, ...]:
    if scores is None or not (lost := np.count_nonzero(np.isnan(scores.nll))):
        return ()
    return (f"NLL and Brier score are undefined: the model has no output for the labels of {lost} samples",)


def damage(parts: Sequence[Part]) -> tuple[str, ...]:
    """What a reader of a result must know of canvases that came from the cache."""
    count = sum(part.damaged for part in parts)
    return (f"the cache held {count} canvas{'es' * (count != 1)} damaged, decoded anew",) if count else ()
