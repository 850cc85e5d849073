"""Whether a measurement has a comparable golden, and if not, which difference forbids the comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.golden.record import GoldenCell, GoldenFile, Recording, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_robust.measurement import Measurement, Samples

_LIBRARIES = {"pillow": "Pillow", "opencv": "OpenCV", "numpy": "NumPy", "scipy": "SciPy", "torch": "PyTorch"}
_MANY = 3
_ACROSS = "gate: {golden_device: any} in the spec compares across device classes"


@dataclass(frozen=True, slots=True, eq=False)
class Comparable:
    """A golden cell that a measurement may be judged against.

    `changed` says, one phrase each, what legitimately differs: geometry, preprocess, runtime, device class.
    """

    recording: Recording
    cell: GoldenCell
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotComparable:
    """Why there is nothing to compare with, as a clause without a full stop."""

    reason: str


def find(
    golden: GoldenFile | None,
    key: str,
    measurement: Measurement,
    samples: Samples,
    *,
    any_device: bool = False,
) -> Comparable | NotComparable:
    """Look up the golden cell that a measurement may be compared with.

    Sample set, kind of images (generated or stored), shift version and shift parameters must agree, and for
    equal geometry on the same device class the digest of the canvases: between device classes a canvas may
    differ by a grey level, so there the digest says nothing.

    Args:
        golden: what `store.read` returned.
        key: the cell's key.
        measurement: what was measured now.
        samples: the samples that the measurement follows; only read to say how they differ.
        any_device: accept another device class where the measurement's own has nothing comparable.
    """
    if golden is None or not golden.recordings:
        return NotComparable("no golden is recorded for this model")
    own = measurement.provenance.device_class
    others = sorted(golden.recordings.keys() - {own})
    first: NotComparable | None = None
    for device_class in [own, *others] if any_device else [own]:
        recording = golden.recordings.get(device_class)
        if recording is None:
            continue
        cell = recording.cells.get(key)
        reason = (
            f"the golden of device class {device_class} has no cell {key}"
            if cell is None
            else _difference(cell, measurement, samples, same_class=device_class == own)
        )
        if cell is not None and reason is None:
            return Comparable(recording, cell, _changed(recording, cell, measurement))
        first = first or NotComparable(str(reason))
    recorded = ", ".join(others)
    return first or NotComparable(f"no golden is recorded for device class {own} (recorded: {recorded}); {_ACROSS}")


def _difference(cell: GoldenCell, measurement: Measurement, samples: Samples, *, same_class: bool) -> str | None:
    if cell.source != measurement.source:
        return f"the golden was measured on {cell.source} images, this run on {measurement.source} ones"
    if cell.samples.digest != measurement.samples:
        digests = _arrow(cell.samples.digest[:12], measurement.samples[:12])
        return f"the sample set changed (digest {digests}): {_sample_change(cell.samples, samples)}"
    if cell.shift_version != measurement.shift_version:
        return f"the shift's version changed: {_arrow(cell.shift_version, measurement.shift_version)}"
    parameters = plain(measurement.parameters)
    if cell.parameters != parameters:
        return f"the shift's parameters changed: {_entries(cell.parameters, parameters)}"
    made, was = measurement.provenance, cell.origin
    if same_class and was.geometry == made.geometry and cell.canvas_digest != measurement.canvas_digest:
        if seeds := _seeds(was.options, made.options):
            return f"the seed changed: {seeds}"
        digests = _arrow(cell.canvas_digest[:12], measurement.canvas_digest[:12])
        cause = _entries(_libraries(was.options), _libraries(made.options))
        cause = cause or "all recorded library versions are the same"
        return f"the shifted images changed (canvas digest {digests}): {cause}"
    return None


def _libraries(options: Mapping[str, str | int]) -> dict[str, str | int]:
    return {shown: options[name] for name, shown in _LIBRARIES.items() if name in options}


def _seeds(old: Mapping[str, str | int], new: Mapping[str, str | int]) -> str:
    """The seed of the spec then and now; empty where it is the same, or an older golden does not say."""
    pair = [options.get("seed") for options in (old, new)]
    return _arrow(*pair) if None not in pair and pair[0] != pair[1] else ""


def _changed(recording: Recording, cell: GoldenCell, measurement: Measurement) -> tuple[str, ...]:
    made, was = measurement.provenance, cell.origin
    pairs = (
        ("geometry", was.geometry, made.geometry),
        ("preprocess", was.preprocess, made.preprocess),
        ("onnxruntime", was.onnxruntime, made.onnxruntime),
        ("device class", recording.device_class, made.device_class),
    )
    return tuple(f"{name} {_arrow(old, new)}" for name, old, new in pairs if old != new)


def _sample_change(old: Samples, new: Samples) -> str:
    before = dict(zip(old.ids, old.labels.tolist(), strict=True))
    after = dict(zip(new.ids, new.labels.tolist(), strict=True))
    added, removed = len(after.keys() - before.keys()), len(before.keys() - after.keys())
    if added or removed:
        return f"{_arrow(len(before), len(after))} samples, {added} added, {removed} removed"
    if not np.array_equal(old.labels, new.labels):
        return f"{sum(before[name] != label for name, label in after.items())} of {len(after)} labels differ"
    return f"the same {len(after)} ids and labels, but other image contents"


def _entries(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    differing = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    shown = [f"{name} {_arrow(old.get(name, 'none'), new.get(name, 'none'))}" for name in differing[:_MANY]]
    return ", ".join(shown) + (f" and {len(differing) - _MANY} more" if len(differing) > _MANY else "")


def _arrow(old: object, new: object) -> str:
    return f"{old} -> {new}"
