"""The tables behind the Lp directions: their law, their tails, and that no machine can make other ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from pytest_robust.shifts.gammas import FINITE, MANTISSA, POWER_BITS, TAIL, draw, magnitudes
from pytest_robust.shifts.quantiles import SIZE
from pytest_robust.shifts.rng import Stream

EVERY_P = pytest.mark.parametrize("p", FINITE)
HALF = SIZE // 2
BELOW = (np.arange(HALF - TAIL) + 0.5) / HALF
ABOVE = (1 - (np.arange(SIZE) + 0.5) / SIZE) * TAIL / HALF


def body(p: float) -> NDArray[np.float64]:
    return magnitudes(p).signed[HALF : SIZE - TAIL].astype(np.float64)


@EVERY_P
def test_body_and_tail_are_one_rising_table_of_both_signs(p: float) -> None:
    table = magnitudes(p)
    assert np.array_equal(table.signed, -table.signed[::-1])
    whole = np.concatenate([body(p), table.tail])
    assert whole[0] > 0
    assert np.all(np.diff(whole) >= 0)
    assert np.count_nonzero(np.diff(body(p)) == 0) == 0
    for array in (table.signed, table.powers, table.tail, table.tail_powers):
        assert array.shape == (SIZE,)
        assert not array.flags.writeable


def within(p: float, sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """P(|v| <= size) of the density exp(-|v|**p); at 0, where the power underflows, by its limit."""
    return np.where(sizes**p > 1e-30, special.gammainc(1 / p, sizes**p), sizes / special.gamma(1 + 1 / p))


@EVERY_P
def test_the_powers_are_gamma_distributed(p: float) -> None:
    assert np.abs(within(p, body(p)) - BELOW).max() < 3e-6
    rest = special.gammaincc(1 / p, magnitudes(p).tail.astype(np.float64) ** p)
    # half a step of the mantissa, 2e-6 of v, is up to 200 * 2e-6 * v**200 of the tail's mass
    assert np.abs(rest / ABOVE - 1).max() < (2e-3 if p < 200 else 1e-2), "the tail holds to its end, at 2**-25"


@pytest.mark.parametrize("p", [1, 2])
def test_another_algorithm_gives_the_same_table(p: int) -> None:
    def rounded(value: float) -> float:
        mantissa, exponent = math.frexp(value)
        return math.ldexp(round(mantissa * (1 << MANTISSA)), exponent - MANTISSA)

    if p == 1:
        exact = [[-math.log1p(-q) for q in BELOW], [-math.log(q) for q in ABOVE]]
    else:
        exact = [special.erfinv(BELOW).tolist(), special.erfcinv(ABOVE).tolist()]
    assert np.array_equal(body(p), list(map(rounded, exact[0])))
    assert np.array_equal(magnitudes(p).tail, list(map(rounded, exact[1])))


@EVERY_P
def test_no_entry_hangs_on_a_last_bit(p: float) -> None:
    gamma = np.concatenate([special.gammaincinv(1 / p, BELOW), special.gammainccinv(1 / p, ABOVE)])
    tiny = np.concatenate([BELOW, ABOVE]) * special.gamma(1 + 1 / p)
    mantissa = np.frexp(np.where(gamma > 1e-30, gamma ** (1 / p), tiny))[0] * (1 << MANTISSA)
    # an error of 2e-14, ten times that of scipy's inverses, moves a mantissa by 5e-9
    assert np.abs(np.abs(mantissa - np.floor(mantissa)) - 0.5).min() > 1e-7


@EVERY_P
def test_the_powers_are_those_of_the_values(p: float) -> None:
    table = magnitudes(p)
    exact = np.exp(p * np.log(np.concatenate([body(p), table.tail.astype(np.float64)]))) * (1 << POWER_BITS)
    stored = np.concatenate([table.powers[HALF : SIZE - TAIL], table.tail_powers])
    assert np.abs(stored - exact).max() < 0.51
    assert np.array_equal(table.powers, table.powers[::-1])
    assert np.count_nonzero(table.powers[HALF + HALF - TAIL :]) == 0


@EVERY_P
def test_a_draw_looks_up_words_and_second_words(p: float) -> None:
    bits, table = Stream(1, "x", {}, "a"), magnitudes(p)
    words, second = bits.uint16(5000).astype(int), iter(bits.uint16(5000, lane=1).tolist())
    values, total = draw(bits, 5000, p)
    expected, powers = [], 0
    for word in words.tolist():
        if TAIL <= word < SIZE - TAIL:
            expected.append(float(table.signed[word]))
            powers += int(table.powers[word])
        else:
            far = next(second)
            expected.append(math.copysign(float(table.tail[far]), word - HALF))
            powers += int(table.tail_powers[far])
    assert values.tolist() == expected
    assert total == powers
    assert 10 < np.count_nonzero((words < TAIL) | (words >= SIZE - TAIL)) < 40


@pytest.mark.parametrize("p", [0.5, 1, 2, 200])
def test_a_million_values_follow_the_law_into_the_tail(p: float) -> None:
    drawn = np.concatenate([draw(Stream(2, "x", {}, str(i)), 1 << 18, p)[0] for i in range(4)]).astype(np.float64)
    ranked = np.sort(np.abs(drawn))
    distance = np.abs(within(p, ranked) - (np.arange(drawn.size) + 0.5) / drawn.size).max()
    assert distance < 1.95 / math.sqrt(drawn.size)
    for share in (1e-3, 1e-4, 1e-5):
        beyond = np.count_nonzero(ranked > special.gammainccinv(1 / p, share) ** (1 / p))
        assert abs(beyond - share * drawn.size) < 4 * math.sqrt(share * drawn.size)


def test_one_table_alone_would_be_too_coarse_for_small_p() -> None:
    """Why there is a tail: the steps of the outermost magnitudes, against those beside the tail and within it."""
    single = special.gammainccinv(2, (np.arange(4)[::-1] + 0.5) / HALF) ** 2
    assert np.diff(single).min() > 8
    assert single[-1] < 190
    assert np.diff(body(0.5)).max() < 0.14
    assert np.diff(magnitudes(0.5).tail[: SIZE // 2]).max() < 0.002
    assert np.diff(magnitudes(0.5).tail[:-256]).max() < 0.13
    assert magnitudes(0.5).tail[-1] > 415
