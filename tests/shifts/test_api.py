"""The public functions: the same bytes as a run, and mistakes answered with a sentence."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image

from pytest_robust.api import apply_shift, list_shifts
from pytest_robust.errors import RobustError
from pytest_robust.registry import catalog, default_registry, pixel_shift
from pytest_robust.shifts.noise import gaussian_noise
from pytest_robust.shifts.rng import Stream
from pytest_robust.shifts.streams import make


def test_it_gives_the_bytes_of_a_run(pictures: NDArray[np.uint8]) -> None:
    ids = ["a/1", "a/2", "b/1", "b/2"]
    views = {(row.suite, row.name) for row in list_shifts() if row.kind == "view"}
    for suite in catalog().values():
        if suite.name in ("adversarial", "fingerprint"):  # crafted on a model, by a run or beforehand
            continue
        for variant in suite.expand(suite.options()):
            if (suite.name, variant.shift) in views:
                continue
            shift = pixel_shift(suite.name, variant.shift)
            run = make(shift, pictures, ids, 4, shift.resolve(variant.parameters, 40, 56))
            assert np.array_equal(apply_shift(pictures, variant.shift, variant.severity, ids=ids, seed=4), run)


def test_the_key_is_seed_shift_resolved_parameters_and_id(pictures: NDArray[np.uint8]) -> None:
    bits = [Stream(4, "gaussian_noise", {"table": 224, "std": 0.18}, "x")]
    made = apply_shift(pictures[:1], "gaussian_noise", 3, ids=["x"], seed=4, table=224)
    assert np.array_equal(made, gaussian_noise(pictures[:1], bits, std=0.18))


def test_ids_default_to_the_positions(pictures: NDArray[np.uint8]) -> None:
    made = apply_shift(pictures, "shot_noise", 2)
    assert np.array_equal(made, apply_shift(pictures, "shot_noise", 2, ids=["0", "1", "2", "3"], seed=0))


def test_numpy_numbers_are_numbers(pictures: NDArray[np.uint8]) -> None:
    plain = apply_shift(pictures, "gaussian_noise", 3, seed=2)
    assert np.array_equal(apply_shift(pictures, "gaussian_noise", np.int64(3), seed=np.int64(2)), plain)
    assert np.array_equal(apply_shift(pictures, "gaussian_noise", 3.0, seed=2), plain)
    assert np.array_equal(apply_shift(pictures, "down_up", np.float32(0.5)), apply_shift(pictures, "down_up", 0.5))


@pytest.mark.parametrize(("name", "severity"), [("clean", None), ("clean", 0), ("shot_noise", 0), ("down_up", 1)])
def test_no_strength_changes_nothing(pictures: NDArray[np.uint8], name: str, severity: float | None) -> None:
    made = apply_shift(pictures, name, severity)
    assert np.array_equal(made, pictures)
    assert not np.shares_memory(made, pictures)


GOOD = np.zeros((2, 4, 4, 3), np.uint8)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (GOOD.tolist(), "a uint8 array with values 0 to 255, not list"),
        (GOOD.astype(np.float32), "not an array of float32"),
        (GOOD[0], r"must have the shape \(N, H, W, 3\), not \(4, 4, 3\); put one image into a batch"),
        (np.zeros((2, 3, 4, 4), np.uint8), r"not \(2, 3, 4, 4\)$"),
        (np.zeros((2, 0, 4, 3), np.uint8), r"not \(2, 0, 4, 3\)$"),
    ],
)
def test_wrong_images_are_refused(images: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        apply_shift(images, "contrast", 1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"name": "haze", "severity": 1}, "there is no shift 'haze'"),
        ({"name": "contrast"}, "contrast takes a severity of 1, 2, 3, 4 or 5"),
        ({"name": "contrast", "severity": 6}, "not 6"),
        ({"name": "contrast", "severity": 1, "tabel": 32}, "contrast has no parameter 'tabel'; it takes table"),
        ({"name": "contrast", "severity": True}, "contrast takes a severity of 1, 2, 3, 4 or 5 .*, not True"),
        ({"name": "inverse_sparkles", "severity": True}, "inverse_sparkles takes a severity of .*, not True"),
        ({"name": "clean", "severity": False}, "clean takes no severity, not False"),
        (
            {"name": "one-per-sample", "corruptions": ["fog", "snow", "fog"]},
            "takes each of its corruptions once.*'fog'",
        ),
        (
            {"name": "one-per-sample", "severities": [1, 2, 2]},
            "takes each of its severities once, and 2 is given twice",
        ),
        ({"name": "clean", "severity": 1}, "clean takes no severity, not 1"),
        ({"name": "clean", "table": 32}, "clean has no parameter 'table' beside severity"),
        ({"name": "contrast", "severity": 1, "ids": ["a"]}, "there are 1 ids for 2 images"),
        ({"name": "contrast", "severity": 1, "ids": "ab"}, "ids must be a sequence of strings"),
        ({"name": "contrast", "severity": 1, "ids": [1, 2]}, "ids must be a sequence of strings"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        apply_shift(GOOD, **arguments)


def test_a_seed_is_a_whole_number() -> None:
    with pytest.raises(TypeError):
        apply_shift(GOOD, "contrast", 1, seed=0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("device", "sentence"),
    [
        ("gpu", "the device 'gpu' is not known: choose cpu, cuda or cuda:N"),
        ("cuda:-1", "the device 'cuda:-1' is not known"),
        ("cuda:999", r"torch \S+ sees \d+ GPUs, not cuda:999; use device='cpu', or install a CUDA build of torch"),
    ],
)
def test_a_device_that_is_not_there_is_refused(device: str, sentence: str) -> None:
    with pytest.raises(RobustError, match=sentence):
        apply_shift(GOOD, "contrast", 1, device=device)


def test_the_list_tells_what_apply_shift_takes(tmp_path: Path) -> None:
    rows = {f"{row.suite}.{row.name}": row for row in list_shifts()}
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "frost.png")
    assert rows["imagenet-c.gaussian_noise"].severities == (1, 2, 3, 4, 5)
    assert rows["imagenet-c.gaussian_noise"].parameters == {"table": "auto", "jpeg85": False}
    assert rows["scaling.shrink_pad"].parameters == {"interpolation": "bilinear", "pad": "constant", "fill": 0}
    assert rows["si-score.rotation"].severities == tuple(range(1, 342, 20))
    assert rows["si-score.location"].severities[1] == "0.00x0.05"
    assert rows["fourier.phase_swap"].parameters == {"axes": "chw"}
    for name, row in rows.items():
        assert row.source
        assert row.version >= 1
        if row.kind == "view":
            continue
        usual = {"clean": None, "one-per-sample": None, "resize": 4}.get(row.name, 1)
        severity = row.severities[-1] if row.severities else usual
        given = {"textures": str(tmp_path)} if row.name == "frost" else {}
        assert apply_shift(GOOD, name, severity, **{**row.parameters, **given}).shape == GOOD.shape


def test_the_list_has_every_shift_suite_by_suite() -> None:
    rows = list_shifts()
    suites = [row.suite for row in rows]
    assert list(dict.fromkeys(suites)) == [
        "clean",
        "imagenet-c",
        "imagenet-c-extra",
        "imagenet-c-bar",
        "scaling",
        "resolution",
        "lp-noise",
        "fourier",
        "si-score",
        "adversarial",
        "natural",
        "stored",
        "fingerprint",
    ]
    assert all(suites.index(suite) + suites.count(suite) > place for place, suite in enumerate(suites)), "scattered"
    assert {row.name for row in rows if row.kind == "view"} == {
        "geometry",
        "amplitude_swap",
        "phase_swap",
        "size",
        "rotation",
        "location",
        "fgsm",
        "ifgsm",
        "pgd",
        "budget",
        "cw",
        "ead",
        "square",
        "natural",
        "stored",
        "match",
    }
    assert set(catalog()) - {"natural", "stored"} <= set(suites)


@pytest.mark.parametrize(
    ("name", "way"),
    [
        (
            "natural",
            r"natural\.natural needs more than the images it shifts; name the images in a spec by \{name:",
        ),
        ("stored", "give an entry of imagenet-c, .* the key `stored: PATH` in a spec"),
        ("fourier.phase_swap", r"\{suite: fourier, phase_swap: \[1\]\}, or mix two images by .*swaps\.phase_swap\("),
        ("size", r"\{suite: si-score, factors: \{size: all\}\}, or compose a scene by"),
        ("resolution.geometry", r"\{suite: resolution, .*apply_shift\(\.\.\., 'resize'\)"),
        ("amplitude_swp", "there is no shift 'amplitude_swp'; did you mean 'amplitude_swap'"),
    ],
)
def test_a_shift_with_samples_of_its_own_says_how_to_have_it(name: str, way: str) -> None:
    with pytest.raises(ValueError, match=way):
        apply_shift(GOOD, name, 1)


def test_every_way_that_is_named_is_one() -> None:
    """The functions that stand in the sentences exist, and their spec entries are entries."""
    for view in default_registry().views():
        for place in re.findall(r"(pytest_robust[\w.]+)\(", view.instead):
            module, _, function = place.rpartition(".")
            assert callable(getattr(importlib.import_module(module), function))
        for text in re.findall(r"\{suite: .*?\}(?=,? or|,|$)", view.instead):
            entry = yaml.safe_load(text.replace("[...]", "[8]"))
            suite = catalog()[entry.pop("suite")]
            assert list(suite.expand(suite.options.model_validate_json(json.dumps(entry), strict=True)))
