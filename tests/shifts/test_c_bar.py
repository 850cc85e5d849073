"""The tables of ImageNet-C-bar and CIFAR-10-C-bar, and the spec entry."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pytest_robust.shifts import c_bar
from pytest_robust.shifts.c_bar import SUITES
from pytest_robust.shifts.streams import make
from pytest_robust.shifts.suites import STORED_VERSION

SHIFTS = {shift.name: shift for shift in c_bar.SHIFTS}
(SUITE,) = c_bar.SUITES

RELEASED = {
    "imagenet": """
blue_noise_sample,0.8,1.6,2.4,4.0,5.6
brownish_noise,1.0,2.0,3.0,4.0,5.0
caustic_refraction,2.35,3.2,4.9,6.6,9.15
checkerboard_cutout,2.0,3.0,4.0,5.0,6.0
cocentric_sine_waves,3.0,5.0,8.0,9.0,10.0
inverse_sparkles,1.0,2.0,4.0,9.0,10.0
perlin_noise,4.6,5.2,5.8,7.6,8.8
plasma_noise,4.75,7.0,8.5,9.25,10.0
single_frequency_greyscale,1.0,1.5,2.0,4.5,5.0
sparkles,1.0,2.0,3.0,5.0,6.0
""",
    "cifar": """
blue_noise_sample,0.7,1.4,2.1,3.5,4.2
brownish_noise,2.5,4.0,5.5,6.5,7.0
checkerboard_cutout,1.0,2.0,3.0,4.0,5.0
circular_motion_blur,2.8,3.6,4.4,5.2,6.0
inverse_sparkles,1.0,1.5,2.5,4.5,5.0
lines,0.5,1.0,1.5,2.0,2.5
pinch_and_twirl,5.5,6.0,6.5,8.5,10.0
ripple,5.5,6.0,6.5,7.5,8.0
sparkles,0.7,3.5,5.6,6.3,7.0
transverse_chromatic_abberation,1.0,2.0,5.0,9.0,10.0
""",
}
"""The files imagenet_c_bar.csv and cifar10_c_bar.csv of the released generator."""


def rows(table: str) -> dict[str, list[float]]:
    lines = [line.split(",") for line in RELEASED[table].split()]
    return {name: list(map(float, levels)) for name, *levels in lines}


def expand(**entry: Any) -> list[tuple[str, int, dict[str, Any]]]:
    read = SUITE.options.model_validate_json(json.dumps(entry), strict=True)
    return [(one.shift, one.severity, dict(one.parameters)) for one in SUITE.expand(read)]  # type: ignore[misc]


@pytest.mark.parametrize("table", ["imagenet", "cifar"])
def test_the_levels_are_the_released_ones(table: str) -> None:
    found: dict[str, list[float]] = {}
    for name, severity, parameters in expand(table=table):
        assert parameters == {"severity": severity, "table": table}
        numbers = SHIFTS[name].resolve(parameters, 100, 100)
        assert numbers["table"] == table
        found.setdefault(name, []).append(numbers["level"])
    assert found == rows(table)


def test_auto_follows_the_short_side_where_there_is_a_choice() -> None:
    sparkles, waves, ripple = SHIFTS["sparkles"], SHIFTS["cocentric_sine_waves"], SHIFTS["ripple"]
    for size in ((48, 200), (200, 48), (32, 32)):
        assert sparkles.resolve({"severity": 1}, *size) == {"table": "cifar", "level": 0.7}
    for size in ((49, 200), (224, 224)):
        assert sparkles.resolve({"severity": 1}, *size) == {"table": "imagenet", "level": 1}
    assert waves.resolve({"severity": 5}, 32, 32) == {"table": "imagenet", "level": 10}
    assert ripple.resolve({"severity": 5}, 224, 224) == {"table": "cifar", "level": 8}


def test_an_entry_takes_the_ten_of_its_table_or_what_it_names() -> None:
    assert {row[0] for row in expand()} == set(rows("imagenet"))
    assert {row[0] for row in expand(table="cifar")} == set(rows("cifar"))
    assert len(expand()) == 50
    assert [row[:2] for row in expand(corruptions=["lines", "brownish_noise"], severities=[4, 2])] == [
        ("brownish_noise", 2),
        ("brownish_noise", 4),
        ("lines", 2),
        ("lines", 4),
    ]
    with pytest.raises(ValueError, match="lines and ripple: not in the table imagenet; take table: auto"):
        expand(corruptions=["ripple", "lines", "sparkles"], table="imagenet")


def test_published_images_are_asked_for_by_the_same_names() -> None:
    """The ten of the table; the table itself says nothing of images that are made, nor does our version."""
    (suite,) = SUITES
    for table in ("imagenet", "cifar"):
        made = list(suite.expand(suite.options(table=table, severities=(2,), stored="../c-bar")))
        assert {one.shift for one in made} == set(rows(table))
        assert {one.version for one in made} == {STORED_VERSION}
        assert [dict(one.parameters) for one in made] == [{"severity": 2, "stored": "../c-bar"}] * 10


def test_every_corruption_has_a_source_and_fifteen_there_are() -> None:
    assert len(SHIFTS) == 15
    assert set(SHIFTS) == {*rows("imagenet"), *rows("cifar")}
    assert all("2102.11273" in shift.source and shift.suite == "imagenet-c-bar" for shift in SHIFTS.values())
    schema = SUITE.options.model_json_schema()
    assert set(schema["properties"]["corruptions"]["items"]["enum"]) == set(SHIFTS)
    assert schema["properties"]["severities"]["items"]["enum"] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "entry",
    [
        {"corruptions": ["fog"]},
        {"corruptions": []},
        {"corruptions": ["lines", "lines"]},
        {"severities": [0]},
        {"severities": [6]},
        {"severities": []},
        {"table": 224},
        {"levels": [1]},
    ],
)
def test_entries_are_validated(entry: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        expand(**entry)


@pytest.mark.parametrize(
    ("name", "parameters", "sentence"),
    [
        ("sparkles", {}, r"sparkles takes a severity of 1, 2, 3, 4 or 5 \(0 changes nothing\), not None"),
        ("sparkles", {"severity": 2.5}, "not 2.5"),
        ("sparkles", {"severity": 1, "table": 224}, "sparkles has the tables auto, imagenet, cifar, not 224"),
        ("lines", {"severity": 1, "table": "imagenet"}, "lines has the tables auto, cifar, not 'imagenet'"),
        ("lines", {"severity": 1, "level": 3}, "lines has no parameter 'level'; it takes table"),
    ],
)
def test_the_shift_itself_refuses_too(name: str, parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SHIFTS[name].resolve(parameters, 32, 32)


@pytest.mark.parametrize("name", SHIFTS)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (32, 32), (45, 61), (64, 150)])
def test_any_size_at_the_strongest(name: str, size: tuple[int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)
    shift = SHIFTS[name]
    made = make(shift, images, ["a", "b"], 0, shift.resolve({"severity": 5}, *size))
    assert made.shape == images.shape
    assert made.dtype == np.uint8


@pytest.mark.parametrize("name", SHIFTS)
def test_severity_0_is_the_identity(name: str) -> None:
    assert SHIFTS[name].resolve({"severity": 0}, 32, 32) == {}


@pytest.mark.parametrize("table", ["imagenet", "cifar"])
def test_a_higher_severity_is_a_larger_change(table: str) -> None:
    y, x = np.mgrid[:48, :48]
    image = np.stack([128 + 60 * np.sin(x / 5), 128 + 60 * np.cos(y / 7), 128 + 40 * np.sin((x + y) / 9)], axis=-1)
    images = np.repeat(image[None].astype(np.uint8), 24, axis=0)
    names = [str(i) for i in range(24)]
    for name in rows(table):
        changes = []
        for severity in (1, 3, 5):
            numbers = SHIFTS[name].resolve({"severity": severity, "table": table}, 48, 48)
            made = make(SHIFTS[name], images, names, 0, numbers)
            changes.append(np.abs(made.astype(float) - images).mean())
        assert changes[0] < changes[1] < changes[2], name
