"""One pass: every batch of a data set, or of a part of it, is shifted once and shown to every model that wants it.

Batches are worked on in lanes: while one lane shifts its batch, another one shows a model its own. On a CPU a lane is
a core, and a network runs in one thread of it: cores that work on images of their own wait for each other less than
cores that share each operator of a network.
"""

from __future__ import annotations

import hashlib
import threading
import time
import traceback
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.engine.lanes import in_lanes, lanes_on_cpu, lanes_on_gpu, one_thread_of_blas, shares
from pytest_robust.engine.parts import DIGESTED, Part, Taken, as_one
from pytest_robust.engine.placement import placement_for
from pytest_robust.engine.store import Failure
from pytest_robust.errors import RobustError
from pytest_robust.registry import pixel_shift
from pytest_robust.shifts.streams import numbers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import torch
    from numpy.typing import NDArray

    from pytest_robust.engine.canvases import Canvases
    from pytest_robust.engine.placement import Placement
    from pytest_robust.models import Model, Prediction
    from pytest_robust.models.preprocess import Fitted
    from pytest_robust.spec.plan import Json, ShiftPlan
    from pytest_robust.views.base import Derived

_BATCH = (5 << 18, 64)
"""Bytes of canvases and images that are shifted at once on a CPU."""

_AT_ONCE = 5 << 16
"""Bytes of canvases that a network is shown at once on a CPU: what it makes of more of them leaves the cache.

In two lanes an image of 224 pixels takes MobileNetV2 a quarter longer in a batch of 8 than of 2, one of 32 pixels takes
ResNet-20 a fifth longer in a batch of 256 than of 64.
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


def at_once_for(shape: tuple[int, int, int], asked: int | None, on_gpu: bool = False) -> int:
    """Images of a batch that a network is shown at once, at least 1."""
    batch = batch_size_for(shape, asked, on_gpu)
    return batch if asked or on_gpu else max(1, min(batch, _AT_ONCE // max(1, int(np.prod(shape)))))


def run_pass(
    shift: ShiftPlan,
    seed: int,
    canvases: Canvases,
    derived: Derived | None,
    takes: Sequence[Take],
    batch_size: int,
    at_once: int,
    threads: int,
    running: Callable[[Collection[str]], None],
    advance: Callable[[int, int], None],
) -> Part:
    """Show a shift to every model, made where the model is.

    Args:
        shift: the shift to make; its parameters are resolved for the canvas size.
        seed: the spec's seed, part of every draw.
        canvases: the images before the shift; those of a view are shown as they are.
        derived: what the shift is where it is a view.
        takes: the models that still want this shift. One that fails leaves the others alone.
        batch_size: images per shifted batch, at most.
        at_once: images that the models are shown at once; batches are whole multiples, but for the last one.
        threads: cores to work on.
        running: told the names of the models that run, before one more does.
        advance: told (done, total) images after every batch.
    """
    started = time.perf_counter()
    samples = canvases.dataset.samples
    total = len(samples.ids)
    pixel = pixel_shift(shift.suite, shift.shift) if derived is None else None
    parameters: Mapping[str, Json] = derived.parameters if derived else {}
    if pixel:
        parameters = numbers_of(pixel, shift, *canvases.shape[:2])
    places = {gpu: placement_for(gpu) for gpu in {take.model.gpu for take in takes}}
    digests = {gpu: hashlib.sha256() for gpu in places}
    lanes = lanes_on_cpu(threads)[0] if places.keys() == {None} else lanes_on_gpu(threads)
    marks = _Marks(running)

    def show(positions: range) -> _Shown:
        began = time.perf_counter()
        images = canvases.at(positions)
        decoded = time.perf_counter()
        here = slice(positions.start, positions.stop)
        shifted = {gpu: place.make(pixel, images, samples.ids[here], seed, parameters) for gpu, place in places.items()}
        shown = _Shown(positions, decoded - began, time.perf_counter() - decoded)
        for gpu, place in places.items():
            shown.first[gpu] = _first(place, positions, shifted[gpu])
        fitted: Fitted = {}
        for take in takes:
            if take.failure is None:
                marks(take.name)
                before = time.perf_counter()
                shown.made[take.name] = _predict(
                    take.model,
                    shifted[take.model.gpu],
                    keep_size=shift.changes_size and bool(parameters),
                    kept=derived.kept if derived else None,
                    labels=samples.labels[here] if take.scored else None,
                    shared=fitted,
                )
                shown.inference[take.name] = time.perf_counter() - before
        return shown

    decoding = shifting = 0.0
    cut = shares(total, batch_size, at_once, lanes)
    with one_thread_of_blas(), closing(in_lanes(show, cut, lanes)) as parts:
        for shown in parts:
            decoding += shown.decoding / lanes
            shifting += shown.shifting / lanes
            for gpu, content in shown.first.items():
                digests[gpu].update(content)
            for take in takes:
                _add(take, shown, lanes)
            advance(shown.positions.stop, total)
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


@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    """What came of one batch: by GPU what the canvas digest covers of it, by model what it said, and seconds."""

    positions: range
    decoding: float
    shifting: float
    first: dict[int | None, bytes] = field(default_factory=dict)
    made: dict[str, Prediction | Failure] = field(default_factory=dict)
    inference: dict[str, float] = field(default_factory=dict)


class _Marks:
    """Which models run, of all lanes; a lane counts as running its last one until it turns to another."""

    def __init__(self, running: Callable[[Collection[str]], None]) -> None:
        self._running = running
        self._lock = threading.Lock()
        self._lanes: dict[int, str] = {}

    def __call__(self, name: str) -> None:
        lane = threading.get_ident()
        with self._lock:
            before = set(self._lanes.values())
            self._lanes[lane] = name
            now = set(self._lanes.values())
            if now != before:
                self._running(now)


def _first(place: Placement, positions: range, shifted: NDArray[np.uint8] | torch.Tensor) -> bytes:
    """What a batch adds to the canvas digest."""
    wanted = DIGESTED - positions.start
    if wanted <= 0:
        return b""
    shape = b"" if positions.start else repr(tuple(shifted.shape[1:])).encode()
    return shape + place.fetch(shifted[:wanted]).tobytes()


def _predict(
    model: Model,
    shifted: NDArray[np.uint8] | torch.Tensor,
    *,
    keep_size: bool,
    kept: Sequence[int] | None,
    labels: NDArray[np.uint16] | None,
    shared: Fitted,
) -> Prediction | Failure:
    try:
        return model.predict(shifted, keep_size=keep_size, kept=kept, labels=labels, shared=shared)
    except RobustError as error:
        return Failure(str(error))
    except MemoryError as error:
        return out_of_memory(error)
    except Exception as error:  # a defect of ours or of the runtime: this pair fails, the others go on
        return Failure(f"{type(error).__name__}: {error}", traceback.format_exc())


def out_of_memory(error: MemoryError) -> Failure:
    """The failure of a pair, or of a whole pass, for which the memory did not suffice."""
    said = f" ({error})" if str(error) else ""
    return Failure(f"memory ran out{said}; use a smaller --robust-batch-size")


def _add(take: Take, shown: _Shown, lanes: int) -> None:
    """Keep what a model said; of several failures the one of the first batch counts, whichever lane was faster."""
    if take.failure is not None:
        return
    made = shown.made[take.name]
    if isinstance(made, Failure):
        take.failure = made
    else:
        take.parts.append(made)
    take.seconds += shown.inference[take.name] / lanes


def _taken(take: Take, place: Placement, canvas_digest: str, seed: int) -> Taken:
    doubt = None
    if take.scored:
        try:
            take.model.scores(take.parts)
        except RobustError as error:
            doubt = str(error)
    made_by = take.model.provenance
    return Taken(
        as_one(take.parts),
        doubt,
        replace(made_by, options={**made_by.options, **place.versions, "seed": seed}),
        canvas_digest,
        take.seconds,
        (*place.notes, *take.model.notes),
    )
