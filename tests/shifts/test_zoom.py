"""Zoom blur against scipy's zoom, as the paper uses it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_robust.registry import pixel_shift
from pytest_robust.shifts.zoom import enlarged, zoom_blur
from tests.shifts import paper

ZOOM = pixel_shift("imagenet-c", "zoom_blur")
CASES = [(table, severity) for table in (224, 32) for severity in range(1, 6)]
LISTED = {
    224: [(1, 1.11, 12), (1, 1.15, 16), (1, 1.20, 11), (1, 1.24, 13), (1, 1.30, 11)],
    64: [(1, 1.06, 7), (1, 1.11, 12), (1, 1.15, 16), (1, 1.20, 21), (1, 1.25, 26)],
    32: [(1, 1.06, 7), (1, 1.11, 12), (1, 1.15, 16), (1, 1.20, 21), (1, 1.25, 26)],
}


@pytest.mark.parametrize(("table", "severity"), CASES)
@pytest.mark.parametrize("size", [(40, 56), (33, 47), (56, 56)])
def test_it_is_the_mean_of_the_zoomed_images(
    pictures: NDArray[np.uint8], table: int, severity: int, size: tuple[int, int]
) -> None:
    images = np.tile(pictures, (1, 2, 1, 1))[:, : size[0], : size[1]]
    numbers = ZOOM.resolve({"severity": severity, "table": table}, *size)
    made, rng = ZOOM.apply(images, [None] * 4, **numbers), np.random.default_rng(0)
    expected = np.stack([paper.levels("zoom_blur", image, severity, table, rng) for image in images])
    rest = expected + 2**-10 - made
    # positions are rounded to 2**-8 pixels, and the texture leaps by 255 from one pixel to the next
    assert rest.min() > -0.25
    assert rest.max() < 1.25
    assert np.mean((rest < 0) | (rest >= 1)) < 0.04


def test_the_factors_are_the_listed_ones() -> None:
    for table, rows in LISTED.items():
        for severity, (first, last, count) in enumerate(rows, 1):
            numbers = ZOOM.resolve({"severity": severity, "table": table}, 1, 1)
            assert numbers["count"] == count
            assert first + (count - 1) * numbers["step"] == pytest.approx(last)


@pytest.mark.parametrize("level", [0, 1, 77, 254, 255])
@pytest.mark.parametrize("size", [(20, 20), (7, 31), (1, 1), (2, 1)])
def test_a_flat_image_stays(level: int, size: tuple[int, int]) -> None:
    flat = np.full((1, *size, 3), level, np.uint8)
    assert np.array_equal(zoom_blur(flat, [None], count=26, step=0.03), flat)


def test_the_centre_stays_and_the_border_leaves() -> None:
    image = np.zeros((1, 81, 81, 3), np.uint8)
    image[0, 38:43, 38:43] = 250
    image[0, 0] = 250
    made = zoom_blur(image, [None], count=11, step=0.03)[0, ..., 0]
    assert made[40, 40] == 250
    # of the twelve images two are not enlarged
    assert made[0, 40] == pytest.approx(250 * 2 / 12, abs=1)
    turned = zoom_blur(image.swapaxes(1, 2).copy(), [None], count=11, step=0.03)[0, ..., 0]
    assert np.array_equal(turned.T, made)


def test_an_axis_is_enlarged_ends_on_ends() -> None:
    axis = enlarged(6, 3, 6, 1 << 8)
    assert axis.top == 1
    places = axis.before + axis.share / 256
    assert np.abs(places - np.arange(6) * 2 / 5).max() <= 1 / 512
    assert axis.after.max() == 2
