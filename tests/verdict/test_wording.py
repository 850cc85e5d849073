import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from pytest_robust.spec.plan import Gate
from pytest_robust.verdict import Evidence, Verdict, mcnemar_midp, samples_to_decide, tango_upper, updated
from pytest_robust.verdict.wording import about, p_text, percent, points

from .cases import compared, flips, golden, judged, measured, row


def test_the_headline_of_a_lost_floor_and_a_regression():
    evidence = compared(5000, 3205, 273, 128, clean=(3805, 5000))
    found = judged(evidence, row(min_accuracy=0.63), row(max_regression=0.02))
    assert evidence.correct == 3060
    assert found.headline == (
        "accuracy 61.20% < floor 63.00% and -2.90 pp vs golden 64.10% (allowed -2.00 pp, p=1e-13, 273 lost, 128 won)"
    )
    expected = binomtest(273, 401, alternative="greater").pvalue - binom.pmf(273, 401, 0.5) / 2
    assert found.p == pytest.approx(expected, rel=1e-9)
    assert f"{expected:.0e}" == "1e-13"


def test_every_measured_failure_is_in_the_headline_in_the_order_of_precedence():
    evidence = compared(5000, 3205, 273, 128, clean=(3805, 5000))
    rows = [row(max_negative_flips=0.05, max_regression=0.02), row(max_drop=0.12, min_accuracy=0.63)]
    assert judged(evidence, *rows).headline == (
        "accuracy 61.20% < floor 63.00% and -14.90 pp from clean 76.10% (allowed -12.00 pp) and "
        "-2.90 pp vs golden 64.10% (allowed -2.00 pp, p=1e-13, 273 lost, 128 won) and "
        "negative flips 5.46% vs golden 64.10% (allowed 5.00%, 273 lost, 128 won)"
    )


def test_of_two_rows_on_one_subject_the_headline_shows_the_one_missed_by_more():
    rows = [row(min_accuracy=0.62), row(2, min_accuracy=0.7), row(3, min_accuracy=0.63)]
    found = judged(measured(3060, 5000), *rows)
    assert found.headline == "accuracy 61.20% < floor 70.00%"
    assert len(found.reasons) == 3


def test_inconclusive_says_how_many_samples_would_decide():
    found = judged(compared(667, 474, 9, 5), row(max_regression=0.005))
    assert samples_to_decide(9, 5, 667, 0.01) == 5855
    assert found.headline == (
        "-0.60 pp vs golden 71.06% (allowed -0.50 pp) is not significant (p=0.15 > 0.01, 9 lost, 5 won): "
        "about 5,900 samples would decide"
    )


def test_inconclusive_and_warnings_stay_out_of_a_failure_headline():
    evidence = compared(667, 474, 9, 5)
    rows = [row(max_regression=0.005), row(2, min_accuracy=0.75), row(3, min_accuracy=0.9, level="warn")]
    found = judged(evidence, *rows)
    assert found.headline == "accuracy 70.46% < floor 75.00%"
    assert len(found.reasons) == 3


def test_an_anchor_is_named():
    evidence = Evidence(
        n=1000,
        correct=700,
        goldens={"latest": golden(flips(1000, 705, 9, 4)), "anchor": golden(flips(1000, 750, 80, 30), "anchor")},
    )
    both = row(max_regression=0.02, against=("latest", "anchor"))
    assert judged(evidence, both).headline == (
        "-5.00 pp vs anchor golden 75.00% (allowed -2.00 pp, p=7e-7, 80 lost, 30 won)"
    )


def test_no_golden_says_why():
    missing = {"latest": "the model was recorded on cuda-sm80", "anchor": "release-2.3 has no such cell"}
    both = row(max_regression=0.02, against=("latest", "anchor"))
    assert judged(measured(7, 10, missing=missing), both, both).headline == (
        "no comparable golden: the model was recorded on cuda-sm80 and "
        "no comparable anchor golden: release-2.3 has no such cell"
    )
    assert judged(measured(7, 10), row(max_regression=0.02)).headline == "no comparable golden: none is recorded"


def test_near_ties_are_counted():
    found = judged(compared(5000, 3205, 273, 128, firm=(220, 121)), row(max_regression=0.02, max_negative_flips=0.05))
    ties = "rests on near ties: 53 of 273 lost and 7 of 128 won may be numeric noise"
    recorded = "(the golden is of cuda-sm90 with onnxruntime 1.31.1)"
    assert found.reasons == (
        f"-2.90 pp vs golden 64.10% (allowed -2.00 pp) {ties} {recorded}",
        f"negative flips 5.46% vs golden 64.10% (allowed 5.00%) {ties} {recorded}",
    )
    assert found.verdict is Verdict.INCONCLUSIVE


def test_unproven_says_what_is_possible_and_what_would_prove_it():
    gate = Gate(require="proven")
    assert tango_upper(20, 20, 5000, 0.01) == pytest.approx(0.0031, abs=5e-5)
    found = judged(compared(5000, 3205, 20, 20), row(max_regression=0.002), gate=gate)
    assert re.fullmatch(
        r"0\.00 pp vs golden 64\.10% \(allowed -0\.20 pp\) is not proven: down to -0\.31 pp is possible "
        r"\(alpha 0\.01, 20 lost, 20 won\); about 1\d,000 samples would prove it",
        found.headline,
    )
    at_limit = judged(compared(100, 50, 2, 0), row(max_regression=0.02), gate=gate)
    assert at_limit.headline.endswith("(alpha 0.01, 2 lost, 0 won)")


def test_passes_and_gains():
    gained = judged(compared(1000, 700, 5, 30), row(max_regression=0.02))
    assert gained.headline == "+2.50 pp vs golden 70.00% (p=6e-6, 5 lost, 30 won): the golden is stale"
    same = judged(compared(1000, 700, 0, 0), row(max_regression=0.02))
    assert same.headline == "accuracy 70.00%, 0.00 pp vs golden 70.00% (0 lost, 0 won, proven)"
    assert judged(measured(7, 10)).headline == "accuracy 70.00%"


def test_updates():
    evidence = compared(5000, 3205, 273, 128)
    rows = row(max_regression=0.02)
    assert updated(judged(evidence, rows), evidence).headline == (
        "accuracy 61.20% recorded in place of golden 64.10% (-2.90 pp, 273 lost, 128 won)"
    )
    assert (
        updated(judged(measured(7, 10), rows), measured(7, 10)).headline == "accuracy 70.00% recorded as a new golden"
    )


def test_smoke_is_said():
    assert judged(measured(46, 64, smoke=True), row(min_accuracy=0.5)).headline == "SMOKE, 64 samples: accuracy 71.88%"
    assert judged(measured(16, 64, smoke=True), row(min_accuracy=0.63)).headline == (
        "SMOKE, 64 samples: accuracy 25.00% (at most 39.68% at 99% confidence) < floor 63.00%"
    )


def test_a_value_is_printed_as_long_as_it_takes_to_tell_it_from_its_limit():
    assert judged(measured(62_999, 100_000), row(min_accuracy=0.63)).headline == "accuracy 62.999% < floor 63.000%"
    drop = judged(measured(69_999, 100_000, clean=(9, 10)), row(max_drop=0.2))
    assert drop.headline == "-20.001 pp from clean 90.00% (allowed -20.000 pp)"
    flipped = judged(compared(30_000, 20_000, 601, 601), row(max_negative_flips=0.02))
    assert flipped.headline.startswith("negative flips 2.003% vs golden 66.67% (allowed 2.000%, 601 lost")


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (1, "p=1"),
        (0.5, "p=0.5"),
        (0.123, "p=0.12"),
        (0.001, "p=0.001"),
        (0.00012, "p=1e-4"),
        (1.3e-13, "p=1e-13"),
        (2e-250, "p=2e-250"),
        (0.0, "p<1e-300"),
    ],
)
def test_p_text(p, text):
    assert p_text(p) == text


def test_shares_and_changes():
    assert percent(Fraction(2, 3)) == "66.67%"
    assert percent(0.612, 3) == "61.200%"
    assert [points(Fraction(k, 1000)) for k in (-29, 0, 4)] == ["-2.90 pp", "0.00 pp", "+0.40 pp"]


@pytest.mark.parametrize(
    ("samples", "text"), [(7, "7"), (99, "99"), (100, "100"), (101, "110"), (5848, "5,900"), (9_950, "10,000")]
)
def test_about(samples, text):
    assert about(samples) == text


@settings(deadline=None)
@given(st.integers(1, 10**12))
def test_about_is_never_too_few_and_little_too_many(samples):
    value = int(about(samples).replace(",", ""))
    assert samples <= value <= samples * 1.1


def test_example_p_of_a_small_table_by_hand():
    tail = sum(binom.pmf(k, 14, 0.5) for k in range(10, 15)) + binom.pmf(9, 14, 0.5) / 2
    assert mcnemar_midp(9, 5) == pytest.approx(tail)
