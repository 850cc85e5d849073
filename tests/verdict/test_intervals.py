import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, norm
from statsmodels.stats.proportion import proportion_confint

from pytest_robust.verdict import clopper_pearson, clopper_pearson_upper, tango, tango_upper, wilson

COUNTS = [(0, 1), (1, 1), (0, 7), (7, 7), (3, 10), (760, 1000), (1, 50_000), (3060, 5000), (49_999, 50_000)]


@st.composite
def pairs(draw, largest=3000):
    n = draw(st.integers(1, largest))
    b = draw(st.integers(0, n))
    return b, draw(st.integers(0, n - b)), n


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99, 0.9999])
@pytest.mark.parametrize(("k", "n"), COUNTS)
def test_single_rate_intervals_equal_scipy_and_statsmodels(k, n, confidence):
    test = binomtest(k, n)
    for method, ours, theirs in (("wilson", wilson, "wilson"), ("exact", clopper_pearson, "beta")):
        found = ours(k, n, confidence)
        assert found == pytest.approx(tuple(test.proportion_ci(confidence, method)), abs=1e-12)
        assert found == pytest.approx(proportion_confint(k, n, 1 - confidence, method=theirs), abs=1e-12)


def test_wilson_half_widths_of_known_sizes():
    known = {(1000, 0.5): 3.1, (1000, 0.76): 2.6, (5000, 0.5): 1.4, (5000, 0.76): 1.2, (50_000, 0.76): 0.37}
    for (n, share), width in known.items():
        low, high = wilson(round(n * share), n)
        assert 50 * (high - low) == pytest.approx(width, abs=0.05 if width > 0.5 else 0.005)


def test_no_trials_leave_the_rate_open():
    assert wilson(0, 0) == (0, 1)
    assert clopper_pearson(0, 0) == (0, 1)
    assert tango(0, 0, 0) == (-1, 1)


@settings(deadline=None)
@given(st.integers(0, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.9999))
def test_rate_intervals_contain_the_rate_mirror_and_stay_in_bounds(count, confidence):
    k, n = count
    for interval in (wilson, clopper_pearson):
        low, high = interval(k, n, confidence)
        assert 0 <= low <= high <= 1
        if n:
            assert low <= k / n <= high
        mirrored = interval(n - k, n, confidence)
        assert (low, high) == pytest.approx((1 - mirrored[1], 1 - mirrored[0]), abs=1e-12)


@pytest.mark.parametrize("n", [1, 5, 20])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_clopper_pearson_upper_never_under_covers(n, alpha):
    bounds = np.array([clopper_pearson_upper(k, n, alpha) for k in range(n + 1)])
    for rate in np.linspace(0, 1, 201):
        missed = binom.pmf(np.arange(n + 1), n, rate)[bounds < rate].sum()
        assert missed <= alpha + 1e-12


def test_tango_of_the_published_style_vector():
    assert tango(40, 22, 1000) == pytest.approx((0.00265, 0.03421), abs=5e-6)


def test_tango_without_flips_has_a_closed_form():
    for n in (1, 10, 5000):
        z2 = norm.ppf(0.975) ** 2
        assert tango(0, 0, n) == pytest.approx((-z2 / (n + z2), z2 / (n + z2)), rel=1e-12)


def test_tango_at_the_corners():
    assert tango(10, 0, 10)[1] == 1
    assert tango(0, 10, 10)[0] == -1
    assert 0.4 < tango(10, 0, 10)[0] < 0.5
    low, high = tango(5, 5, 10)
    assert low == -high


def _score(b, c, n, drop):
    """Tango's statistic with the nuisance rate found by maximising the likelihood on a fine grid."""
    low, high = max(0.0, -drop), (1 - drop) / 2
    won = np.linspace(low, high, 200_001)[1:-1]
    likelihood = b * np.log(won + drop) + c * np.log(won) + (n - b - c) * np.log1p(-2 * won - drop)
    best = won[np.argmax(likelihood)]
    return (b - c - n * drop) / math.sqrt(n * (2 * best + drop * (1 - drop)))


@pytest.mark.parametrize(("b", "c", "n"), [(40, 22, 1000), (3, 9, 30), (7, 1, 12), (1, 1, 5), (273, 128, 5000)])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_tango_bound_solves_the_score_equation(b, c, n, alpha):
    assert _score(b, c, n, tango_upper(b, c, n, alpha)) == pytest.approx(norm.ppf(alpha), abs=2e-3)


@settings(deadline=None)
@given(pairs(), st.sampled_from([0.5, 0.8, 0.95, 0.999]))
def test_tango_contains_the_drop_and_is_antisymmetric(pair, confidence):
    b, c, n = pair
    low, high = tango(b, c, n, confidence)
    assert -1 <= low <= (b - c) / n <= high <= 1
    assert tango(c, b, n, confidence) == (-high, -low)


@settings(deadline=None)
@given(pairs(300))
def test_tango_rises_with_losses_and_with_confidence(pair):
    b, c, n = pair
    if b + c < n:
        assert tango_upper(b + 1, c, n, 0.05) >= tango_upper(b, c, n, 0.05)
    assert tango_upper(b, c, n, 0.001) >= tango_upper(b, c, n, 0.05) >= tango_upper(b, c, n, 0.4)


@pytest.mark.parametrize("n", [6, 12, 25])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_tango_upper_covers_about_as_it_says_in_full_enumeration(n, alpha):
    tables = [(b, c) for b in range(n + 1) for c in range(n + 1 - b)]
    bounds = np.array([tango_upper(b, c, n, alpha) for b, c in tables])
    worst, missed_all = 0.0, []
    for drop in (-0.3, -0.1, 0.0, 0.05, 0.15, 0.3, 0.5):
        for won in (0.01, 0.05, 0.1, 0.2):
            lost = won + drop
            if lost < 0 or lost + won > 1:
                continue
            chance = np.array([_trinomial(n, b, c, lost, won) for b, c in tables])
            assert chance.sum() == pytest.approx(1)
            missed = chance[bounds < drop - 1e-12].sum()
            worst = max(worst, missed)
            missed_all.append(missed)
    assert worst <= 2.5 * alpha
    assert np.mean(missed_all) <= 1.2 * alpha


def _trinomial(n, b, c, lost, won):
    ways = math.comb(n, b) * math.comb(n - b, c)
    return ways * lost**b * won**c * (1 - lost - won) ** (n - b - c)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (wilson, (5, 4)),
        (wilson, (-1, 4)),
        (wilson, (1, 4, 1.0)),
        (clopper_pearson, (5, 4)),
        (clopper_pearson_upper, (1, 4, 0)),
        (tango, (3, 3, 5)),
        (tango_upper, (-1, 0, 5, 0.05)),
        (tango_upper, (1, 0, 5, 0.6)),
        (tango_upper, (4, 3, 5, 0.05)),
    ],
)
def test_impossible_counts_and_levels_are_refused(function, arguments):
    with pytest.raises(ValueError, match=r"is not"):
        function(*arguments)
