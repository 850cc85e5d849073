"""One pass: every batch of a data set is shifted once and shown to every model that wants it."""

from __future__ import annotations

import hashlib
import time
import traceback
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.engine.store import Failure
from pytest_robust.errors import RobustError
from pytest_robust.measurement import Measurement, count_correct, count_groups
from pytest_robust.shifts.registry import pixel_shift
from pytest_robust.shifts.streams import make

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_robust.data import Dataset
    from pytest_robust.engine.canvases import Canvases
    from pytest_robust.models import Model, Prediction
    from pytest_robust.shifts.base import Derived
    from pytest_robust.spec.plan import Json, ShiftPlan

DIGESTED = 32
"""How many shifted canvases the canvas digest covers."""

_BATCH_BYTES = 2 << 20
"""A batch of canvases that stays in the processor's cache while every model sees it."""


@dataclass(slots=True)
class Take:
    """What one model has predicted so far in a pass."""

    name: str
    model: Model
    parts: list[Prediction] = field(default_factory=list)
    seconds: float = 0.0
    failure: Failure | None = None


def batch_size_for(shape: tuple[int, int, int], asked: int | None) -> int:
    """Images per shifted batch: as asked, or as many as keep a batch near 2 MiB, from 1 to 256."""
    return asked or max(1, min(256, _BATCH_BYTES // max(1, int(np.prod(shape)))))


def run_pass(
    shift: ShiftPlan,
    seed: int,
    canvases: Canvases,
    derived: Derived | None,
    takes: Sequence[Take],
    batch_size: int,
    running: Callable[[str], None],
    advance: Callable[[int, int], None],
) -> Iterator[tuple[str, Measurement | Failure]]:
    """Show a shift to every model and yield each model's name with its result.

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
        declared = dict(shift.parameters)
        if shift.textures is not None:
            declared["textures"] = str(shift.textures.resolve())
        parameters = pixel.resolve(declared, *canvases.shape[:2])
    digest = hashlib.sha256()
    decoding = shifting = 0.0
    batches = canvases.batches(batch_size)
    done = 0
    while True:
        before = time.perf_counter()
        step = next(batches, None)
        decoding += time.perf_counter() - before
        if step is None:
            break
        positions, images = step
        before = time.perf_counter()
        shifted = make(pixel, images, [samples.ids[i] for i in positions], seed, parameters) if pixel else images
        shifting += time.perf_counter() - before
        _digest_first(digest, positions, shifted)
        for take in takes:
            if take.failure is None:
                running(take.name)
                _predict(take, shifted, shift.changes_size, kept)
        done += len(positions)
        advance(done, len(samples.ids))
        if all(take.failure for take in takes):
            break
    total = time.perf_counter() - started
    seconds = {"decode": decoding, "shift": shifting, "total": total}
    for take in takes:
        if take.failure is not None:
            yield take.name, take.failure
            continue
        measurement = _measurement(take, canvases.dataset, shift.version, parameters, digest.hexdigest(), seconds)
        yield take.name, replace(measurement, source=derived.source, notes=derived.notes) if derived else measurement


@cache
def _libraries() -> dict[str, str]:
    """Versions of what decodes and shifts images: where a canvas changes, one of these is the likely cause."""
    distributions = {"pillow": "pillow", "numpy": "numpy", "opencv": "opencv-python-headless", "scipy": "scipy"}
    return {name: metadata.version(distribution) for name, distribution in distributions.items()}


def _digest_first(digest: hashlib._Hash, positions: range, shifted: NDArray[np.uint8]) -> None:
    if positions.start == 0:
        digest.update(repr(shifted.shape[1:]).encode())
    wanted = DIGESTED - positions.start
    if wanted > 0:
        digest.update(np.ascontiguousarray(shifted[:wanted]).tobytes())


def _predict(take: Take, shifted: NDArray[np.uint8], keep_size: bool, kept: Sequence[int] | None) -> None:
    before = time.perf_counter()
    try:
        take.parts.append(take.model.predict(shifted, keep_size=keep_size, kept=kept))
    except RobustError as error:
        take.failure = Failure(str(error))
    except MemoryError as error:
        take.failure = Failure(f"memory ran out ({error}); use a smaller --robust-batch-size")
    except Exception as error:  # a defect of ours or of the runtime: this pair fails, the others go on
        take.failure = Failure(f"{type(error).__name__}: {error}", traceback.format_exc())
    take.seconds += time.perf_counter() - before


def _measurement(
    take: Take,
    dataset: Dataset,
    version: int,
    parameters: Mapping[str, Json],
    canvas_digest: str,
    seconds: Mapping[str, float],
) -> Measurement:
    samples = dataset.samples
    provenance = take.model.provenance
    predicted = np.concatenate([part.predicted for part in take.parts])
    near_tie = np.concatenate([part.near_tie for part in take.parts])
    return Measurement(
        samples=samples.digest,
        predicted=predicted,
        near_tie=near_tie,
        correct=count_correct(predicted, samples.labels),
        shift_version=version,
        canvas_digest=canvas_digest,
        provenance=replace(provenance, options={**provenance.options, **_libraries()}),
        parameters=parameters,
        seconds={name: round(value, 4) for name, value in {**seconds, "inference": take.seconds}.items()},
        groups=count_groups(predicted, samples.labels, dataset.groups),
    )
