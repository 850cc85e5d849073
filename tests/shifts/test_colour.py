"""Brightness, contrast and saturation against HSV written out pixel by pixel."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_robust.registry import pixel_shift

SEVERITIES = list(product((224, 64, 32), range(1, 6)))


@pytest.fixture(scope="module")
def colours() -> NDArray[np.uint8]:
    """All greys, a grid of colours and random ones, as one canvas of 1 x N."""
    greys = np.repeat(np.arange(256)[:, None], 3, axis=1)
    grid = np.array(list(product(range(0, 256, 51), repeat=3)))
    near = greys[1:-1] + np.random.default_rng(2).integers(-1, 2, (254, 3))
    mixed = np.random.default_rng(1).integers(0, 256, (500, 3))
    return np.concatenate([greys, grid, near, mixed]).astype(np.uint8)[None, None]


def assert_truncates(made: NDArray[np.uint8], exact: NDArray[np.float64]) -> None:
    """`made` is the floor of `exact` grey levels plus the guard, but for the rounding of 20 fractional bits."""
    rest = exact + 2**-10 - made
    assert rest.min() >= -(2**-12)
    assert rest.max() < 1 + 2**-12


def in_hsv(rule: Callable[[float, float], tuple[float, float]], images: NDArray[np.uint8]) -> NDArray[np.float64]:
    def one(pixel: NDArray[np.uint8]) -> tuple[float, float, float]:
        hue, saturation, value = colorsys.rgb_to_hsv(*(pixel / 255).tolist())
        return colorsys.hsv_to_rgb(hue, *(min(max(new, 0.0), 1.0) for new in rule(saturation, value)))

    return np.apply_along_axis(lambda pixel: np.array(one(pixel)), -1, images) * 255


@pytest.mark.parametrize(("table", "severity"), SEVERITIES)
def test_brightness_adds_to_value(colours: NDArray[np.uint8], table: int, severity: int) -> None:
    shift = pixel_shift("imagenet-c", "brightness")
    numbers = shift.resolve({"severity": severity, "table": table}, 1, 1)
    expected = in_hsv(lambda s, v: (s, v + numbers["added"]), colours)
    assert_truncates(shift.apply(colours, [], **numbers), expected)


@pytest.mark.parametrize(("table", "severity"), SEVERITIES)
def test_saturate_scales_saturation(colours: NDArray[np.uint8], table: int, severity: int) -> None:
    shift = pixel_shift("imagenet-c-extra", "saturate")
    numbers = shift.resolve({"severity": severity, "table": table}, 1, 1)
    expected = in_hsv(lambda s, v: (s * numbers["scale"] + numbers["added"], v), colours)
    assert_truncates(shift.apply(colours, [], **numbers), expected)


def test_black_turns_grey_and_grey_turns_red() -> None:
    pixels = np.array([[[[0, 0, 0], [100, 100, 100]]]], np.uint8)
    assert pixel_shift("imagenet-c", "brightness").apply(pixels, [], table=224, added=0.2).tolist() == [
        [[[51, 51, 51], [151, 151, 151]]]
    ]
    assert pixel_shift("imagenet-c-extra", "saturate").apply(pixels, [], table=224, scale=5, added=0.1).tolist() == [
        [[[0, 0, 0], [100, 90, 90]]]
    ]


@pytest.mark.parametrize(("table", "severity"), SEVERITIES)
def test_contrast_shrinks_towards_the_mean_of_each_channel(
    pictures: NDArray[np.uint8], table: int, severity: int
) -> None:
    shift = pixel_shift("imagenet-c", "contrast")
    numbers = shift.resolve({"severity": severity, "table": table}, 1, 1)
    x = pictures / 255
    mean = x.mean(axis=(1, 2), keepdims=True)
    expected = np.clip((x - mean) * numbers["factor"] + mean, 0, 1) * 255
    assert_truncates(shift.apply(pictures, [], **numbers), expected)


@pytest.mark.parametrize("level", [0, 1, 77, 128, 254, 255])
def test_contrast_leaves_a_flat_image_alone(level: int) -> None:
    flat = np.full((2, 7, 9, 3), level, np.uint8)
    assert np.array_equal(pixel_shift("imagenet-c", "contrast").apply(flat, [], table=224, factor=0.05), flat)
