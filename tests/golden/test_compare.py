"""When a golden may be compared with, and what is said when it may not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pytest_robust.golden import Comparable, GoldenFile, NotComparable, find
from pytest_robust.measurement import Samples

from .build import MODEL, SPEC, entries, golden, measurement, samples, sha, update


def reason(held: GoldenFile | None, key: str = "clean", *, any_device: bool = False, **fields: Any) -> str:
    of = fields.get("of") or samples()
    found = find(held, key, measurement(**fields), of, any_device=any_device)
    assert isinstance(found, NotComparable)
    assert "regression" not in found.reason
    assert "regressed" not in found.reason
    return found.reason


def test_the_same_again_is_comparable() -> None:
    held = golden()
    found = find(held, "clean", measurement(3, model="another file"), samples())
    assert isinstance(found, Comparable)
    assert found.recording is held.recordings["cpu"]
    assert found.cell is held.recordings["cpu"].cells["clean"]
    assert found.changed == ()


def test_nothing_recorded() -> None:
    assert reason(None) == "no golden is recorded for this model"
    assert reason(GoldenFile(SPEC, MODEL)) == "no golden is recorded for this model"


def test_another_seed_is_named() -> None:
    held = golden(options={"seed": 0, "pillow": "13.0"})
    assert reason(held, canvas="other", options={"seed": 7, "pillow": "14.0"}) == "the seed changed: 0 -> 7"
    silent = reason(golden(), canvas="other", options={"seed": 7, "pillow": "14.0"})
    assert "seed" not in silent, "an older golden says nothing of it"


def test_no_recording_of_the_device_class() -> None:
    held = update(golden(), entries({"clean": 6}, device_class="cuda-sm80"))
    assert (
        reason(held, device_class="cuda-sm90")
        == "no golden is recorded for device class cuda-sm90 (recorded: cpu, cuda-sm80); "
        "gate: {golden_device: any} in the spec compares across device classes"
    )


def test_no_such_cell() -> None:
    assert reason(golden(), "fog-9") == "the golden of device class cpu has no cell fog-9"


def test_another_sample_set() -> None:
    held = golden()
    was = samples().digest[:12]
    fewer = samples(5)
    assert reason(held, right=4, of=fewer) == (
        f"the sample set changed (digest {was} -> {fewer.digest[:12]}): 8 -> 5 samples, 0 added, 3 removed"
    )
    relabelled = Samples(samples().ids, samples().labels[::-1].copy(), sha("relabelled"))
    assert reason(held, of=relabelled).endswith(": 6 of 8 labels differ")
    redrawn = replace(samples(), digest=sha("redrawn"))
    assert reason(held, of=redrawn).endswith(": the same 8 ids and labels, but other image contents")


def test_another_version_or_other_parameters() -> None:
    held = golden()
    assert reason(held, shift_version=2) == "the shift's version changed: 1 -> 2"
    assert (
        reason(held, parameters={"strength": 0.5, "mode": "up"})
        == "the shift's parameters changed: mode none -> up, strength 0.25 -> 0.5"
    )
    many = dict.fromkeys("abcde", 1)
    assert reason(held, parameters={"strength": 0.25, **many}).endswith(
        "a none -> 1, b none -> 1, c none -> 1 and 2 more"
    )
    assert "strength 0.25 -> nan" in reason(held, parameters={"strength": float("nan")})


def test_parameters_are_compared_as_json_keeps_them() -> None:
    parameters = {"size": (1, 2), "levels": {2: 0.5}}
    held = update(None, entries({"clean": 6}, parameters=parameters))
    assert isinstance(find(held, "clean", measurement(parameters=parameters), samples()), Comparable)


def test_stored_images_are_not_generated_ones() -> None:
    assert reason(golden(), source="stored") == "the golden was measured on generated images, this run on stored ones"


def test_other_shifted_images_name_the_library() -> None:
    digests = f"{sha('canvas')[:12]} -> {sha('other')[:12]}"
    held = golden()
    options = {"threads": 8, "pillow": "14.0", "numpy": "2.4"}
    assert (
        reason(held, canvas="other", options=options)
        == f"the shifted images changed (canvas digest {digests}): Pillow 13.0 -> 14.0"
    )
    options = {"pillow": "13.0", "opencv": "5.0", "numpy": "2.5"}
    assert reason(held, canvas="other", options=options).endswith(": NumPy 2.4 -> 2.5, OpenCV none -> 5.0")
    assert reason(held, canvas="other") == (
        f"the shifted images changed (canvas digest {digests}): all recorded library versions are the same"
    )


def test_the_cells_own_versions_count_not_those_of_its_recording() -> None:
    newer = {"pillow": "14.0"}
    held = update(golden(), entries({"clean": 5}, options=newer, canvas="two"))
    assert isinstance(find(held, "clean", measurement(canvas="two", options=newer), samples()), Comparable)
    assert reason(held, canvas="three", options={"pillow": "15.0"}).endswith("Pillow 14.0 -> 15.0")
    assert held.recordings["cpu"].origin.options["pillow"] == "13.0"


def test_a_release_may_change_geometry_and_preprocess() -> None:
    found = find(
        golden(),
        "clean",
        measurement(geometry="resize 329, crop 288", preprocess="size 288", onnxruntime="1.31.1", canvas="larger"),
        samples(),
    )
    assert isinstance(found, Comparable)
    assert found.changed == (
        "geometry resize 256, crop 224 -> resize 329, crop 288",
        "preprocess size 224 -> size 288",
        "onnxruntime 1.27.0 -> 1.31.1",
    )


def test_any_device_prefers_its_own() -> None:
    held = update(golden(), entries({"clean": 5, "imagenet-c.fog-1": 2}, device_class="cuda-sm90"))
    own = find(held, "clean", measurement(device_class="cuda-sm90"), samples(), any_device=True)
    assert isinstance(own, Comparable)
    assert own.recording.device_class == "cuda-sm90"
    other = find(held, "clean", measurement(device_class="cuda-sm80", canvas="off by one"), samples(), any_device=True)
    assert isinstance(other, Comparable), "canvases of two device classes are not held to the same bytes"
    assert other.recording.device_class == "cpu"
    assert other.changed == ("device class cpu -> cuda-sm80",)
    lacking = measurement(device_class="cuda-sm90")
    elsewhere = find(held, "imagenet-c.fog-2", lacking, samples(), any_device=True)
    assert isinstance(elsewhere, Comparable)
    assert elsewhere.recording.device_class == "cpu"
    assert isinstance(find(held, "imagenet-c.fog-2", lacking, samples()), NotComparable)
    assert (
        reason(held, any_device=True, device_class="cuda-sm90", shift_version=3)
        == "the shift's version changed: 1 -> 3"
    )


@pytest.mark.parametrize("count", [0, 1])
def test_tiny_sample_sets(count: int) -> None:
    tiny = samples(count)
    held = update(None, entries({"clean": 0}, of=tiny))
    found = find(held, "clean", measurement(0, of=tiny), tiny)
    assert isinstance(found, Comparable)
    assert found.cell.accuracy == 0.0
    assert found.cell.predicted.dtype == np.uint16
