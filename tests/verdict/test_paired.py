import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom, binomtest
from statsmodels.stats.contingency_tables import mcnemar

from pytest_robust.measurement import NO_LABEL
from pytest_robust.verdict import Flips, compare, mcnemar_midp


def _exact_midp(b, c):
    n = b + c
    more = sum(math.comb(n, k) for k in range(b + 1, n + 1))
    return Fraction(2 * more + math.comb(n, b), 2 ** (n + 1))


def test_compare_counts_every_kind_of_sample():
    labels = np.array([0, 1, 2, 3, 4, 5, 6], np.uint16)
    golden = np.array([0, 1, 9, 3, 8, 8, NO_LABEL], np.uint16)
    candidate = np.array([0, 7, 2, 5, 8, 9, NO_LABEL], np.uint16)
    flips = compare(labels, golden, candidate)
    assert flips == Flips(n=7, a=1, b=2, c=1, d=3, churn=4 / 7)
    assert (flips.negative, flips.positive) == (2 / 7, 1 / 7)
    assert flips.drop == pytest.approx(1 / 7)
    assert flips.discordance == pytest.approx(3 / 7)


def test_compare_puts_near_ties_down_to_noise_and_keeps_n():
    labels = np.array([0, 1, 2, 3], np.uint16)
    golden = np.array([0, 1, 9, 8], np.uint16)
    candidate = np.array([5, 5, 2, 7], np.uint16)
    near = np.array([True, False, True, True])
    assert compare(labels, golden, candidate) == Flips(4, 0, 2, 1, 1, 1.0)
    assert compare(labels, golden, candidate, near_tie=near) == Flips(4, 1, 1, 0, 2, 0.25)
    assert list(candidate) == [5, 5, 2, 7]


def test_compare_of_nothing():
    none = np.array([], np.uint16)
    flips = compare(none, none, none)
    assert flips == Flips(0, 0, 0, 0, 0, 0.0)
    assert (flips.negative, flips.positive, flips.drop, flips.discordance) == (0, 0, 0, 0)


def test_arrays_of_different_length_are_refused():
    three, four = np.zeros(3, np.uint16), np.zeros(4, np.uint16)
    with pytest.raises(ValueError, match="shapes"):
        compare(three, three, four)
    with pytest.raises(ValueError, match="shapes"):
        compare(three, three, three, near_tie=np.zeros(4, np.bool_))


def test_counts_that_do_not_add_up_are_refused():
    with pytest.raises(ValueError, match="are not 5"):
        Flips(5, 1, 1, 1, 1, 0.0)
    with pytest.raises(ValueError, match="are not 1"):
        Flips(1, 1, -1, 1, 0, 0.0)


_CLASSES = arrays(np.uint16, st.shared(st.integers(0, 60), key="n"), elements=st.integers(0, 3))


@settings(deadline=None)
@given(_CLASSES, _CLASSES, _CLASSES, st.randoms())
def test_compare_agrees_with_the_table_swaps_and_ignores_order(labels, golden, candidate, random):
    flips = compare(labels, golden, candidate)
    table = [0, 0, 0, 0]
    for label, was, now in zip(labels, golden, candidate, strict=True):
        table[2 * (was != label) + (now != label)] += 1
    assert [flips.a, flips.b, flips.c, flips.d] == table
    assert flips.drop * flips.n == pytest.approx((golden == labels).sum() - (candidate == labels).sum())
    back = compare(labels, candidate, golden)
    assert (back.a, back.b, back.c, back.d, back.churn) == (flips.a, flips.c, flips.b, flips.d, flips.churn)
    order = list(range(len(labels)))
    random.shuffle(order)
    index = np.array(order, int)
    assert compare(labels[index], golden[index], candidate[index]) == flips


def test_midp_of_the_known_vector():
    assert 2 * mcnemar_midp(40, 22) == pytest.approx(0.0226, abs=5e-5)
    assert binomtest(40, 62, alternative="greater").pvalue == pytest.approx(0.0150, abs=5e-5)


def test_no_flip_is_no_evidence():
    assert mcnemar_midp(0, 0) == 1


def test_midp_is_exact_for_every_small_table():
    for n in range(1, 61):
        for b in range(n + 1):
            assert mcnemar_midp(b, n - b) == pytest.approx(float(_exact_midp(b, n - b)), rel=1e-12)


@pytest.mark.parametrize(("b", "c"), [(273, 128), (128, 273), (5000, 4700), (50_000, 49_000), (1_000_000, 998_000)])
def test_midp_agrees_with_scipy_at_any_size(b, c):
    expected = binomtest(b, b + c, alternative="greater").pvalue - binom.pmf(b, b + c, 0.5) / 2
    assert mcnemar_midp(b, c) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("b", "c"), [(40, 22), (9, 5), (3, 0), (100, 70)])
def test_midp_is_half_a_step_under_statsmodels_exact_test(b, c):
    two_sided = mcnemar([[0, b], [c, 0]], exact=True).pvalue
    assert 2 * mcnemar_midp(b, c) == pytest.approx(two_sided - binom.pmf(b, b + c, 0.5), rel=1e-9)


def test_midp_far_out_is_tiny_but_no_error():
    assert mcnemar_midp(3000, 0) == 0
    assert mcnemar_midp(0, 3000) == 1
    assert mcnemar_midp(1000, 0) == pytest.approx(2.0**-1001)


@settings(deadline=None)
@given(st.integers(0, 5000), st.integers(0, 5000))
def test_midp_is_monotone_and_its_directions_add_to_one(b, c):
    p = mcnemar_midp(b, c)
    assert 0 <= p <= 1
    assert mcnemar_midp(b + 1, c) <= p * (1 + 1e-12)
    assert mcnemar_midp(b, c + 1) >= p * (1 - 1e-12) or b + c == 0
    if b + c:
        assert p + mcnemar_midp(c, b) == pytest.approx(1)


def test_negative_counts_are_refused():
    with pytest.raises(ValueError, match="not a possible count"):
        mcnemar_midp(-1, 3)


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.01 / 75])
def test_true_size_of_the_test_in_full_enumeration(alpha):
    """Under equal flip rates, for every n up to 60 and every discordance, over the whole multinomial.

    Given b + c, mid-p can reject up to twice as often as it says (a few samples that all flip); mixed over
    b + c it stays at the nominal level wherever not most samples flip.
    """
    given_total = np.array([_rejection(total, alpha) for total in range(61)])
    assert given_total.max() <= 2 * alpha
    sizes = np.array(
        [
            [binom.pmf(np.arange(n + 1), n, psi) @ given_total[: n + 1] for psi in np.linspace(0.01, 1, 100)]
            for n in range(1, 61)
        ]
    )
    at_most_three_in_ten_flip = sizes[:, :30]
    assert at_most_three_in_ten_flip.max() <= alpha
    assert sizes.mean() <= 0.8 * alpha


def _rejection(total, alpha):
    rejected = [b for b in range(total + 1) if mcnemar_midp(b, total - b) <= alpha]
    return sum(float(binom.pmf(b, total, 0.5)) for b in rejected)


def test_size_at_known_expected_flips():
    """Nominal 5 %, 10 / 40 / 160 expected flips among many samples: 4.3 / 4.9 / 4.9 %."""
    for expected, known in ((10, 0.043), (40, 0.049), (160, 0.049)):
        n = 20_000
        totals = np.arange(0, 3 * expected)
        chances = binom.pmf(totals, n, expected / n)
        size = sum(
            chance * _rejection(total, 0.05) for total, chance in zip(totals, chances, strict=True) if chance > 1e-6
        )
        assert size == pytest.approx(known, abs=0.0015)
