"""One pass: every batch of a data set, or of a part of it, is shifted once and shown to every model that wants it."""

from __future__ import annotations

import hashlib
import time
import traceback
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.engine.ahead import ahead
from pytest_robust.engine.placement import placement_for
from pytest_robust.engine.store import Failure
from pytest_robust.errors import RobustError
from pytest_robust.measurement import Measurement, count_correct, count_groups
from pytest_robust.models import Prediction
from pytest_robust.models.scoring import joined
from pytest_robust.registry import pixel_shift
from pytest_robust.shifts.streams import numbers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import torch
    from numpy.typing import NDArray

    from pytest_robust.data import Dataset
    from pytest_robust.engine.canvases import Canvases
    from pytest_robust.engine.placement import Placement
    from pytest_robust.measurement import Provenance, Scores
    from pytest_robust.models import Model
    from pytest_robust.shifts.base import PixelShift
    from pytest_robust.spec.plan import Json, ShiftPlan
    from pytest_robust.views.base import Derived

DIGESTED = 32
"""How many shifted canvases the canvas digest covers."""

_BATCH = (5 << 18, 64)
"""Bytes of canvases and images in a batch on a CPU: what a network makes of more of them leaves the cache.

An image of 224 pixels takes MobileNetV2 a tenth longer in a batch of 16 than of 8, one of 32 pixels takes ResNet-20
a fifth longer in a batch of 256 than of 64.
"""

_BATCH_ON_GPU = (64 << 20, 256)


@dataclass(slots=True)
class Take:
    """What one model has predicted so far in a pass; `scored` says that its probabilities are asked for too."""

    name: str
    model: Model
    scored: bool = False
    parts: list[Prediction] = field(default_factory=list)
    seconds: float = 0.0
    failure: Failure | None = None


def batch_size_for(shape: tuple[int, int, int], asked: int | None, on_gpu: bool = False) -> int:
    """Images per shifted batch: as asked, or as many as suit the processor, at least 1."""
    size, most = _BATCH_ON_GPU if on_gpu else _BATCH
    return asked or max(1, min(most, size // max(1, int(np.prod(shape)))))


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


def run_pass(
    shift: ShiftPlan,
    seed: int,
    canvases: Canvases,
    derived: Derived | None,
    takes: Sequence[Take],
    batch_size: int,
    running: Callable[[str], None],
    advance: Callable[[int, int], None],
) -> Part:
    """Show a shift to every model, made where the model is.

    Args:
        shift: the shift to make; its parameters are resolved for the canvas size.
        seed: the spec's seed, part of every draw.
        canvases: the images before the shift; those of a view are shown as they are.
        derived: what the shift is where it is a view.
        takes: the models that still want this shift. One that fails leaves the others alone.
        batch_size: images per shifted batch.
        running: told a model's name before that model is run.
        advance: told (done, total) images after every batch.
    """
    started = time.perf_counter()
    samples = canvases.dataset.samples
    pixel = pixel_shift(shift.suite, shift.shift) if derived is None else None
    kept = derived.kept if derived else None
    parameters: Mapping[str, Json] = derived.parameters if derived else {}
    if pixel:
        parameters = numbers_of(pixel, shift, *canvases.shape[:2])
    places = {gpu: placement_for(gpu) for gpu in {take.model.gpu for take in takes}}
    digests = {gpu: hashlib.sha256() for gpu in places}
    decoding = shifting = 0.0
    done = 0
    with closing(ahead(_batches(places, pixel, canvases, batch_size, seed, parameters))) as batches:
        for batch in batches:
            decoding += batch.decoding
            shifting += batch.shifting
            for gpu, images in batch.images.items():
                _digest_first(digests[gpu], places[gpu], batch.positions, images)
            for take in takes:
                if take.failure is None:
                    running(take.name)
                    labels = samples.labels[batch.positions.start : batch.positions.stop] if take.scored else None
                    _predict(take, batch.images[take.model.gpu], shift.changes_size and bool(parameters), kept, labels)
            done += len(batch.positions)
            advance(done, len(samples.ids))
            if all(take.failure for take in takes):
                break
    return Part(
        {
            take.name: take.failure or _taken(take, places[take.model.gpu], digests[take.model.gpu].hexdigest(), seed)
            for take in takes
        },
        parameters,
        {"decode": decoding, "shift": shifting, "total": time.perf_counter() - started},
        len(canvases.damaged),
    )


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
    made = _joined([one.made for one in found])
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
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Shifted images, uint8 (<= batch size, H, W, 3), by GPU, and the seconds that decoding and shifting took."""

    positions: range
    images: Mapping[int | None, NDArray[np.uint8] | torch.Tensor]
    decoding: float
    shifting: float


def _batches(
    places: Mapping[int | None, Placement],
    pixel: PixelShift | None,
    canvases: Canvases,
    size: int,
    seed: int,
    parameters: Mapping[str, Json],
) -> Iterator[_Batch]:
    ids = canvases.dataset.samples.ids
    before = time.perf_counter()
    for positions, images in canvases.batches(size):
        decoded = time.perf_counter()
        here = ids[positions.start : positions.stop]
        shifted = {gpu: place.make(pixel, images, here, seed, parameters) for gpu, place in places.items()}
        made = time.perf_counter()
        yield _Batch(positions, shifted, decoded - before, made - decoded)
        before = time.perf_counter()


@cache
def libraries() -> dict[str, str]:
    """Versions of what decodes and shifts images: where a canvas changes, one of these is the likely cause."""
    distributions = {"pillow": "pillow", "numpy": "numpy", "opencv": "opencv-python-headless", "scipy": "scipy"}
    return {name: metadata.version(distribution) for name, distribution in distributions.items()}


def _digest_first(
    digest: hashlib._Hash, place: Placement, positions: range, shifted: NDArray[np.uint8] | torch.Tensor
) -> None:
    if positions.start == 0:
        digest.update(repr(tuple(shifted.shape[1:])).encode())
    wanted = DIGESTED - positions.start
    if wanted > 0:
        digest.update(np.ascontiguousarray(place.fetch(shifted[:wanted])).tobytes())


def _predict(
    take: Take,
    shifted: NDArray[np.uint8] | torch.Tensor,
    keep_size: bool,
    kept: Sequence[int] | None,
    labels: NDArray[np.uint16] | None,
) -> None:
    before = time.perf_counter()
    try:
        take.parts.append(take.model.predict(shifted, keep_size=keep_size, kept=kept, labels=labels))
    except RobustError as error:
        take.failure = Failure(str(error))
    except MemoryError as error:
        take.failure = Failure(f"memory ran out ({error}); use a smaller --robust-batch-size")
    except Exception as error:  # a defect of ours or of the runtime: this pair fails, the others go on
        take.failure = Failure(f"{type(error).__name__}: {error}", traceback.format_exc())
    take.seconds += time.perf_counter() - before


def _taken(take: Take, place: Placement, canvas_digest: str, seed: int) -> Taken:
    doubt = None
    if take.scored:
        try:
            take.model.scores(take.parts)
        except RobustError as error:
            doubt = str(error)
    made_by = take.model.provenance
    return Taken(
        _joined(take.parts),
        doubt,
        replace(made_by, options={**made_by.options, **place.versions, "seed": seed}),
        canvas_digest,
        take.seconds,
        (*place.notes, *take.model.notes),
    )


def _joined(parts: Sequence[Prediction]) -> Prediction:
    """The predictions of several batches of one model as one."""
    scores = [part.scores for part in parts if part.scores is not None]
    return Prediction(
        np.concatenate([part.predicted for part in parts]),
        np.concatenate([part.near_tie for part in parts]),
        joined(scores) if scores else None,
        all(part.dubious for part in parts),
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
