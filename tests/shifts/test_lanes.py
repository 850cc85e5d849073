"""Three channels in one number: interpolation against fractions written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_robust.shifts.lanes import BITS, REST, Sampler, halves, join, pack, to_levels

ONE = 1 << BITS


def lanes(packed: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.stack([(packed >> shift) & 0x1FFFFF for shift in (0, 21, 42)], axis=-1)


def interpolated(image: NDArray[np.uint8], row: int, column: int) -> list[float]:
    y, x, fy, fx = row // ONE, column // ONE, row % ONE / ONE, column % ONE / ONE
    corners = image[y : y + 2, x : x + 2].astype(float)
    return list(np.einsum("i,j,ijc->c", [1 - fy, fy], [1 - fx, fx], corners))


@given(st.integers(0, 2**32), st.data())
def test_a_position_between_pixels_is_read_to_a_fraction_of_a_level(seed: int, data: st.DataObject) -> None:
    image = np.random.default_rng(seed).choice(np.array([0, 255, 254, 1, 128], np.uint8), (5, 4, 3))
    row = data.draw(st.integers(0, 4 * ONE - 1))
    column = data.draw(st.integers(0, 3 * ONE - 1))
    (total,) = Sampler(1, 1)([pack(image)], np.array([[row]]), np.array([[column]]))
    assert np.abs(lanes(total)[0, 0] / ONE - interpolated(image, row, column)).max() < 4 * 255 / ONE
    assert total[0, 0] >= 0


@pytest.mark.parametrize("level", [0, 1, 128, 254, 255])
def test_a_flat_image_keeps_its_level_everywhere(level: int) -> None:
    image = np.full((3, 3, 3), level, np.uint8)
    places = np.random.default_rng(0).integers(0, 2 * ONE, (2, 9, 11))
    (total,) = Sampler(9, 11)([pack(image)], *places)
    assert np.array_equal(lanes(total), np.full((9, 11, 3), level * ONE))
    out = np.empty((9, 11, 3), np.uint8)
    to_levels(total, out)
    assert np.all(out == level)


def test_on_a_pixel_the_pixel_is_read() -> None:
    image = np.random.default_rng(1).integers(0, 256, (6, 8, 3), np.uint8)
    rows, columns = np.indices((5, 7)) * ONE
    out = np.empty((5, 7, 3), np.uint8)
    to_levels(Sampler(5, 7)([pack(image)], rows, columns)[0], out)
    assert np.array_equal(out, image[:5, :7])


def test_two_halves_are_read_as_one_finer_image() -> None:
    generator = np.random.default_rng(2)
    fine = generator.integers(0, 255 * ONE + 1, (6, 7, 3))
    fine[0] = 255 * ONE
    packed = fine[..., 0] | fine[..., 1] << 21 | fine[..., 2] << 42
    rows, columns = generator.integers(0, 5 * ONE, (2, 40, 40))
    parts = np.empty((2, *packed.shape), np.int64)
    halves(packed, parts)
    total, rest = Sampler(40, 40)(list(parts), rows, columns)
    join(total, rest)
    # what the halves keep of the image
    kept = (fine >> (BITS - REST)) / (1 << REST)
    y, x = rows // ONE, columns // ONE
    fy, fx = (rows % ONE / ONE)[..., None], (columns % ONE / ONE)[..., None]
    expected = (1 - fy) * ((1 - fx) * kept[y, x] + fx * kept[y, x + 1])
    expected += fy * ((1 - fx) * kept[y + 1, x] + fx * kept[y + 1, x + 1])
    assert np.abs(lanes(total) / ONE - expected).max() < 4 * 256 / ONE
