import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm
from statsmodels.stats.multitest import multipletests

from pytest_robust.spec.plan import Gate
from pytest_robust.verdict import (
    connor_n,
    holm,
    mcnemar_midp,
    minimum_detectable_drop,
    samples_to_decide,
    samples_to_prove,
    smallest_decisive,
    tango_upper,
    what_n_can_see,
)

# Minimum detectable drop in percentage points, 80 % power: (one-sided 0.05, one-sided 0.05/75).
MDD = {
    (1_000, 0.01): (0.79, None),
    (1_000, 0.02): (1.11, 1.81),
    (1_000, 0.05): (1.76, 2.86),
    (1_000, 0.10): (2.48, 4.04),
    (5_000, 0.01): (0.35, 0.57),
    (5_000, 0.02): (0.50, 0.81),
    (5_000, 0.05): (0.79, 1.28),
    (5_000, 0.10): (1.11, 1.81),
    (10_000, 0.01): (0.25, 0.40),
    (10_000, 0.02): (0.35, 0.57),
    (10_000, 0.05): (0.56, 0.91),
    (10_000, 0.10): (0.79, 1.28),
    (50_000, 0.01): (0.11, 0.18),
    (50_000, 0.02): (0.16, 0.26),
    (50_000, 0.05): (0.25, 0.41),
    (50_000, 0.10): (0.35, 0.57),
}


@pytest.mark.parametrize(("n", "discordance"), MDD)
def test_minimum_detectable_drop_of_the_known_table(n, discordance):
    for alpha, known in zip((0.05, 0.05 / 75), MDD[n, discordance], strict=True):
        found = minimum_detectable_drop(n, discordance, alpha)
        assert (found and 100 * found) == (known and pytest.approx(known, abs=0.006))


def test_nothing_is_detectable_without_samples_or_flips():
    assert minimum_detectable_drop(0, 0.1, 0.05) is None
    assert minimum_detectable_drop(1000, 0.0, 0.05) is None
    assert minimum_detectable_drop(2, 1.0, 1e-6) is None


@settings(deadline=None)
@given(st.floats(0.001, 1), st.floats(0.001, 1), st.floats(1e-6, 0.4), st.floats(0.5, 0.99))
def test_detectable_drop_inverts_connor(discordance, share, alpha, power):
    drop = discordance * share
    n = connor_n(drop, discordance, alpha, power)
    expected = (norm.ppf(1 - alpha) * math.sqrt(discordance) + norm.ppf(power) * math.sqrt(discordance - drop**2)) ** 2
    assert n == pytest.approx(expected / drop**2, rel=1e-9)
    assume(n > 1)
    found = minimum_detectable_drop(math.ceil(n), discordance, alpha, power)
    assert found is not None
    assert found <= drop * (1 + 1e-9)
    fewer = minimum_detectable_drop(math.ceil(n) - 1, discordance, alpha, power)
    assert fewer is None or fewer >= drop * (1 - 1e-9)


def test_connor_predicts_the_power_of_the_test():
    """The exact power of mid-p McNemar at Connor's n, by enumeration of b + c and b."""
    drop, discordance, alpha = 0.02, 0.06, 0.05
    n = math.ceil(connor_n(drop, discordance, alpha))
    share = (discordance + drop) / (2 * discordance)
    power = 0.0
    for total in range(1, n + 1):
        chance = binom.pmf(total, n, discordance)
        if chance > 1e-9:
            first = next((b for b in range(total + 1) if mcnemar_midp(b, total - b) <= alpha), total + 1)
            power += chance * binom.sf(first - 1, total, share)
    assert power == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(("alpha", "flips"), [(0.05, 4), (0.05 / 75, 10), (0.05 / 190, 11), (0.01, 6), (2**-5, 4)])
def test_smallest_decisive_evidence(alpha, flips):
    found = smallest_decisive(5000, alpha)
    assert found == (flips, flips / 5000)
    assert mcnemar_midp(flips, 0) <= alpha < mcnemar_midp(flips - 1, 0)
    assert smallest_decisive(flips, alpha) == (flips, 1.0)
    assert smallest_decisive(flips - 1, alpha) is None


def test_a_lenient_level_still_needs_one_flip():
    assert smallest_decisive(10, 0.9) == (1, 0.1)
    with pytest.raises(ValueError, match="not positive"):
        smallest_decisive(10, 0)


def test_a_hundred_flips_need_a_known_majority():
    for alpha, exact, midp in ((0.05, 59, 59), (0.05 / 75, 67, 66)):
        assert next(b for b in range(101) if binom.sf(b - 1, 100, 0.5) <= alpha) == exact
        assert next(b for b in range(101) if mcnemar_midp(b, 100 - b) <= alpha) == midp


@settings(deadline=None)
@given(
    st.integers(1, 4000).flatmap(lambda n: st.tuples(st.integers(1, n), st.integers(0, n), st.just(n))),
    st.floats(1e-9, 0.4),
)
def test_more_samples_than_are_there_are_wanted_where_they_did_not_decide(table, alpha):
    b, c, n = table
    assume(b > c and b + c <= n and mcnemar_midp(b, c) > alpha)
    assert samples_to_decide(b, c, n, alpha) > n


def test_samples_to_decide_would_decide():
    b, c, n, alpha = 9, 5, 667, 0.01
    wanted = samples_to_decide(b, c, n, alpha)
    assert mcnemar_midp(b, c) > alpha
    assert mcnemar_midp(round(b * wanted / n), round(c * wanted / n)) <= alpha
    assert samples_to_decide(3, 0, 3, 0.05) == 4
    with pytest.raises(ValueError, match="no drop"):
        samples_to_decide(5, 5, 100, 0.05)


@pytest.mark.parametrize(
    ("b", "c", "n", "limit"), [(0, 0, 100, 0.01), (9, 5, 667, 0.02), (5, 9, 667, 0.0), (1, 1, 5, 0.3)]
)
def test_samples_to_prove_is_the_first_number_that_proves(b, c, n, limit):
    wanted = samples_to_prove(b, c, n, limit, 0.01)
    assert tango_upper(b / n * wanted, c / n * wanted, wanted, 0.01) <= limit
    assert tango_upper(b / n * (wanted - 1), c / n * (wanted - 1), wanted - 1, 0.01) > limit


def test_no_number_of_samples_proves_a_drop_at_its_limit():
    assert samples_to_prove(2, 0, 100, 0.02, 0.01) is None
    assert samples_to_prove(3, 0, 100, 0.02, 0.01) is None
    assert samples_to_prove(0, 0, 100, 0.0, 0.01) is None
    assert samples_to_prove(2, 0, 100, 0.02 + 1e-9, 0.01) is None


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (connor_n, (0, 0.1, 0.05)),
        (connor_n, (0.2, 0.1, 0.05)),
        (connor_n, (0.1, 0.1, 0.6)),
        (connor_n, (0.1, 0.1, 0.05, 0.3)),
        (minimum_detectable_drop, (-1, 0.1, 0.05)),
        (minimum_detectable_drop, (10, 1.1, 0.05)),
    ],
)
def test_values_out_of_range_are_refused(function, arguments):
    with pytest.raises(ValueError, match=r"not possible|not in"):
        function(*arguments)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.floats(0, 1), max_size=30))
def test_holm_equals_statsmodels(p_values):
    expected = multipletests(p_values, method="holm")[1] if p_values else []
    assert holm(p_values) == pytest.approx(list(expected))


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm(np.array([0.9, 0.6])) == pytest.approx([1.0, 1.0])


def test_what_n_can_see_before_the_run():
    assert what_n_can_see(5000, 75, Gate(alpha=0.05)) == (
        "5,000 samples, 75 golden tests at alpha 0.05: "
        "the smallest drop that can be significant is -0.20 pp (10 lost, none won)"
    )
    assert what_n_can_see(5, 1, Gate()) == (
        "5 samples, 1 golden test at alpha 0.01: no drop can be significant, at least 6 samples needed"
    )
    assert what_n_can_see(5000, 0, Gate()) == what_n_can_see(5000, 1, Gate())


@pytest.mark.parametrize(
    ("n", "family", "alpha", "end"),
    [
        (0, 1, 0.01, "0 samples, 1 golden test at alpha 0.01: no drop can be significant, at least 6 samples needed"),
        (1, 1, 0.2, "1 sample, 1 golden test at alpha 0.2: no drop can be significant, at least 2 samples needed"),
        (0, 1, 0.5, "no drop can be significant, at least 1 sample needed"),
        (1, 1, 0.25, "is -100.00 pp (1 lost, none won)"),
        (6, 1, 0.01, "is -100.00 pp (6 lost, none won)"),
        (50_000, 76, 0.01, "is -0.024 pp (12 lost, none won)"),
        (
            1_000_000,
            76,
            0.01,
            "1,000,000 samples, 76 golden tests at alpha 0.01: the smallest drop that can be "
            "significant is -0.0012 pp (12 lost, none won)",
        ),
    ],
)
def test_what_n_can_see_at_its_edges(n, family, alpha, end):
    assert what_n_can_see(n, family, Gate(alpha=alpha)).endswith(end)
    decisive = smallest_decisive(n, alpha / family)
    if decisive:
        assert mcnemar_midp(decisive.flips, 0) <= alpha / family < mcnemar_midp(decisive.flips - 1, 0)


def test_the_line_before_the_run_costs_no_scipy():
    script = (
        "import sys\n"
        "from pytest_robust.spec.plan import Gate\n"
        "from pytest_robust.verdict import what_n_can_see\n"
        "what_n_can_see(5000, 75, Gate())\n"
        "sys.exit(bool({'scipy', 'torch', 'onnxruntime', 'pytest'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
