"""The run as one structure (`format: 1`), written as JSON with the samples beside it as npz.

What a report holds beyond the numbers of its cells is what `pytest-robust accept` and `merge` need to work far
from the machine that measured: what the specs declare, how each cell was made, what failed and what was waived.
"""

from __future__ import annotations

import hashlib
import json
import platform
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.golden.arrays import ids_name, labels_name, pack, predicted_name
from pytest_robust.report.attacked import attacked_arrays
from pytest_robust.report.family import adjust
from pytest_robust.report.place import check_beside
from pytest_robust.report.waivers import unused_waivers
from pytest_robust.whole_file import replace_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_robust.measurement import Measurement, Provenance, Samples

FORMAT = 1

SCORES = ("top5", "confidence", "nll", "brier")
"""The arrays of `Scores`."""

_DISTRIBUTIONS = ("pytest-robust", "pytest", "numpy", "pillow", "opencv-python-headless", "scipy", "torch")
_OF_SPEC = (
    "name",
    "keys",
    "golden_keys",
    "profile",
    "other_samples",
    "tests",
    "datasets",
    "aggregates",
    "dropped",
    "waivers",
)


def structure(
    *,
    started: str,
    duration_s: float,
    smoke: bool,
    profile: str | None,
    shard: str | None,
    interrupted: str | None,
    plans: Sequence[Mapping[str, Any]],
    cells: Sequence[Mapping[str, Any]],
    aggregates: Sequence[Mapping[str, Any]],
    measurements: Mapping[str, Measurement],
    failed: Mapping[str, str],
    waived: Mapping[str, str],
    expected: Mapping[str, str],
    refused: Sequence[str] = (),
    errors: Sequence[str] = (),
) -> dict[str, Any]:
    """Put a run together.

    Args:
        started: ISO time with zone.
        duration_s: wall seconds.
        smoke: whether it was a smoke run.
        profile: the profile of the specs that was applied.
        shard: ``I/N`` where the run is one part of a whole; what only the whole can tell is then left open.
        interrupted: why the run ended early, if it did.
        plans: of every spec what `planned` says.
        cells: their records, in the order they finished.
        aggregates: likewise.
        measurements: by cell id.
        failed: first line of the judgement of every case that failed, by id.
        waived: likewise of every failure that a waiver excuses.
        expected: likewise of every failure that its row expects.
        refused: a sentence for every change of goldens that was asked for and not made.
        errors: a sentence for every mistake that kept a spec from being collected.
    """
    planned = [name for plan in plans for name in plan["planned"]]
    ran = {record["id"] for record in (*cells, *aggregates)}
    order = {name: position for position, name in enumerate(planned)}
    not_run = [name for name in planned if name not in ran]
    made = [measurements[name].provenance for name in planned if name in measurements]
    versions = {name: version for name in _DISTRIBUTIONS if (version := _version(name))}
    hashes = {(record["spec"], record["model"]): record["model_sha256"] for record in cells if record["model_sha256"]}
    runtimes = sorted({provenance.onnxruntime for provenance in made})
    makers = list(dict.fromkeys(_frozen(provenance) for provenance in made))
    entries = [_entry(record, measurements.get(record["id"]), makers) for record in cells]
    report: dict[str, Any] = {
        "format": FORMAT,
        "run": {
            "started": started,
            "duration_s": round(duration_s, 3),
            "versions": {**versions, "python": platform.python_version(), "onnxruntime": ", ".join(runtimes)},
            "device": ", ".join(sorted({provenance.device for provenance in made})),
            "device_class": ", ".join(sorted({provenance.device_class for provenance in made})),
            "providers": sorted({name for provenance in made for name in provenance.providers}),
            "seed": {plan["spec"]: plan["seed"] for plan in plans},
            "complete": bool(plans) and not not_run and not errors,
            "interrupted": interrupted,
            "smoke": smoke,
            "profile": profile,
            "shard": shard,
            "planned": planned,
            "not_run": not_run,
            "spec_sha256": {plan["spec"]: plan["sha256"] for plan in plans},
            "samples_digest": sorted({measurement.samples for measurement in measurements.values()}),
            "candidates": {
                name: {"path": path, "sha256": hashes.get((plan["spec"], name))}
                for plan in plans
                for name, path in plan["candidates"].items()
            },
            "specs": {
                plan["spec"]: {**{name: plan[name] for name in _OF_SPEC}, "golden": plan["golden_from_spec"]}
                for plan in plans
            },
            "provenance": [json.loads(maker) for maker in makers],
            "failed": dict(sorted(failed.items(), key=lambda entry: order[entry[0]])),
            "waived": dict(sorted(waived.items(), key=lambda entry: order[entry[0]])),
            "expected": dict(sorted(expected.items(), key=lambda entry: order[entry[0]])),
            "refused": list(refused),
            "errors": list(errors),
        },
        "cells": sorted(entries, key=lambda record: order[record["id"]]),
        "aggregates": sorted(aggregates, key=lambda record: order[record["id"]]),
    }
    report["run"]["unused_waivers"] = []
    if shard is None:
        adjust(report)
        report["run"]["unused_waivers"] = list(unused_waivers(report["run"], (*cells, *aggregates)))
    return report


def _entry(record: Mapping[str, Any], measurement: Measurement | None, makers: Sequence[str]) -> dict[str, Any]:
    """A cell's record with the samples and the place in `run.provenance` of what measured it."""
    return {
        **record,
        "flips": dict(record["flips"]) if record["flips"] else None,
        "samples_digest": measurement.samples if measurement else None,
        "provenance": makers.index(_frozen(measurement.provenance)) if measurement else None,
        "groups": {name: dict(counts) for name, counts in measurement.groups.items()} if measurement else {},
        "notes": list(measurement.notes) if measurement else [],
    }


def _frozen(provenance: Provenance) -> str:
    return json.dumps(provenance.to_plain(), sort_keys=True)


def write_json(
    path: Path,
    report: dict[str, Any],
    measurements: Mapping[str, Measurement],
    samples: Mapping[str, Samples],
) -> None:
    """Write `path` and the npz beside it; the JSON names the npz by its digest, and is written last.

    Raises:
        RobustError: a file cannot be written, or there is an npz of that name with other arrays than a report's.
    """
    check_beside(path)
    arrays: dict[str, Any] = {}
    for name, measurement in measurements.items():
        digest, device_class = measurement.samples, measurement.provenance.device_class
        arrays[ids_name(digest)] = np.array(samples[digest].ids)
        arrays[labels_name(digest)] = samples[digest].labels
        arrays[predicted_name(device_class, name)] = measurement.predicted
        if measurement.near_tie.any():
            arrays[near_tie_name(device_class, name)] = measurement.near_tie
        if measurement.scores:
            arrays |= {scores_name(part, device_class, name): getattr(measurement.scores, part) for part in SCORES}
        if measurement.attacked:
            arrays |= attacked_arrays(measurement.attacked, device_class, name)
    packed = pack(arrays)
    text = json.dumps({**report, "npz_sha256": hashlib.sha256(packed).hexdigest()}, indent=1) + "\n"
    replace_all({path.with_suffix(".npz"): packed, path: text.encode()}, "report")


def near_tie_name(device_class: str, cell: str) -> str:
    """Name of the array (bool) of a cell's near ties; absent where it has none."""
    return f"near_tie/{device_class}/{cell}"


def scores_name(part: str, device_class: str, cell: str) -> str:
    """Name of the array of one of `SCORES` of a cell; absent where its spec does not ask for scores."""
    return f"{part}/{device_class}/{cell}"


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
