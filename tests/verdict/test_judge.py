from dataclasses import replace

import numpy as np
import pytest

from pytest_robust.spec.plan import Gate
from pytest_robust.verdict import (
    Evidence,
    GoldenEvidence,
    Verdict,
    compare,
    fails,
    mcnemar_midp,
    minimum_detectable_drop,
    samples_to_prove,
    tango_upper,
    updated,
    wilson,
)
from pytest_robust.verdict.wording import about

from .cases import GATE, compared, flips, golden, judged, measured, row

PROVEN = Gate(require="proven")
STRICT = Gate(inconclusive="fail")


def test_precedence_is_the_order_of_the_definition():
    order = [
        "ERROR",
        "BELOW_FLOOR",
        "REGRESSED",
        "TOO_MANY_FLIPS",
        "UNEXPECTED_PASS",
        "NO_GOLDEN",
        "INCONCLUSIVE",
        "IMPROVED",
        "UPDATED",
        "PASS",
    ]
    assert [str(verdict) for verdict in sorted(Verdict, key=lambda verdict: verdict.rank)] == order


@pytest.mark.parametrize(("correct", "n", "floor"), [(7, 10, 0.7), (3, 10, 0.3), (57, 100, 0.57), (1, 1, 1), (0, 9, 0)])
def test_a_floor_that_is_met_exactly_passes(correct, n, floor):
    assert judged(measured(correct, n), row(min_accuracy=floor)).verdict is Verdict.PASS


def test_one_sample_under_a_floor_fails():
    found = judged(measured(6_999, 10_000), row(line=41, min_accuracy=0.7))
    assert (found.verdict, found.level, fails(found, GATE)) == (Verdict.BELOW_FLOOR, "block", True)
    assert found.findings[0].mark.line == 41
    assert found.findings[0].excess == pytest.approx(1e-4)
    assert found.interval == wilson(6_999, 10_000)


@pytest.mark.parametrize(("clean", "correct"), [((9, 10), 6), ((10, 10), 7), ((90, 100), 6), ((1, 1), 7)])
def test_a_drop_from_clean_of_exactly_the_limit_passes(clean, correct):
    found = judged(measured(correct, 10, clean=clean), row(max_drop=0.3))
    assert found.verdict is Verdict.PASS
    assert found.clean_drop == pytest.approx(0.3)


def test_a_drop_from_clean_over_the_limit_fails():
    found = judged(measured(5, 10, clean=(81, 100)), row(max_drop=0.3))
    assert found.verdict is Verdict.BELOW_FLOOR
    assert found.findings[0].subject == "clean"


def test_a_drop_from_clean_without_clean_is_an_error_and_never_a_pass():
    for clean in (None, (0, 0)):
        found = judged(measured(5, 10, clean=clean), row(max_drop=0.3))
        assert found.verdict is Verdict.ERROR
        assert found.clean_drop is None
        assert fails(found, GATE)


def test_an_error_comes_before_everything_and_judges_nothing_else():
    evidence = compared(5000, 3205, 273, 128, error="models/resnet.onnx does not exist")
    found = judged(evidence, row(min_accuracy=0.9, max_regression=0.0))
    assert found.verdict is Verdict.ERROR
    assert found.reasons == ("models/resnet.onnx does not exist",)
    assert found.headline == "models/resnet.onnx does not exist"


@pytest.mark.parametrize("smoke", [False, True])
def test_no_samples_are_an_error(smoke):
    found = judged(measured(0, 0, smoke=smoke), row(min_accuracy=0.1))
    assert (found.verdict, found.headline) == (Verdict.ERROR, "no samples")
    assert found.interval == (0, 1)


def test_a_drop_over_the_limit_and_significant_is_a_regression():
    evidence = compared(5000, 3205, 273, 128, family=75)
    found = judged(evidence, row(max_regression=0.02))
    assert (found.verdict, found.proven, found.role) == (Verdict.REGRESSED, False, "latest")
    assert found.p == mcnemar_midp(273, 128)
    assert found.drop_upper == tango_upper(273, 128, 5000, 0.01)
    assert found.mdd == minimum_detectable_drop(5000, 401 / 5000, 0.01 / 75)
    assert fails(found, GATE)


def test_a_significant_drop_within_the_limit_passes():
    found = judged(compared(5000, 3205, 273, 128), row(max_regression=0.029))
    assert found.verdict is Verdict.PASS
    assert found.p < 1e-10


def test_the_family_divides_alpha():
    rows, gate = row(max_regression=0.0), Gate(alpha=0.05)
    p = mcnemar_midp(40, 22)
    assert 0.05 / 5 < p < 0.05 / 4
    verdicts = [judged(compared(1000, 500, 40, 22, family=m), rows, gate=gate).verdict for m in (0, 1, 4, 5)]
    assert verdicts == [Verdict.REGRESSED] * 3 + [Verdict.INCONCLUSIVE]


def test_a_drop_that_may_be_chance_is_inconclusive_and_the_gate_decides():
    found = judged(compared(667, 474, 9, 5), row(max_regression=0.005))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert [fails(found, Gate(inconclusive=policy)) for policy in ("warn", "pass", "fail")] == [False, False, True]


def test_negative_flips_are_limited_even_where_accuracy_is_kept():
    evidence = compared(1000, 700, 51, 51)
    assert judged(evidence, row(max_negative_flips=0.05)).verdict is Verdict.TOO_MANY_FLIPS
    assert judged(evidence, row(max_negative_flips=0.051)).verdict is Verdict.PASS


def test_a_missing_golden_fails_only_where_a_row_needs_it():
    evidence = measured(70, 100, missing={"latest": "the shifted images changed: Pillow 13 -> 14"})
    assert judged(evidence, row(min_accuracy=0.7)).verdict is Verdict.PASS
    for limit in ("max_regression", "max_negative_flips"):
        found = judged(evidence, row(**{limit: 0.02}))
        assert (found.verdict, found.proven, found.p) == (Verdict.NO_GOLDEN, None, None)
        assert "Pillow 13 -> 14" in found.headline
        assert fails(found, GATE)


def test_an_ungated_comparison_is_information():
    found = judged(compared(5000, 3205, 273, 128), row(min_accuracy=0.1))
    assert (found.verdict, found.proven, found.reasons) == (Verdict.PASS, None, ())
    assert found.p == mcnemar_midp(273, 128)
    assert judged(compared(5000, 3205, 10, 273), row(min_accuracy=0.1)).verdict is Verdict.PASS


def test_a_significant_gain_makes_the_golden_stale():
    evidence = compared(1000, 700, 5, 30)
    for limits in ({"max_regression": 0.02}, {"max_negative_flips": 0.05}):
        found = judged(evidence, row(**limits))
        assert (found.verdict, fails(found, STRICT)) == (Verdict.IMPROVED, False)
        assert "stale" in found.reasons[0]
    assert judged(compared(1000, 700, 5, 7), row(max_regression=0.02)).verdict is Verdict.PASS


def test_an_anchor_is_judged_too_and_never_stale():
    both = row(max_regression=0.02, against=("latest", "anchor"))
    drifted = Evidence(
        n=1000,
        correct=700,
        goldens={"latest": golden(flips(1000, 705, 9, 4)), "anchor": golden(flips(1000, 750, 80, 30), "anchor")},
    )
    found = judged(drifted, both)
    assert (found.verdict, found.findings[0].subject, found.role) == (Verdict.REGRESSED, "anchor", "latest")
    assert found.p == mcnemar_midp(9, 4)
    assert judged(drifted, row(max_regression=0.02)).verdict is Verdict.PASS
    better = compared(1000, 700, 5, 60, role="anchor")
    found = judged(better, row(max_regression=0.02, against=("anchor",)))
    assert (found.verdict, found.role) == (Verdict.PASS, "anchor")
    assert judged(better, both).verdict is Verdict.NO_GOLDEN
    table = flips(1000, 645, 5, 60)
    ungated = Evidence(n=1000, correct=700, goldens={"latest": golden(table), "anchor": golden(table, "anchor")})
    assert judged(ungated, row(max_regression=0.02, against=("anchor",))).verdict is Verdict.PASS
    assert judged(ungated, both).verdict is Verdict.IMPROVED


def test_proven_is_the_upper_bound_within_every_blocking_limit():
    evidence = compared(5000, 3205, 20, 20)
    upper = tango_upper(20, 20, 5000, GATE.alpha)
    assert 0.002 < upper < 0.004
    assert judged(evidence, row(max_regression=0.004)).proven is True
    assert judged(evidence, row(max_regression=upper)).proven is True
    assert judged(evidence, row(max_regression=0.002)).proven is False
    rows = [row(max_regression=0.004), row(2, max_regression=0.002, level="warn")]
    assert judged(evidence, *rows).proven is True
    assert judged(evidence, rows[1]).proven is False


def test_the_gate_can_require_proof():
    evidence = compared(5000, 3205, 20, 20)
    unproven, proven = row(max_regression=0.002), row(max_regression=0.004)
    assert judged(evidence, unproven).verdict is Verdict.PASS
    assert judged(evidence, unproven, gate=PROVEN).verdict is Verdict.INCONCLUSIVE
    assert judged(evidence, proven, gate=PROVEN).verdict is Verdict.PASS
    assert judged(evidence, row(min_accuracy=0.1), gate=PROVEN).verdict is Verdict.PASS
    found = judged(evidence, proven, row(2, max_regression=0.002, level="warn"), gate=PROVEN)
    assert (found.verdict, found.level) == (Verdict.INCONCLUSIVE, "warn")
    assert not fails(found, STRICT)


@pytest.mark.parametrize(
    ("firm", "verdict"),
    [
        ((273, 128), Verdict.REGRESSED),
        ((220, 110), Verdict.REGRESSED),
        ((220, 121), Verdict.INCONCLUSIVE),
        ((120, 19), Verdict.REGRESSED),
        ((2, 1), Verdict.INCONCLUSIVE),
        ((0, 0), Verdict.INCONCLUSIVE),
    ],
)
def test_a_regression_must_survive_without_near_ties(firm, verdict):
    found = judged(compared(5000, 3205, 273, 128, firm=firm), row(max_regression=0.02))
    assert found.verdict is verdict


def test_a_firm_drop_must_be_significant_too():
    found = judged(compared(100, 60, 20, 2, firm=(5, 1)), row(max_regression=0.02))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert judged(compared(100, 60, 20, 2, firm=(9, 0)), row(max_regression=0.02)).verdict is Verdict.REGRESSED


def test_flips_must_survive_without_near_ties():
    rows = row(max_negative_flips=0.05)
    assert judged(compared(1000, 700, 60, 60, firm=(51, 0)), rows).verdict is Verdict.TOO_MANY_FLIPS
    assert judged(compared(1000, 700, 60, 60, firm=(50, 50)), rows).verdict is Verdict.INCONCLUSIVE


def test_near_ties_never_make_a_claim_stronger():
    assert judged(compared(1000, 700, 5, 30, firm=(5, 9)), row(max_regression=0.02)).verdict is Verdict.PASS
    assert judged(compared(1000, 700, 9, 9, firm=(5, 30)), row(max_regression=0.02)).verdict is Verdict.PASS
    evidence = compared(1000, 700, 5, 5, firm=(5, 0))
    assert judged(compared(1000, 700, 5, 5), row(max_regression=0.012)).proven is True
    found = judged(evidence, row(max_regression=0.012))
    assert found.proven is False
    assert found.drop_upper == tango_upper(5, 0, 1000, 0.01)
    unproven = judged(evidence, row(max_regression=0.012), gate=PROVEN)
    assert unproven.verdict is Verdict.INCONCLUSIVE
    wanted = about(samples_to_prove(5, 0, 1000, 0.012, 0.01))
    assert f"about {wanted} samples would prove it" in unproven.headline


def test_a_warning_never_fails():
    evidence = compared(5000, 3205, 273, 128)
    warn = row(min_accuracy=0.9, max_regression=0.0, max_negative_flips=0.0, level="warn")
    found = judged(evidence, warn)
    assert (found.verdict, found.level, len(found.findings)) == (Verdict.BELOW_FLOOR, "warn", 3)
    assert not fails(found, STRICT)


def test_blocking_rows_speak_before_warnings():
    evidence = compared(667, 474, 9, 5)
    rows = [row(min_accuracy=0.9, level="warn"), row(2, max_regression=0.005)]
    found = judged(evidence, *rows)
    assert (found.verdict, found.level) == (Verdict.INCONCLUSIVE, "block")
    assert [finding.mark.line for finding in found.findings] == [1, 2]
    assert len(found.reasons) == 2
    assert "significant" in found.reasons[0]


def test_all_reasons_are_listed_once_whatever_the_verdict():
    evidence = compared(5000, 3205, 273, 128, clean=(3805, 5000))
    rows = [
        row(1, max_negative_flips=0.05),
        row(2, max_regression=0.02),
        row(3, min_accuracy=0.63, max_drop=0.12),
        row(4, min_accuracy=0.63),
    ]
    found = judged(evidence, *rows)
    assert [finding.verdict for finding in found.findings] == [
        Verdict.TOO_MANY_FLIPS,
        Verdict.REGRESSED,
        Verdict.BELOW_FLOOR,
        Verdict.BELOW_FLOOR,
        Verdict.BELOW_FLOOR,
    ]
    assert [reason.split()[0] for reason in found.reasons] == ["accuracy", "-14.90", "-2.90", "negative"]


def test_smoke_fails_only_on_floors_out_of_reach():
    rows = row(min_accuracy=0.5, max_regression=0.0, max_drop=0.0, max_negative_flips=0.0)
    reachable = judged(measured(28, 64, smoke=True, clean=(60, 64)), rows)
    assert (reachable.verdict, reachable.proven) == (Verdict.PASS, None)
    assert reachable.reasons == ("SMOKE: max_drop, max_regression, max_negative_flips not judged",)
    hopeless = judged(measured(16, 64, smoke=True), rows)
    assert (hopeless.verdict, fails(hopeless, GATE)) == (Verdict.BELOW_FLOOR, True)
    improved = judged(compared(64, 20, 0, 40, smoke=True), rows)
    assert improved.verdict is Verdict.PASS


def test_smoke_bound_is_one_sided_99_percent():
    """With none of n right the bound is 1 - 0.01^(1/n): 0.369 for 10."""
    assert judged(measured(0, 10, smoke=True), row(min_accuracy=0.36)).verdict is Verdict.PASS
    assert judged(measured(0, 10, smoke=True), row(min_accuracy=0.37)).verdict is Verdict.BELOW_FLOOR


def test_an_update_accepts_what_it_replaces_and_nothing_else():
    rows = [row(max_regression=0.0, max_negative_flips=0.0)]
    worse = compared(5000, 3205, 273, 128)
    before = judged(worse, *rows)
    accepted = updated(before, worse)
    assert (before.verdict, accepted.verdict) == (Verdict.REGRESSED, Verdict.UPDATED)
    assert accepted.reasons == before.reasons
    assert not fails(accepted, STRICT)

    floored = judged(worse, *rows, row(min_accuracy=0.9))
    assert updated(floored, worse).verdict is Verdict.BELOW_FLOOR
    assert fails(updated(floored, worse), GATE)

    new = measured(70, 100, missing={"latest": "none is recorded"})
    assert updated(judged(new, *rows), new).verdict is Verdict.UPDATED

    drift = Evidence(
        n=5000,
        correct=3060,
        goldens={"latest": golden(flips(5000, 3060, 5, 5)), "anchor": golden(flips(5000, 3205, 273, 128), "anchor")},
    )
    against_both = row(max_regression=0.02, against=("latest", "anchor"))
    assert updated(judged(drift, against_both), drift).verdict is Verdict.REGRESSED

    broken = measured(0, 0, error="the model cannot be opened")
    assert updated(judged(broken), broken).verdict is Verdict.ERROR


def test_evidence_from_real_predictions_is_judged_alike_in_any_order():
    random = np.random.default_rng(7)
    labels = random.integers(0, 10, 2000).astype(np.uint16)
    was = np.where(random.random(2000) < 0.8, labels, 11).astype(np.uint16)
    now = np.where(random.random(2000) < 0.1, 12, was).astype(np.uint16)
    near = random.random(2000) < 0.02

    def verdict(order):
        table = compare(labels[order], was[order], now[order])
        firm = compare(labels[order], was[order], now[order], near_tie=near[order])
        right = int((now == labels).sum())
        before = int((was == labels).sum())
        latest = GoldenEvidence("latest", table, firm, 2000, before, "2026-10-02", "cpu", "1.31.1", "")
        evidence = Evidence(n=2000, correct=right, goldens={"latest": latest}, family=20)
        return judged(evidence, row(max_regression=0.02, max_negative_flips=0.05))

    first = verdict(np.arange(2000))
    assert first.verdict is Verdict.REGRESSED
    assert verdict(random.permutation(2000)) == first


@pytest.mark.parametrize(
    "wrong",
    [
        {"n": 10, "correct": 11},
        {"n": 10, "correct": 5, "goldens": {"anchor": golden(flips(10, 5, 0, 0))}},
        {"n": 11, "correct": 5, "goldens": {"latest": golden(flips(10, 5, 0, 0))}},
        {"n": 10, "correct": 6, "goldens": {"latest": golden(flips(10, 5, 0, 0))}},
        {"n": 10, "correct": 5, "goldens": {"latest": replace(golden(flips(10, 5, 0, 0)), correct=6)}},
    ],
)
def test_contradicting_evidence_is_refused(wrong):
    with pytest.raises(ValueError, match=r"possible count|other samples|contradict"):
        Evidence(**wrong)


@pytest.mark.parametrize("alpha", [0.0, 0.6])
def test_an_alpha_without_meaning_is_refused(alpha):
    with pytest.raises(ValueError, match="alpha"):
        judged(compared(10, 5, 1, 0), row(max_regression=0.1), gate=Gate(alpha=alpha))
