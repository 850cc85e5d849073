"""Motion blur against ImageMagick's rule written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_robust.registry import pixel_shift
from pytest_robust.shifts.draws import Draws
from pytest_robust.shifts.motion import Motion, motion_blur, offsets
from pytest_robust.shifts.rng import Streams
from pytest_robust.shifts.streams import make
from tests.shifts.paper import along_a_line

MOTION = pixel_shift("imagenet-c", "motion_blur")
CASES = [(table, severity) for table in (224, 64, 32) for severity in range(1, 6)]


def assert_truncates(made: NDArray[np.uint8], exact: NDArray[np.float64], within: float) -> None:
    rest = exact + 2**-10 - made
    assert rest.min() > -within
    assert rest.max() < 1 + within


@pytest.mark.parametrize(("table", "severity"), CASES)
def test_it_is_the_rule_with_the_same_angle(pictures: NDArray[np.uint8], table: int, severity: int) -> None:
    numbers = MOTION.resolve({"severity": severity, "table": table}, 40, 56)
    names = ["a", "b", "c", "d"]
    made = make(MOTION, pictures, names, 3, numbers)
    streams = Streams(3, "motion_blur", numbers)
    angles = [Draws(streams.for_id(name)).uniform(-45, 45) for name in names]
    assert max(angles) - min(angles) > 1
    for one, image, degrees in zip(made, pictures, angles, strict=True):
        # 41 weights, rounded to 2**-16 each
        assert_truncates(one, along_a_line(image, numbers["radius"], numbers["sigma"], degrees), 0.05)


@pytest.mark.parametrize("degrees", [-135, -120, -90, -60.0, -45, -44.99, -30, 0, 17.3, 30, 45, 90, 133.7, 180])
@pytest.mark.parametrize("size", [(9, 70, 3), (70, 9), (1, 1, 3), (5, 4)])
def test_any_angle_and_size(degrees: float, size: tuple[int, ...]) -> None:
    image = np.random.default_rng(3).integers(0, 256, size, np.uint8)
    out = np.empty_like(image)
    Motion(size, 12, 6)(image, degrees, out)
    assert_truncates(out, along_a_line(image, 12, 6, degrees), 0.05)


def test_the_line_goes_to_one_side_with_the_nearest_pixel_heaviest() -> None:
    image = np.zeros((1, 41, 41, 3), np.uint8)
    image[0, 20, 20] = 255
    out = np.empty_like(image[0])
    Motion(out.shape, 10, 3)(image[0], 0, out)
    row = out[20, :, 0].astype(int)
    assert not row[21:].any(), "the light of a pixel reaches those before it"
    assert row[20] > row[19] > row[18] > row[12] > row[4]
    assert not np.delete(out, 20, axis=0).any()
    # the angle counts downwards: a line at 90 degrees reads the rows below
    Motion(out.shape, 10, 3)(image[0], 90, out)
    assert out[19, 20, 0] > 0
    assert not out[21:].any()


def test_a_flat_image_stays() -> None:
    for level in (0, 1, 77, 254, 255):
        flat = np.full((2, 11, 13, 3), level, np.uint8)
        assert np.array_equal(motion_blur(flat, [Streams(0, "m", {}).for_id(str(i)) for i in (1, 2)], 20, 15), flat)


@pytest.mark.parametrize(("low", "high"), [(-45, 45), (-135, -45)])
def test_no_offset_hangs_on_the_last_bit_of_a_sine(low: int, high: int) -> None:
    angles = np.radians(low + (high - low) * ((np.arange(65536) + 0.5) / 65536))
    steps = np.arange(41)[:, None]
    for part in (np.sin(angles), np.cos(angles)):
        reached = steps * part - 0.5
        # step 0 stays where it is
        assert np.abs(reached - np.rint(reached))[1:].min() > 1e-9
    dy, dx = offsets(np.arange(41), 30.0)
    assert (dy[0], dx[0]) == (0, 0)


def test_no_weight_hangs_on_a_last_bit() -> None:
    for table, severity in CASES:
        numbers = MOTION.resolve({"severity": severity, "table": table}, 1, 1)
        bell = np.exp(-0.5 * (np.arange(2 * numbers["radius"] + 1) / numbers["sigma"]) ** 2)
        scaled = bell / bell.sum() * 65536
        assert np.abs(scaled - np.floor(scaled) - 0.5).min() > 1e-9


def test_the_angles_are_uniform() -> None:
    streams = Streams(1, "motion_blur", {"radius": 15})
    angles = np.array([Draws(streams.for_id(str(i))).uniform(-45, 45) for i in range(4000)])
    assert np.abs(np.sort(angles) / 90 + 0.5 - (np.arange(4000) + 0.5) / 4000).max() < 1.63 / math.sqrt(4000)
