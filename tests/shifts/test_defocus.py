"""Defocus blur against OpenCV's filter in floating point, as the paper applies it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from pytest_robust.registry import pixel_shift
from pytest_robust.shifts.defocus import MOST, defocus_blur, disk, taps
from tests.shifts import paper

DEFOCUS = pixel_shift("imagenet-c", "defocus_blur")
CASES = [(table, severity) for table in (224, 64, 32) for severity in range(1, 6)]


@pytest.mark.parametrize(("table", "severity"), CASES)
def test_the_disk_is_the_published_one(table: int, severity: int) -> None:
    numbers = DEFOCUS.resolve({"severity": severity, "table": table}, 1, 1)
    found, expected = (rule(numbers["radius"], numbers["alias"]) for rule in (disk, paper.disk))
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-7


@pytest.mark.parametrize(("table", "severity"), CASES)
def test_it_is_the_filter_within_one_level(pictures: NDArray[np.uint8], table: int, severity: int) -> None:
    numbers = DEFOCUS.resolve({"severity": severity, "table": table}, 1, 1)
    made = DEFOCUS.apply(pictures, [None] * 4, **numbers)
    kernel = disk(numbers["radius"], numbers["alias"])
    expected = np.stack([ndimage.correlate(one / 255, kernel[..., None], mode="mirror") for one in pictures])
    rest = np.clip(expected, 0, 1) * 255 + 2**-10 - made
    # weights are rounded to 1/64000: 0.1 levels on a texture of black and white pixels
    assert rest.min() > -0.1
    assert rest.max() < 1.1
    # but for what lies within the guard of a whole level, as a flat 77 does at radius 8
    assert np.mean((rest < -(2**-10)) | (rest >= 1 + 2**-10)) < 0.01


def test_a_disk_that_touches_its_square_brightens_the_image() -> None:
    assert disk(6, 0.5).sum() == pytest.approx(1, abs=1e-12)
    assert disk(8, 0.5).sum() == pytest.approx(1.01298, abs=1e-5)
    flat = np.full((1, 40, 40, 3), 100, np.uint8)
    assert np.all(defocus_blur(flat, [None], radius=6, alias=0.5) == 100)
    assert np.all(defocus_blur(flat, [None], radius=8, alias=0.5) == 101)
    assert np.all(defocus_blur(np.full_like(flat, 255), [None], radius=8, alias=0.5) == 255)


def test_no_weight_hangs_on_a_last_bit() -> None:
    for table, severity in CASES:
        numbers = DEFOCUS.resolve({"severity": severity, "table": table}, 1, 1)
        _, _, _, one = taps(numbers["radius"], numbers["alias"])
        scaled = disk(numbers["radius"], numbers["alias"]) * one
        assert 60000 < one <= MOST
        assert np.abs(scaled - np.floor(scaled) - 0.5).min() > 1e-9
        assert 255 * disk(numbers["radius"], numbers["alias"]).sum() * one < 1 << 24
