"""The run as one structure (`format: 1`), written as JSON with the samples beside it as npz."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.errors import RobustError
from pytest_robust.golden.arrays import ids_name, labels_name, pack, predicted_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_robust.measurement import Measurement, Samples

_DISTRIBUTIONS = ("pytest-robust", "pytest", "numpy", "pillow", "opencv-python-headless", "scipy", "torch")


def structure(
    *,
    started: str,
    duration_s: float,
    smoke: bool,
    plans: Sequence[Mapping[str, Any]],
    cells: Sequence[Mapping[str, Any]],
    aggregates: Sequence[Mapping[str, Any]],
    measurements: Mapping[str, Measurement],
) -> dict[str, Any]:
    """Put a run together.

    Args:
        started: ISO time with zone.
        duration_s: wall seconds.
        smoke: whether it was a smoke run.
        plans: what each process reported of the specs.
        cells: their records, in the order they finished.
        aggregates: likewise.
        measurements: by cell id.
    """
    planned = [name for plan in plans for name in plan["planned"]]
    ran = {record["id"] for record in (*cells, *aggregates)}
    order = {name: position for position, name in enumerate(planned)}
    not_run = [name for name in planned if name not in ran]
    made = [measurement.provenance for measurement in measurements.values()]
    versions = {name: version for name in _DISTRIBUTIONS if (version := _version(name))}
    hashes = {(record["spec"], record["model"]): record["model_sha256"] for record in cells if record["model_sha256"]}
    runtimes = sorted({provenance.onnxruntime for provenance in made})
    return {
        "format": 1,
        "run": {
            "started": started,
            "duration_s": round(duration_s, 3),
            "versions": {**versions, "python": platform.python_version(), "onnxruntime": ", ".join(runtimes)},
            "device": ", ".join(sorted({provenance.device for provenance in made})),
            "device_class": ", ".join(sorted({provenance.device_class for provenance in made})),
            "providers": sorted({name for provenance in made for name in provenance.providers}),
            "seed": {plan["spec"]: plan["seed"] for plan in plans},
            "complete": not not_run,
            "smoke": smoke,
            "planned": planned,
            "not_run": not_run,
            "spec_sha256": {plan["spec"]: plan["sha256"] for plan in plans},
            "samples_digest": sorted({measurement.samples for measurement in measurements.values()}),
            "candidates": {
                name: {"path": path, "sha256": hashes.get((plan["spec"], name))}
                for plan in plans
                for name, path in plan["candidates"].items()
            },
        },
        "cells": sorted(cells, key=lambda record: order[record["id"]]),
        "aggregates": sorted(aggregates, key=lambda record: order[record["id"]]),
    }


def write_json(
    path: Path,
    report: dict[str, Any],
    measurements: Mapping[str, Measurement],
    samples: Mapping[str, Samples],
) -> None:
    """Write `path` and the npz beside it; the JSON names the npz by its digest, and is written last.

    Raises:
        RobustError: a file cannot be written.
    """
    arrays: dict[str, Any] = {}
    for name, measurement in measurements.items():
        digest = measurement.samples
        arrays[ids_name(digest)] = np.array(samples[digest].ids)
        arrays[labels_name(digest)] = samples[digest].labels
        arrays[predicted_name(measurement.provenance.device_class, name)] = measurement.predicted
    packed = pack(arrays)
    text = json.dumps({**report, "npz_sha256": hashlib.sha256(packed).hexdigest()}, indent=1) + "\n"
    replace(path.with_suffix(".npz"), packed)
    replace(path, text.encode())


def replace(path: Path, content: bytes) -> None:
    """Write a report in one step, making its folder.

    Raises:
        RobustError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise RobustError(f"the report {path} cannot be written ({error.strerror}); choose another place") from error


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
