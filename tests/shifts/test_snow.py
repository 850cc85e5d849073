"""Snow against the paper's rule with the same noise and the same angle."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from pytest_robust.registry import pixel_shift
from pytest_robust.shifts.draws import Draws
from pytest_robust.shifts.motion import Motion
from pytest_robust.shifts.quantiles import normal
from pytest_robust.shifts.rng import Stream, Streams
from pytest_robust.shifts.snow import Flakes
from pytest_robust.shifts.streams import make

SNOW = pixel_shift("imagenet-c", "snow")
CASES = [(table, severity) for table in (224, 64, 32) for severity in range(1, 6)]


def layer(bits: Stream, shape: tuple[int, int], mean: float, std: float, zoom: float, threshold: float) -> NDArray:
    """The flakes before their blur, in 0..1; only the centre that is enlarged is drawn."""
    rows, columns = (math.ceil(side / zoom) for side in shape)
    drawn = bits.uint16(rows * columns, lane=1).reshape(rows, columns)
    noise = mean + std * normal().astype(float)[drawn]
    large = ndimage.zoom(noise, zoom, order=1)
    top, left = ((a - b) // 2 for a, b in zip(large.shape, shape, strict=True))
    large = large[top : top + shape[0], left : left + shape[1]]
    return np.clip(np.where(large < threshold, 0, large), 0, 1)


@pytest.mark.parametrize(("table", "severity"), CASES)
def test_the_flakes_are_the_published_ones(table: int, severity: int) -> None:
    numbers = SNOW.resolve({"severity": severity, "table": table}, 1, 1)
    chosen = {key: numbers[key] for key in ("mean", "std", "zoom", "threshold")}
    for size in ((table, table), (45, 61)):
        bits = Stream(0, "snow", numbers, f"{size}")
        found = np.empty(size, np.uint8)
        Flakes(*size, **chosen)(bits, found)
        off = found - np.floor(layer(bits, size, **chosen) * 255)
        # float32 puts a value at the threshold on either side of it, once in a million
        assert np.count_nonzero(np.abs(off) > 1) <= 1
        assert np.mean(off != 0) < 1e-3
        assert 0.001 < np.mean(found > 0) < 0.9


@pytest.mark.parametrize(("table", "severity"), CASES)
def test_it_is_the_rule_within_one_level(pictures: NDArray[np.uint8], table: int, severity: int) -> None:
    numbers = SNOW.resolve({"severity": severity, "table": table}, 40, 56)
    names = ["a", "b", "c", "d"]
    made = make(SNOW, pictures, names, 3, numbers)
    streams = Streams(3, "snow", numbers)
    keep = numbers["keep"]
    for one, image, name in zip(made, pictures, names, strict=True):
        bits = streams.for_id(name)
        flakes = np.empty((40, 56), np.uint8)
        Flakes(40, 56, *(numbers[key] for key in ("mean", "std", "zoom", "threshold")))(bits, flakes)
        Motion((40, 56), numbers["radius"], numbers["sigma"])(flakes, Draws(bits).uniform(-135, -45), flakes)
        x = image / 255
        grey = x @ [0.299, 0.587, 0.114]
        snowy = keep * x + (1 - keep) * np.maximum(x, grey[..., None] * 1.5 + 0.5)
        snowy += (flakes / 255 + np.rot90(flakes, 2) / 255)[..., None]
        rest = np.minimum(snowy, 1) * 255 + 2**-10 - one
        assert rest.min() > -1e-3, "fixed point keeps a thousandth of a level"
        assert rest.max() < 1 + 1e-3


def test_the_fall_is_steep() -> None:
    """At an angle in -135..-45 degrees flakes are longer down than across."""
    black = np.zeros((20, 120, 120, 3), np.uint8)
    numbers = SNOW.resolve({"severity": 1, "table": 224}, 224, 224)
    made = make(SNOW, black, [str(i) for i in range(20)], 0, numbers)[..., 0].astype(float)
    down, across = (np.abs(np.diff(made, axis=axis)).mean() for axis in (1, 2))
    assert across > 1.5 * down


def test_the_layer_is_added_turned_as_well() -> None:
    flat = np.full((1, 61, 45, 3), 60, np.uint8)
    made = make(SNOW, flat, ["a"], 0, SNOW.resolve({"severity": 2, "table": 224}, 61, 45))[0]
    assert np.array_equal(made, made[::-1, ::-1])
