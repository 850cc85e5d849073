"""The test resolution: canvases of another size, and the exact identity at the model's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from pytest_robust.api import apply_shift
from pytest_robust.data import canvas, open_dataset
from pytest_robust.registry import catalog
from pytest_robust.shifts.base import PixelShift
from pytest_robust.spec.plan import DatasetPlan, Geometry
from pytest_robust.views.base import Derived
from pytest_robust.views.resolution import SHIFTS, scaled
from tests.views.conftest import MARK

Made = Callable[..., Derived]


@pytest.fixture
def photos(tmp_path: Path, noise: Callable[..., Path], place: Callable[..., object]) -> DatasetPlan:
    """Two photographs, one upright and one across."""
    noise(tmp_path / "photos" / "a" / "0.png", (300, 400, 3), 0)
    noise(tmp_path / "photos" / "b" / "0.png", (500, 310, 3), 1)
    return DatasetPlan("folder", MARK, place("photos"))  # type: ignore[arg-type]


def at(derive: Made, size: int, dataset: DatasetPlan, geometry: Geometry) -> Derived:
    return derive("resolution", "geometry", size, dataset, parameters={"severity": size}, geometry=geometry)


@pytest.mark.parametrize(("size", "short"), [(128, 146), (160, 183), (288, 329)])
def test_the_geometry_is_scaled_in_proportion(derive: Made, photos: DatasetPlan, size: int, short: int) -> None:
    """The classic 256 and 224, and 329 for 288, as the published models of FixRes are tested."""
    geometry = Geometry(256, 224, "bicubic", "nearest")
    made = at(derive, size, photos, geometry)
    plain = open_dataset(photos)
    for index in range(2):
        found = made.dataset.canvas(index, geometry)
        assert found.shape == (size, size, 3)
        assert np.array_equal(found, plain.canvas(index, Geometry(short, size, "bicubic", "nearest")))
    assert made.parameters == {"size": size}
    assert made.dataset.samples is not None
    assert made.dataset.samples.digest == plain.samples.digest


@pytest.mark.parametrize(
    ("geometry", "own"),
    [(Geometry(256, 224), 224), (Geometry(None, 224), 224), (Geometry(329, 288, "bicubic", "nearest"), 288)],
)
def test_its_own_size_is_the_exact_identity(derive: Made, photos: DatasetPlan, geometry: Geometry, own: int) -> None:
    made = at(derive, own, photos, geometry)
    assert (made.parameters, made.notes) == ({}, ())
    plain = open_dataset(photos)
    for index in range(2):
        assert np.array_equal(made.dataset.canvas(index, geometry), plain.canvas(index, geometry))


@given(st.integers(1, 600), st.integers(0, 300), st.integers(1, 600))
def test_a_scaled_geometry_has_room_for_its_crop_and_its_own_size_back(crop: int, room: int, size: int) -> None:
    geometry = Geometry(crop + room, crop)
    found = scaled(geometry, size)
    assert found.crop == size
    assert found.resize is not None
    assert found.resize >= size
    assert abs(found.resize * crop - (crop + room) * size) <= crop / 2
    assert scaled(geometry, crop) == geometry
    assert scaled(Geometry(crop), size) == Geometry(size)


def test_a_canvas_that_is_all_there_is_is_resized_itself(derive: Made, photos: DatasetPlan) -> None:
    digits = DatasetPlan("digits", MARK, limit=3)
    plain = open_dataset(digits)
    assert at(derive, 32, digits, Geometry()).parameters == {}
    for size in (20, 48):
        made = at(derive, size, digits, Geometry(interpolation="bicubic"))
        image = Image.fromarray(plain.image(1)).resize((size, size), Image.Resampling.BICUBIC)
        assert np.array_equal(made.dataset.canvas(1, Geometry(interpolation="bicubic")), np.asarray(image))
    cropped = at(derive, 100, photos, Geometry(None, 224)).dataset.canvas(0, Geometry(None, 224))
    photo = canvas(open_dataset(photos).image(0), Geometry(None, 224), "")
    assert np.array_equal(cropped, np.asarray(Image.fromarray(photo).resize((100, 100), Image.Resampling.BILINEAR)))


def test_groups_and_notes_of_the_data_set_go_along(derive: Made) -> None:
    made = at(derive, 20, DatasetPlan("digits", MARK, per_class=80), Geometry())
    assert "per_class is 80" in made.dataset.notes[0]


def test_resize_is_pillows_on_the_canvas_alone() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 40, 56, 3), np.uint8)
    for size, shape in ((20, (20, 28)), (80, (80, 112))):
        made = apply_shift(images, "resize", size)
        assert made.shape == (2, *shape, 3)
        for one, image in zip(made, images, strict=True):
            ours = np.asarray(Image.fromarray(image).resize(shape[::-1], Image.Resampling.BILINEAR))
            assert np.array_equal(one, ours)
    assert np.array_equal(apply_shift(images, "resize", 40), images)
    assert np.array_equal(apply_shift(images, "resize", 40.0), images)


@pytest.mark.parametrize("size", [0, -3, 4097, 2.5, "8", None, True])
def test_a_size_is_a_whole_number_of_pixels(size: object) -> None:
    (shift,) = SHIFTS
    assert isinstance(shift, PixelShift)
    with pytest.raises(ValueError, match="resize takes a whole number of pixels from 1 to 4096 as its severity, not"):
        shift.resolve({"severity": size}, 8, 8)  # type: ignore[dict-item]


def test_an_entry_sorts_its_sizes_and_only_geometry_feeds_them() -> None:
    suite = catalog()["resolution"]

    def rows(text: str) -> list[tuple[str, object, bool]]:
        entry = suite.options.model_validate_json(text, strict=True)
        return [(one.shift, one.severity, one.changes_size) for one in suite.expand(entry)]

    assert rows("{}") == [("geometry", size, True) for size in (128, 160, 224, 288)]
    assert rows('{"sizes": [64, 32], "mode": "resize"}') == [("resize", 32, False), ("resize", 64, False)]
    for wrong in ('{"sizes": []}', '{"sizes": [8, 8]}', '{"sizes": [0]}', '{"sizes": [8.5]}', '{"mode": "crop"}'):
        with pytest.raises(ValidationError):
            rows(wrong)
