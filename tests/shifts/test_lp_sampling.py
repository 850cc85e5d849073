"""Lp noise before it meets an image: exact norms on the hull, the radius's law in the ball, exact choices."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from pytest_robust.shifts.gammas import FINITE, draw
from pytest_robust.shifts.lp_sampling import chosen, lp_noise, radius
from pytest_robust.shifts.rng import Stream, Streams

NORMS = (*FINITE, math.inf)
EVERY_P = pytest.mark.parametrize("p", NORMS)


def bits(name: object = 0) -> Stream:
    return Stream(3, "lp", {}, str(name))


def norm(noise: NDArray[np.float32], p: float) -> float:
    size = np.abs(noise.astype(np.float64))
    largest = float(size.max())
    return largest if p == math.inf else largest * float(np.sum((size / largest) ** p)) ** (1 / p)


@EVERY_P
@pytest.mark.parametrize("count", [3, 27, 3072, 12288, 150528])
def test_on_the_hull_the_norm_is_epsilon(p: float, count: int) -> None:
    for name in range(3 if count > 5000 else 20):
        assert norm(lp_noise(bits(name), count, p, 0.3, "hull"), p) == pytest.approx(0.3, rel=1e-6)


@pytest.mark.parametrize("p", FINITE)
@pytest.mark.parametrize("count", [3, 12, 48])
def test_the_radius_in_the_ball_follows_its_law(p: float, count: int) -> None:
    found = np.array([norm(lp_noise(bits(name), count, p, 2, "ball"), p) / 2 for name in range(400)])
    assert found.max() <= 1 + 1e-6
    assert stats.kstest(found**count, "uniform").pvalue > 1e-3


def test_the_radius_is_the_root_of_a_uniform_number() -> None:
    drawn = [radius(bits(name), 1) for name in range(2000)]
    assert stats.kstest(list(map(float, drawn)), "uniform").pvalue > 1e-3
    for name in range(20):
        high, low = bits(name).uint16(2, lane=2).tolist()
        exact = ((high << 16 | low) + 0.5) / 2**32
        for count in (1, 3, 150528):
            assert float(radius(bits(name), count)) == pytest.approx(exact ** (1 / count), rel=1e-14)
    assert isinstance(drawn[0], Decimal)


def test_in_many_dimensions_ball_and_hull_are_nearly_one() -> None:
    for p in FINITE:
        ball, hull = (lp_noise(bits(), 3072, p, 1, inside) for inside in ("ball", "hull"))
        assert 0.99 < norm(ball, p) < 1
        assert np.allclose(ball / hull, norm(ball, p), rtol=1e-5)


@pytest.mark.parametrize("p", FINITE)
def test_the_direction_is_the_draw_over_its_norm(p: float) -> None:
    values, _ = draw(bits(), 3072, p)
    noise = lp_noise(bits(), 3072, p, 0.5, "hull")
    assert np.allclose(noise / values, 0.5 / norm(values, p), rtol=1e-6)


@pytest.mark.parametrize("p", FINITE)
def test_a_coordinate_of_a_small_ball_has_the_law_of_the_ball(p: float) -> None:
    """In two dimensions, against points of the square that fall into the ball."""
    made = np.array([lp_noise(bits(name), 2, p, 1, "ball") for name in range(1500)])
    square = np.random.default_rng(5).uniform(-1, 1, (60_000, 2))
    inside = square[(np.abs(square) ** p).sum(axis=1) <= 1]
    assert stats.ks_2samp(made[:, 0], inside[:, 0]).pvalue > 1e-3
    assert stats.ks_2samp(made[:, 1], inside[:, 1]).pvalue > 1e-3
    assert stats.ks_2samp(made.sum(axis=1), inside.sum(axis=1)).pvalue > 1e-3


def test_infinite_p_is_uniform_in_the_cube_or_at_its_corners() -> None:
    ball = lp_noise(bits(), 150528, math.inf, 0.25, "ball").astype(np.float64)
    assert stats.kstest(ball, "uniform", args=(-0.25, 0.5)).pvalue > 1e-3
    assert np.abs(ball).max() < 0.25
    hull = lp_noise(bits(), 150528, math.inf, 0.25, "hull")
    assert set(np.unique(hull).tolist()) == {-0.25, 0.25}
    assert abs(np.mean(hull > 0) - 0.5) < 4 * 0.5 / math.sqrt(hull.size)


@EVERY_P
def test_signs_are_fair_and_neighbours_unrelated(p: float) -> None:
    noise = lp_noise(bits(), 60_000, p, 1, "ball")
    signs = np.sign(noise)
    assert abs(signs.mean()) < 4 / math.sqrt(signs.size)
    assert abs(np.mean(signs[1:] * signs[:-1])) < 4 / math.sqrt(signs.size)
    assert abs(np.corrcoef(np.abs(noise[1:]), np.abs(noise[:-1]))[0, 1]) < 0.03


def test_large_p_is_finite_on_the_smallest_canvas() -> None:
    for name in range(300):
        noise = lp_noise(bits(name), 3, 200, 1, "hull")
        assert np.all(np.isfinite(noise))
        assert 0.99 < np.abs(noise).max() <= 1 + 1e-6


@given(count=st.integers(1, 400), share=st.floats(0, 1), name=st.integers(0, 1000))
def test_a_choice_has_the_exact_count_and_no_position_twice(count: int, share: float, name: int) -> None:
    found = chosen(bits(name), count, share)
    assert len(found) == round(share * count)
    assert np.all(np.diff(found) > 0)
    assert not len(found) or 0 <= found[0] <= found[-1] < count


class Few:
    """Bits of few values, so that nearly every place is tied."""

    def __init__(self, bits: Stream) -> None:
        self.bits = bits

    def uint16(self, count: int, *, lane: int = 0) -> NDArray[np.uint16]:
        drawn = self.bits.uint16(count, lane=lane)
        return drawn if lane else drawn & np.uint16(1)


def test_ties_are_broken_fairly() -> None:
    streams = Streams(0, "ties", {})
    counts = np.zeros(30)
    for name in range(3000):
        found = chosen(Few(streams.for_id(str(name))), 30, 0.2)
        assert len(found) == 6
        counts[found] += 1
    assert stats.chisquare(counts).pvalue > 1e-3


def test_every_pair_of_positions_is_equally_likely() -> None:
    streams = Streams(0, "pairs", {})
    counts = np.zeros((6, 6))
    for name in range(6000):
        first, second = chosen(streams.for_id(str(name)), 6, 1 / 3)
        counts[first, second] += 1
    assert stats.chisquare(counts[np.triu_indices(6, 1)]).pvalue > 1e-3
