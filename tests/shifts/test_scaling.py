"""Scaling: sizes, framing, and which mode takes which multiple."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

from pytest_robust.registry import catalog, pixel_shift
from pytest_robust.shifts.streams import make


def run(name: str, images: NDArray[np.uint8], multiple: float, **options: Any) -> NDArray[np.uint8]:
    shift = pixel_shift("scaling", name)
    numbers = shift.resolve({"severity": multiple, **options}, *images.shape[1:3])
    return make(shift, images, [str(i) for i in range(len(images))], 0, numbers)


def expand(**entry: Any) -> list[tuple[str, Any]]:
    suite = catalog()["scaling"]
    # strictly and from JSON, as a spec is read
    read = suite.options.model_validate_json(json.dumps(entry), strict=True)
    assert read == suite.options.model_validate(entry)
    return [(one.shift, one.severity) for one in suite.expand(read)]


@pytest.mark.parametrize("name", ["down_up", "zoom_crop", "shrink_pad", "feed_scaled"])
@pytest.mark.parametrize("multiple", [1, 1.0])
def test_multiple_1_is_the_identity(pictures: NDArray[np.uint8], name: str, multiple: float) -> None:
    made = run(name, pictures, multiple, interpolation="bicubic")
    assert np.array_equal(made, pictures)
    assert not np.shares_memory(made, pictures)


def test_down_up_averages_and_spreads(pictures: NDArray[np.uint8]) -> None:
    small = Image.fromarray(pictures[2]).resize((28, 20), Image.Resampling.BILINEAR)
    expected = np.asarray(small.resize((56, 40), Image.Resampling.BILINEAR))
    assert np.array_equal(run("down_up", pictures, 0.5)[2], expected)


def test_shrinking_is_antialiased() -> None:
    stripes = np.zeros((1, 32, 32, 3), np.uint8)
    stripes[:, :, ::2] = 255
    made = run("feed_scaled", stripes, 0.25)
    assert made.shape == (1, 8, 8, 3)
    assert np.abs(made.astype(int) - 127.5).max() < 10
    assert set(np.unique(run("feed_scaled", stripes, 0.25, interpolation="nearest"))) <= {0, 255}


def test_zoom_crop_keeps_the_centre() -> None:
    image = np.zeros((1, 24, 24, 3), np.uint8)
    image[:, 6:18, 6:18] = 200
    assert np.all(run("zoom_crop", image, 2, interpolation="nearest") == 200)
    assert np.all(run("zoom_crop", image, 4) == 200)
    larger = run("zoom_crop", image, 1.5, interpolation="nearest")
    assert np.count_nonzero(larger) == 18 * 18 * 3
    assert np.all(larger[:, 3:21, 3:21] == 200)


@pytest.mark.parametrize("size", [(10, 10), (11, 7), (1, 1), (2, 5)])
def test_shrink_pad_frames_the_small_image(size: tuple[int, int]) -> None:
    height, width = size
    image = np.full((2, height, width, 3), 200, np.uint8)
    made = run("shrink_pad", image, 0.5, fill=9)
    inner = max(1, int(height / 2 + 0.5)) * max(1, int(width / 2 + 0.5))
    assert np.count_nonzero(made[0, ..., 0] == 200) == inner
    assert np.count_nonzero(made[0, ..., 0] == 9) == height * width - inner
    for axis, side in ((1, height), (0, width)):
        (inside,) = np.nonzero((made[0, ..., 0] == 200).any(axis=axis))
        assert 0 <= (side - 1 - inside[-1]) - inside[0] <= 1, "the frame is even, or one wider at the end"
    for pad in ("edge", "reflect"):
        assert np.array_equal(run("shrink_pad", image, 0.25, pad=pad), image)


def test_reflection_and_edge_differ_as_they_should() -> None:
    ramp = np.repeat(np.arange(0, 240, 10, dtype=np.uint8)[None, None, :, None], 3, axis=-1).repeat(24, axis=1)
    small = run("feed_scaled", ramp, 0.5)[0, 0, :, 0].tolist()
    edge = run("shrink_pad", ramp, 0.5, pad="edge")[0, 12, :, 0].tolist()
    mirrored = run("shrink_pad", ramp, 0.5, pad="reflect")[0, 12, :, 0].tolist()
    assert edge == [small[0]] * 6 + small + [small[-1]] * 6
    assert mirrored == small[6:0:-1] + small + small[-2:-8:-1]


@given(st.floats(0.02, 4), st.integers(1, 24), st.integers(1, 24))
def test_sizes_hold_for_any_multiple(multiple: float, height: int, width: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), np.uint8)
    assert run("down_up", image, multiple).shape == image.shape
    assert run("zoom_crop", image, max(multiple, 1)).shape == image.shape
    assert run("shrink_pad", image, min(multiple, 1), pad="reflect").shape == image.shape
    fed = run("feed_scaled", image, multiple)
    assert fed.shape[1:3] == tuple(max(1, int(side * multiple + 0.5)) for side in (height, width))


def test_only_feed_scaled_changes_the_size() -> None:
    suite = catalog()["scaling"]
    entry = suite.options.model_validate({"mode": ["feed_scaled", "down_up"], "multiples": [2]})
    assert [(one.shift, one.changes_size) for one in suite.expand(entry)] == [("down_up", False), ("feed_scaled", True)]


def test_an_entry_expands_in_order_and_every_mode_takes_what_it_can() -> None:
    assert expand() == [("down_up", 0.25), ("down_up", 0.5), ("down_up", 2), ("down_up", 4)]
    assert expand(mode="zoom_crop") == [("zoom_crop", 2), ("zoom_crop", 4)]
    assert expand(mode=["shrink_pad", "zoom_crop"], multiples=[2, 0.5, 1]) == [
        ("zoom_crop", 1),
        ("zoom_crop", 2),
        ("shrink_pad", 0.5),
        ("shrink_pad", 1),
    ]


def test_variants_carry_all_that_the_shift_must_be_told() -> None:
    suite = catalog()["scaling"]
    entry = suite.options.model_validate(
        {"mode": "shrink_pad", "multiples": [0.5], "fill": 7, "interpolation": "bicubic"}
    )
    (variant,) = suite.expand(entry)
    shift = pixel_shift("scaling", variant.shift)
    assert shift.resolve(variant.parameters, 10, 10) == {
        "multiple": 0.5,
        "interpolation": "bicubic",
        "pad": "constant",
        "fill": 7,
    }
    assert isinstance(expand(multiples=[2.0])[0][1], int), "ids print 2, never 2.0"


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"mode": "zoom_crop", "multiples": [0.5]}, "zoom_crop cannot take the multiple 0.5; it enlarges, from 1 on"),
        ({"mode": ["shrink_pad"], "multiples": [2]}, "shrink_pad cannot take the multiple 2; it shrinks, up to 1"),
        ({"pad": "edge"}, "pad: only the mode shrink_pad pads, and it is not asked for"),
        ({"mode": "shrink_pad", "multiples": [0.5], "pad": "edge", "fill": 3}, "fill is the level of constant padding"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(entry: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        expand(**entry)


@pytest.mark.parametrize(
    "entry",
    [
        {"multiples": []},
        {"multiples": [0]},
        {"multiples": [-1]},
        {"multiples": [17]},
        {"multiples": [2, 2.0]},
        {"multiples": ["2"]},
        {"multiples": [True]},
        {"multiples": 2},
        {"mode": "zoom"},
        {"mode": []},
        {"mode": ["down_up", "down_up"]},
        {"fill": 256},
        {"pad": "wrap"},
        {"interpolation": "lanczos"},
        {"corruptions": ["fog"]},
    ],
)
def test_entries_are_validated(entry: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        catalog()["scaling"].options.model_validate(entry)


@pytest.mark.parametrize(
    ("name", "multiple", "options", "sentence"),
    [
        ("down_up", 0, {}, "above 0 and up to 16"),
        ("down_up", None, {}, "down_up takes a multiple"),
        ("down_up", True, {}, "not True"),
        ("down_up", float("nan"), {}, "not nan"),
        ("zoom_crop", 0.5, {}, "it enlarges"),
        ("shrink_pad", 2, {}, "it shrinks"),
        ("shrink_pad", 0.5, {"pad": "wrap"}, "constant, reflect, edge as pad, not 'wrap'"),
        ("shrink_pad", 0.5, {"fill": 300}, "from 0 to 255 as fill, not 300"),
        ("down_up", 0.5, {"fill": 3}, "no parameter 'fill'; it takes interpolation"),
    ],
)
def test_the_shift_itself_refuses_too(name: str, multiple: Any, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        run(name, np.zeros((1, 4, 4, 3), np.uint8), multiple, **options)
