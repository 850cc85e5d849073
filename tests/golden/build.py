"""Small samples, measurements and goldens for the tests of this folder, and for the processes that they start."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pytest_robust.golden import Entry, GoldenFile, propose
from pytest_robust.golden.document import build
from pytest_robust.measurement import Measurement, Provenance, Samples, count_correct

SPEC, MODEL = "resnet", "resnet50"
KEYS = ("clean", "imagenet-c.fog-1", "imagenet-c.fog-2", "scaling.down_up-0.5")


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def samples(count: int = 8, name: str = "digits") -> Samples:
    ids = tuple(f"{name}/{index:03}.png" for index in range(count))
    return Samples(ids, (np.arange(count) % 3).astype(np.uint16), sha(f"{name}{count}"))


def measurement(
    right: int = 6,
    *,
    of: Samples | None = None,
    model: str = "file one",
    device_class: str = "cpu",
    canvas: str = "canvas",
    geometry: str = "resize 256, crop 224",
    preprocess: str = "size 224",
    onnxruntime: str = "1.27.0",
    options: Mapping[str, str | int] | None = None,
    **fields: Any,
) -> Measurement:
    """The first `right` samples are predicted rightly, all others as the class after theirs."""
    made = of or samples()
    predicted = made.labels.copy()
    predicted[right:] += 1
    provenance = Provenance(
        model_sha256=sha(model),
        onnxruntime=onnxruntime,
        providers=("CPUExecutionProvider",),
        device="cpu",
        device_class=device_class,
        geometry=geometry,
        preprocess=preprocess,
        options={"threads": 2, "pillow": "13.0", "numpy": "2.4"} if options is None else options,
    )
    common = Measurement(
        samples=made.digest,
        predicted=predicted,
        near_tie=np.zeros(len(predicted), np.bool_),
        correct=count_correct(predicted, made.labels),
        shift_version=1,
        canvas_digest=sha(canvas),
        provenance=provenance,
        parameters={"strength": 0.25},
    )
    return replace(common, **fields)


def entries(rights: Mapping[str, int], **fields: Any) -> dict[str, Entry]:
    of = fields.get("of") or samples()
    return {key: Entry(measurement(right, **fields), of) for key, right in rights.items()}


def update(
    golden: GoldenFile | None,
    offered: Mapping[str, Entry],
    *,
    planned: Sequence[str] = KEYS,
    mode: Any = "all",
    reason: str | None = "a test",
    date: str = "2026-11-01",
    model: str = MODEL,
    spec: str = SPEC,
) -> GoldenFile:
    """The golden after an update that must not be refused."""
    proposal = propose(
        golden, spec=spec, model=model, entries=offered, planned=planned, mode=mode, reason=reason, date=date
    )
    assert proposal.refusals == ()
    return proposal.golden


def golden(model: str = MODEL, **fields: Any) -> GoldenFile:
    """Four cells on one device class."""
    return update(None, entries(dict.fromkeys(KEYS, 6), **fields), model=model)


def meaning(held: GoldenFile | None) -> dict[str, Any] | None:
    """What a golden says, comparable with ==; it covers the arrays by their digests."""
    return None if held is None else {**build(held)[0], "spec": held.spec}


def pair(folder: Path, model: str = MODEL) -> tuple[Path, Path]:
    (npz,) = [path for path in folder.glob("*.npz") if path.name.rsplit(".", 2)[0] == model]
    return folder / f"{model}.json", npz
