"""The tables of waves against the functions, and that no machine can make other ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_robust.shifts.waves import RADIAN, TURN, angle, cosine, power, sine, turns

GRID = 1 << 26


def test_sine_and_cosine_are_the_functions_on_the_grid() -> None:
    exact = np.arange(TURN) / TURN * 2 * np.pi
    assert np.abs(sine() - np.sin(exact)).max() <= 0.5001 / GRID
    assert np.abs(cosine() - np.cos(exact)).max() <= 0.5001 / GRID
    assert np.array_equal(sine() * GRID, np.rint(sine() * GRID))
    assert sine()[[0, TURN // 4, TURN // 2, 3 * TURN // 4]].tolist() == [0, 1, 0, -1]
    assert np.array_equal(sine()[1:], -sine()[:0:-1])
    assert sine()[TURN // 8] == cosine()[TURN // 8]


def apart(exact: np.ndarray) -> float:
    return float(np.abs(np.abs(exact - np.floor(exact)) - 0.5).min())


@pytest.mark.parametrize("level", [0.7, 1, 1.5, 2, 2.5, 4, 4.5, 5, 9, 10])
def test_no_entry_hangs_on_a_last_bit(level: float) -> None:
    assert apart(np.sin(np.arange(TURN // 4 + 1) / TURN * 2 * np.pi) * GRID) > 2e-7
    assert apart(np.arctan(np.arange(TURN + 1) / TURN) / (2 * np.pi) * GRID) > 2e-7
    # an entry's error is 2**-53 of up to 2**1.4: 2e-8 of the grid
    middles = 1 + (np.arange(1 << 16) + 0.5) / (1 << 16)
    for exponent in (0.13 * level, 1.4):
        assert apart(middles**exponent * GRID) > 2e-7


@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_turns_is_the_arc_tangent(y: float, x: float) -> None:
    made = float(turns(np.array([y]), np.array([x]))[0])
    gap = made - math.atan2(y, x) / (2 * math.pi)
    if max(abs(x), abs(y)) > 1e-300:
        assert abs(gap - round(gap)) < 2e-6
    assert -0.5 <= made <= 0.5


def test_turns_of_the_axes_are_exact() -> None:
    y, x = np.array([0.0, 1, 0, -1, 0, 2, -2]), np.array([1.0, 0, -1, 0, 0, 2, 2])
    assert turns(y, x).tolist() == [0, 0.25, 0.5, -0.25, 0, 0.125, -0.125]


@given(st.floats(1e-15, 1e15), st.sampled_from([-0.5, -0.32, 0.13, 0.52, 1.0, 1.3, 1.4]))
def test_power_is_the_power(value: float, exponent: float) -> None:
    assert float(power(np.array([value]), exponent)[0]) == pytest.approx(value**exponent, rel=2e-5)


def test_angles_wrap_and_round() -> None:
    values = np.array([0.4, 0.6, -0.6, 65535.6, -65537.0, TURN / 4 + 3 * TURN])
    assert angle(values).tolist() == [0, 1, 65535, 0, 65535, TURN // 4]
    assert math.isclose(RADIAN * 2 * math.pi, TURN)
