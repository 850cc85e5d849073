"""Reading between pixels against the four-corner formula, and draws against their words."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from pytest_robust.shifts.draws import Draws, added, truncated
from pytest_robust.shifts.pixels import FRACTION
from pytest_robust.shifts.rng import Stream
from pytest_robust.shifts.sampling import bilinear, packed


def read(image: NDArray[np.uint8], rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear between pixels, and towards black outside."""
    places = np.stack(np.broadcast_arrays(rows, columns)) + 1
    framed = np.pad(image.astype(np.float64), ((1, 1), (1, 1), (0, 0)))
    planes = [
        ndimage.map_coordinates(framed[..., c], places, order=1, mode="constant", cval=0, prefilter=False)
        for c in range(3)
    ]
    return np.stack(planes, axis=-1)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 1000))
def test_positions_are_read_linearly_and_black_outside(height: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (height, width, 3), np.uint8)
    rows, columns = random.uniform(-3, 12, (2, 5, 7))
    # positions are whole 4096ths, which moves a value by a level per 8 at most
    assert np.abs(bilinear(image, rows, columns) / 2**FRACTION - read(image, rows, columns)).max() < 0.1


def test_whole_positions_give_the_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (70, 150, 3), np.uint8)
    rows, columns = np.arange(70.0), np.arange(150.0)
    assert np.array_equal(bilinear(image, rows[:, None], columns) >> FRACTION, image)
    # more positions than are worked on together, as a grid and as axes
    grids = np.meshgrid(rows + 0.25, columns - 0.5, indexing="ij")
    assert np.array_equal(bilinear(image, *grids), bilinear(image, rows[:, None] + 0.25, columns - 0.5))


def test_white_stays_white_and_lanes_do_not_leak() -> None:
    white = np.full((5, 5, 3), 255, np.uint8)
    places = np.random.default_rng(1).uniform(0, 4, (2, 50, 50))
    assert np.all(bilinear(white, *places) == 255 << FRACTION)
    for channel in range(3):
        one = np.zeros((5, 5, 3), np.uint8)
        one[..., channel] = 255
        made = bilinear(one, *places)
        assert np.all(made[..., channel] == 255 << FRACTION)
        assert np.count_nonzero(np.delete(made, channel, axis=-1)) == 0


def test_packed_words_hold_the_framed_channels() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) + 200
    (word,) = packed(image, 21)
    framed = np.pad(image, ((1, 2), (1, 2), (0, 0))).reshape(-1, 3).astype(int)
    assert word.tolist() == [r | g << 21 | b << 42 for r, g, b in framed.tolist()]
    low, high = packed(image, 32)
    assert low.tolist() == [r | g << 32 for r, g, _ in framed.tolist()]
    assert high.tolist() == framed[:, 2].tolist()


def test_draws_come_from_lane_0_one_by_one() -> None:
    bits = Stream(0, "x", {}, "a")
    words = bits.uint16(4).tolist()
    draws = Draws(bits)
    assert draws.word() == words[0]
    assert draws.uniform(2, 4) == 2 + 2 * (words[1] + 0.5) / 65536
    assert draws.below(150) == words[2] * 150 // 65536
    assert 2 < Draws(bits).uniform(2, 4) < 4


def test_noise_is_added_and_truncated_as_a_sum() -> None:
    image = np.array([[[0, 100, 255]]], np.uint8)
    assert added(image, np.array([[0.7]])).tolist() == [[[0, 100, 255]]]
    assert added(image, np.array([[-0.7]])).tolist() == [[[0, 99, 254]]]
    assert added(image, np.array([[[1e-12, -1e-12, -2.0]]])).tolist() == [[[0, 100, 253]]]
    levels = (np.array([-1.0, 3.9999999, 4, 255.5, 300]) * 2**FRACTION).astype(np.int32)
    assert truncated(levels).tolist() == [0, 4, 4, 255, 255]
