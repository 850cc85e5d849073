"""Reads a report back: its JSON and the npz beside it, each held to what the other says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.errors import RobustError
from pytest_robust.golden.arrays import ids_name, labels_name, predicted_name, unpack
from pytest_robust.measurement import Measurement, Provenance, Samples, Scores, count_correct
from pytest_robust.report.attacked import attacked_of
from pytest_robust.report.structure import FORMAT, SCORES, near_tie_name, scores_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ANEW = "run again with --robust-report, or download both files once more"


@dataclass(frozen=True, slots=True, eq=False)
class StoredReport:
    """A report that was read.

    Attributes:
        path: of its JSON.
        structure: the JSON.
        measurements: of every measured cell, by id.
        samples: by digest.
    """

    path: Path
    structure: dict[str, Any]
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    samples: Mapping[str, Samples] = field(default_factory=dict)

    @property
    def run(self) -> dict[str, Any]:
        """The part `run` of the structure."""
        run: dict[str, Any] = self.structure["run"]
        return run

    def key(self, cell: Mapping[str, Any]) -> str:
        """A cell's name within its model, as goldens store it."""
        return str(cell["id"]).removeprefix(f"{cell['spec']}::{cell['model']}::")


def read_json(path: Path, remedy: str = _ANEW) -> dict[str, Any]:
    """A JSON object from a file.

    Args:
        path: of the file.
        remedy: what to do where it is damaged; that of a report unless given.

    Raises:
        RobustError: the file is missing, cannot be read, or holds no JSON object.
    """
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise RobustError(f"there is no file {path}") from None
    except OSError as error:
        raise RobustError(f"{path} cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise RobustError(f"{path} is not JSON or is cut short ({error}); {remedy}") from error
    if not isinstance(found, dict):
        raise RobustError(f"{path} holds no JSON object; {remedy}")
    return found


def is_report(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a report, and not a golden."""
    return {"run", "cells", "npz_sha256"} <= document.keys()


def read_report(path: Path) -> StoredReport:
    """Read `path` and the npz beside it.

    Raises:
        RobustError: either file is missing, cut short or damaged, they are not a pair, or the report is of a
            format that this version does not read.
    """
    document = read_json(path)
    if not is_report(document):
        raise RobustError(f"{path} is not a report of pytest-robust; {_ANEW}")
    if document.get("format") != FORMAT:
        raise RobustError(f"{path} has format {document.get('format')}, this pytest-robust reads {FORMAT}; upgrade it")
    beside = path.with_suffix(".npz")
    try:
        digest = hashlib.sha256(beside.read_bytes()).hexdigest()
    except FileNotFoundError:
        raise RobustError(f"{beside} is missing, the other half of {path}; {_ANEW}") from None
    except OSError as error:
        raise RobustError(f"{beside} cannot be read ({error.strerror})") from error
    if digest != document["npz_sha256"]:
        raise RobustError(f"{path} and {beside.name} are not of one run, or one was changed; {_ANEW}")
    arrays = unpack(beside)
    try:
        return _assemble(path, document, arrays)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise RobustError(f"{path} is not as pytest-robust writes a report ({error!r}); {_ANEW}") from error


def _assemble(path: Path, document: dict[str, Any], arrays: Mapping[str, Any]) -> StoredReport:
    if any(key not in document["run"] for key in ("specs", "provenance", "failed", "planned", "not_run", "shard")):
        raise KeyError("run")
    samples: dict[str, Samples] = {}
    measurements = {}
    for cell in document["cells"]:
        if cell["samples_digest"] is None:
            continue
        digest = cell["samples_digest"]
        if digest not in samples:
            ids = tuple(str(name) for name in arrays[ids_name(digest)].tolist())
            samples[digest] = Samples(ids, arrays[labels_name(digest)].astype(np.uint16), digest)
        measurements[cell["id"]] = _measurement(cell, document["run"]["provenance"], samples[digest], arrays)
    return StoredReport(path, document, measurements, samples)


def _measurement(
    cell: Mapping[str, Any], makers: list[dict[str, Any]], samples: Samples, arrays: Mapping[str, Any]
) -> Measurement:
    provenance = Provenance.from_plain(makers[cell["provenance"]])
    predicted = arrays[predicted_name(provenance.device_class, cell["id"])].astype(np.uint16)
    near_tie = arrays.get(near_tie_name(provenance.device_class, cell["id"]))
    count = count_correct(predicted, samples.labels)
    if (cell["n"], cell["correct"], cell["model_sha256"]) != (len(predicted), count, provenance.model_sha256):
        raise ValueError(f"{cell['id']} is not what its predictions say")
    return Measurement(
        samples=samples.digest,
        predicted=predicted,
        near_tie=np.zeros(len(predicted), np.bool_) if near_tie is None else near_tie.astype(np.bool_),
        correct=count,
        shift_version=cell["shift_version"],
        canvas_digest=cell["canvas_digest"],
        parameters=cell["parameters"],
        seconds=cell["seconds"],
        source=cell["generated_or_stored"],
        cached=cell["cached"],
        groups=cell["groups"],
        notes=tuple(cell["notes"]),
        scores=_scores(cell, provenance.device_class, arrays),
        attacked=attacked_of(cell, provenance.device_class, arrays),
        enhancer_weights=cell.get("enhancer_weights"),
        provenance=provenance,
    )


def _scores(cell: Mapping[str, Any], device_class: str, arrays: Mapping[str, Any]) -> Scores | None:
    if not cell.get("scores"):
        return None
    found = {part: arrays[scores_name(part, device_class, cell["id"])] for part in SCORES}
    return Scores(**found, outputs=cell["scores"]["outputs"])
