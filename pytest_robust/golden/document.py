"""How a golden lies in its JSON: sorted keys, one line per cell, and a digest over all of it.

A cell's line leaves out what equals its recording (runtime, date, reason, ...), so that it changes only when
the cell does. ``digest`` covers every other key but ``spec`` and names the npz; because each cell's line
holds the sha256 of its predictions, one digest binds the pair and no edit by hand passes for a measurement.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.errors import RobustError
from pytest_robust.golden.arrays import Arrays, ids_name, labels_name, predicted_name
from pytest_robust.golden.record import GoldenCell, GoldenFile, Origin, Recording
from pytest_robust.measurement import Samples, count_correct, digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FORMAT = 1

_SHARED = ("samples", "onnxruntime", "providers", "options", "geometry", "preprocess", "date", "reason")
_EXPANDED_LEVELS = 4
_NOT_DIGESTED = ("digest", "spec")


def build(golden: GoldenFile) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The JSON document of a golden and the arrays that belong beside it.

    Raises:
        RobustError: a cell contradicts itself (counts, lengths, two sample sets of one digest).
        ValueError: predictions or labels are no row of uint16.
    """
    sets: dict[str, Samples] = {}
    arrays: dict[str, NDArray[Any]] = {}
    recordings: dict[str, Any] = {}
    for device_class, recording in golden.recordings.items():
        for key, cell in recording.cells.items():
            where = f"golden of {golden.model}::{key} on {device_class}"
            _check(cell, where)
            arrays[predicted_name(device_class, key)] = _unsigned(cell.predicted)
            samples = cell.samples
            known = sets.setdefault(samples.digest[:12], samples)
            if known is not samples and not _same(known, samples):
                raise RobustError(f"{where}: other samples have the same digest; measure the whole model again")
        shared = _facts(recording.samples, recording.origin)
        lines = {key: _line(cell, shared) for key, cell in recording.cells.items()}
        recordings[device_class] = {**shared, "model_sha256": recording.model_sha256, "cells": lines}
    for samples in sets.values():
        arrays[ids_name(samples.digest)] = _id_array(samples)
        arrays[labels_name(samples.digest)] = _unsigned(samples.labels)
    document = {
        "format": FORMAT,
        "model": golden.model,
        "recordings": recordings,
        "samples": {samples.digest: _table(samples) for samples in sets.values()},
        "spec": golden.spec,
    }
    return {**document, "digest": digest(document)}, arrays


def digest(document: Mapping[str, Any]) -> str:
    """sha256 over the document's meaning: layout, ``digest`` itself and the spec's name do not count."""
    counted = {key: value for key, value in document.items() if key not in _NOT_DIGESTED}
    text = json.dumps(counted, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def render(document: Mapping[str, Any]) -> str:
    """The document as text: sorted keys, two spaces of indent, one line per cell, a newline at the end."""
    return _render(document, 0) + "\n"


def _render(value: Any, level: int) -> str:
    if not isinstance(value, dict) or not value or level >= _EXPANDED_LEVELS:
        return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    inner = "  " * (level + 1)
    lines = (f"{inner}{json.dumps(key)}: {_render(value[key], level + 1)}" for key in sorted(value))
    return "{\n" + ",\n".join(lines) + "\n" + "  " * level + "}"


def parse(document: Mapping[str, Any], arrays: Arrays) -> GoldenFile:
    """Rebuild a golden from a document whose digest is right.

    Raises:
        RobustError: the arrays are not those that the document describes.
        KeyError, TypeError, ValueError: the document has not the shape that `build` gives it.
    """
    expected = {name for made in document["samples"] for name in (ids_name(made), labels_name(made))}
    for device_class, recording in document["recordings"].items():
        expected |= {predicted_name(device_class, key) for key in recording["cells"]}
    if expected != set(arrays):
        raise RobustError("its npz holds other arrays than it names")
    sets = {}
    for made, table in document["samples"].items():
        ids = tuple(str(name) for name in arrays[ids_name(made)].tolist())
        sets[made] = Samples(ids, _unsigned(arrays[labels_name(made)]), made)
        if _table(sets[made]) != table:
            raise RobustError(f"the ids or labels of sample set {made[:12]} in the npz are not the recorded ones")
    recordings = {}
    for device_class, found in document["recordings"].items():
        shared = {name: found[name] for name in _SHARED}
        cells = {}
        for key, line in found["cells"].items():
            predicted = _unsigned(arrays[predicted_name(device_class, key)])
            if _array_digest(predicted) != line["predicted"]:
                raise RobustError(f"the predictions of {key} on {device_class} are not the recorded ones")
            cells[key] = _cell({**shared, **line}, predicted, sets)
            _check(cells[key], f"{key} on {device_class}")
        recordings[device_class] = Recording(
            device_class, found["model_sha256"], _origin(shared), shared["samples"], cells
        )
    return GoldenFile(document["spec"], document["model"], recordings)


def _check(cell: GoldenCell, where: str) -> None:
    samples = cell.samples
    if not len(samples.ids) == len(samples.labels) == cell.n:
        raise RobustError(f"{where}: {cell.n} predictions for {len(samples.ids)} samples; measure it again")
    if cell.correct != count_correct(cell.predicted, samples.labels):
        raise RobustError(f"{where}: {cell.correct} correct is not what its predictions say; measure it again")


def _same(one: Samples, other: Samples) -> bool:
    return one.digest == other.digest and one.ids == other.ids and np.array_equal(one.labels, other.labels)


def _id_array(samples: Samples) -> NDArray[np.str_]:
    for name in samples.ids:
        if name.endswith("\0"):
            raise RobustError(f"the sample id {name!r} ends in a NUL character, which no array keeps; rename it")
    return np.array(samples.ids, dtype=np.str_)


def _table(samples: Samples) -> dict[str, Any]:
    ids = digest_of([name.encode("utf-8", "surrogatepass") for name in samples.ids])
    return {"ids": ids, "labels": samples.labels_digest, "n": len(samples.ids)}


def _facts(samples: str, origin: Origin) -> dict[str, Any]:
    return {
        "samples": samples,
        "onnxruntime": origin.onnxruntime,
        "providers": list(origin.providers),
        "options": dict(origin.options),
        "geometry": origin.geometry,
        "preprocess": origin.preprocess,
        "date": origin.date,
        "reason": origin.reason,
    }


def _line(cell: GoldenCell, shared: Mapping[str, Any]) -> dict[str, Any]:
    line: dict[str, Any] = {
        "n": cell.n,
        "correct": cell.correct,
        "shift_version": cell.shift_version,
        "parameters": dict(cell.parameters),
        "canvas_digest": cell.canvas_digest,
        "predicted": _array_digest(cell.predicted),
    }
    if cell.source != "generated":
        line["source"] = cell.source
    facts = _facts(cell.samples.digest, cell.origin)
    return line | {name: value for name, value in facts.items() if value != shared[name]}


def _cell(line: Mapping[str, Any], predicted: NDArray[np.uint16], sets: Mapping[str, Samples]) -> GoldenCell:
    if line["n"] != len(predicted):
        raise ValueError("n")
    return GoldenCell(
        samples=sets[line["samples"]],
        predicted=predicted,
        correct=line["correct"],
        shift_version=line["shift_version"],
        canvas_digest=line["canvas_digest"],
        parameters=line["parameters"],
        origin=_origin(line),
        source=line.get("source", "generated"),
    )


def _origin(facts: Mapping[str, Any]) -> Origin:
    return Origin(
        onnxruntime=facts["onnxruntime"],
        providers=tuple(facts["providers"]),
        options=facts["options"],
        geometry=facts["geometry"],
        preprocess=facts["preprocess"],
        date=facts["date"],
        reason=facts["reason"],
    )


def _unsigned(array: NDArray[Any]) -> NDArray[np.uint16]:
    if array.dtype != np.dtype("<u2") or array.ndim != 1:
        raise ValueError("not a row of uint16")
    return array.astype(np.uint16)


def _array_digest(array: NDArray[np.uint16]) -> str:
    return hashlib.sha256(array.astype("<u2").tobytes()).hexdigest()
