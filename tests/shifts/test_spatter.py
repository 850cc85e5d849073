"""Spatter against the paper's rule in OpenCV and scipy, with the same noise."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from pytest_robust.registry import pixel_shift
from pytest_robust.shifts.quantiles import normal
from pytest_robust.shifts.rng import Stream, Streams
from pytest_robust.shifts.spatter import Liquid, distances
from pytest_robust.shifts.streams import make
from tests.shifts import paper

SPATTER = pixel_shift("imagenet-c-extra", "spatter")
CASES = [(table, severity) for table in (224, 64, 32) for severity in range(1, 6)]


def noise(bits: Stream, size: tuple[int, int], mean: float, std: float) -> NDArray[np.float64]:
    return mean + std * normal().astype(float)[bits.uint16(size[0] * size[1])].reshape(size)


@pytest.mark.parametrize(("table", "severity"), CASES)
@pytest.mark.parametrize("size", [(80, 112), (45, 33)])
def test_it_is_the_rule(pictures: NDArray[np.uint8], table: int, severity: int, size: tuple[int, int]) -> None:
    images = np.tile(pictures, (1, 2, 2, 1))[:, : size[0], : size[1]] // 2
    numbers = SPATTER.resolve({"severity": severity, "table": table}, *size)
    names = ["a", "b", "c", "d"]
    made = make(SPATTER, images, names, 3, numbers)
    streams = Streams(3, "spatter", numbers)
    mean, std, sigma = (numbers[key] for key in ("mean", "std", "sigma"))
    touched = 0.0
    for one, image, name in zip(made, images, names, strict=True):
        drawn = noise(streams.for_id(name), size, mean, std)
        liquid = Liquid(size, mean, std, sigma)(streams.for_id(name))
        # Half a thousandth of a level. It moves one pixel in a thousand across a threshold: an edge found or lost
        # there changes a drop's shine, so the rest of the rule is compared on the same liquid.
        assert np.abs(liquid - ndimage.gaussian_filter(drawn, sigma, mode="nearest", truncate=4)).max() < 5e-5
        row = (numbers[key] for key in ("threshold", "strength", "mud"))
        rest = np.minimum(paper.spattered(image / 255, liquid, *row), 1) * 255 + 2**-10 - one
        assert rest.min() > -0.02
        assert rest.max() < 1.02
        touched += float(np.mean(one != image))
    assert touched > 0


@pytest.mark.parametrize("size", [(60, 80), (45, 33), (1, 50), (50, 2), (3, 3), (1, 1)])
@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.3])
def test_distances_are_those_of_opencvs_mask(size: tuple[int, int], share: float) -> None:
    edges = np.random.default_rng(7).random(size) < share
    expected = cv2.distanceTransform(np.uint8(255) * ~edges, cv2.DIST_L2, 5).reshape(size)
    assert np.abs(distances(edges) / 10000 - np.minimum(expected, 20)).max() < 2e-4


def test_no_drop_changes_nothing() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, 30, 30, 3), np.uint8)
    for mud in (0, 1):
        made = SPATTER.apply(images, [Stream(0, "s", {}, "a")], table=224, mean=0.1, std=0.1, sigma=4, threshold=0.9,
                             strength=0.6, mud=mud)  # fmt: skip
        assert np.array_equal(made, images)


def test_water_is_turquoise_and_mud_is_brown() -> None:
    grey = np.full((1, 224, 224, 3), 120, np.uint8)
    wet, muddy = (
        make(SPATTER, grey, ["a"], 0, SPATTER.resolve({"severity": severity}, 224, 224))[0].astype(int)
        for severity in (3, 5)
    )
    added = wet - 120
    assert added.min() == 0
    assert added[..., 1].max() == 238 // 2 + 1 or added[..., 1].max() == 238 // 2
    assert np.all(added[..., 1] == added[..., 2])
    assert np.all(added[..., 0] <= added[..., 1])
    struck = np.any(muddy != 120, axis=-1)
    assert 0.02 < struck.mean() < 0.6
    darkest = muddy[struck].min(axis=0)
    assert np.abs(darkest - [63, 42, 20]).max() <= 1
