"""Limits on attacks: counts in, sentences with their numbers out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_robust.spec.plan import Gate, Threshold
from pytest_robust.verdict import AttackEvidence, Evidence, Judgement, Verdict, fails, judge, updated
from tests.verdict.cases import GATE, row

SIZES = {"linf": 0.03137255, "l2": 0.5, "l1": 12.25, "l0": 1536.0}


def judged(attack: AttackEvidence | None, *rows: Threshold, gate: Gate = GATE, **more: Any) -> Judgement:
    return judge(Evidence(n=500, correct=20, attack=attack, **more), rows, gate)


WHITE_BOX = AttackEvidence(290, 270, SIZES)


def test_a_success_rate_above_its_limit_fails_and_names_the_distortion_it_was_paid_with() -> None:
    found = judged(WHITE_BOX, row(line=9, max_success_rate=0.8))
    assert (found.verdict, found.level, fails(found, GATE)) == (Verdict.BELOW_FLOOR, "block", True)
    assert found.headline == (
        "success rate 93.10% (270 of 290 attacked, mean linf 0.03137, l2 0.5, l1 12.25, l0 1536) > allowed 80.00%"
    )
    assert found.findings[0].mark is not None
    assert found.findings[0].mark.line == 9
    assert found.findings[0].excess == pytest.approx(270 / 290 - 0.8)


@pytest.mark.parametrize(("successes", "attacked", "limit"), [(7, 10, 0.7), (57, 100, 0.57), (0, 9, 0), (9, 9, 1)])
def test_a_rate_that_meets_its_limit_exactly_passes(successes: int, attacked: int, limit: float) -> None:
    sizes = SIZES if successes else {}
    attack = AttackEvidence(attacked, successes, sizes, (successes, attacked))
    assert judged(attack, row(max_success_rate=limit)).verdict is Verdict.PASS
    assert judged(attack, row(max_transfer=limit)).verdict is Verdict.PASS


@given(st.integers(1, 400), st.data(), st.decimals(0, 1, places=3))
def test_rates_are_compared_as_exact_fractions(attacked: int, data: st.DataObject, limit: Any) -> None:
    successes = data.draw(st.integers(0, attacked))
    attack = AttackEvidence(attacked, successes, SIZES if successes else {})
    broken = judged(attack, row(max_success_rate=float(limit))).verdict is Verdict.BELOW_FLOOR
    assert broken == (successes * 1000 > int(limit * 1000) * attacked)


def test_numbers_that_print_alike_are_told_apart() -> None:
    found = judged(AttackEvidence(10**6, 800_001, SIZES), row(max_success_rate=0.8))
    assert "success rate 80.0001% (800,001 of 1,000,000 attacked" in found.headline
    assert found.headline.endswith("> allowed 80.0000%")


def test_a_distortion_under_its_limit_fails_with_the_success_rate_beside_it() -> None:
    found = judged(WHITE_BOX, row(min_distortion=(("l2", 0.75),)))
    assert found.verdict is Verdict.BELOW_FLOOR
    assert found.headline == ("mean l2 distortion 0.5000 (success rate 93.10%, 270 of 290 attacked) < required 0.7500")
    assert judged(WHITE_BOX, row(min_distortion=(("l2", 0.5), ("linf", 0.01)))).verdict is Verdict.PASS
    both = judged(WHITE_BOX, row(min_distortion=(("l2", 0.51), ("linf", 0.1))))
    assert len(both.findings) == 2
    assert both.headline.startswith("mean linf distortion 0.0314"), "of one kind the furthest beyond its limit leads"


def test_the_rounding_of_storage_breaks_no_limit() -> None:
    stored = 0.699999988079071  # 0.7 in 32 bits
    assert judged(AttackEvidence(5, 5, {"l2": stored}), row(min_distortion=(("l2", 0.7),))).verdict is Verdict.PASS
    assert judged(AttackEvidence(5, 5, {"l2": 0.6999}), row(min_distortion=(("l2", 0.7),))).verdict is not Verdict.PASS


def test_no_success_meets_min_distortion_and_says_so() -> None:
    found = judged(AttackEvidence(290, 0), row(min_distortion=(("l2", 0.75),), max_success_rate=0.0))
    assert found.verdict is Verdict.PASS
    assert found.reasons == (
        "the attack turned none of 290 images, so the distortion is undefined and min_distortion is met",
    )
    assert judged(AttackEvidence(290, 0), row(max_success_rate=0.5)).reasons == ()


def test_a_source_that_gets_everything_wrong_leaves_all_limits_open() -> None:
    rows = (row(max_success_rate=1.0), row(min_distortion=(("l2", 1e-9),)), row(max_transfer=1.0))
    found = judged(AttackEvidence(0, 0, {}, (0, 0)), *rows)
    assert found.verdict is Verdict.INCONCLUSIVE
    untried = "no image was attacked, as there is none that the source has right when clean"
    assert found.reasons == (
        f"the success rate is undefined: {untried}",
        f"the distortion is undefined: {untried}",
        "the transfer rate is undefined: no attacked image is one that this model has right when clean",
    )
    assert not fails(found, GATE)
    assert fails(judged(AttackEvidence(0, 0), rows[0], gate=Gate(inconclusive="fail")), Gate(inconclusive="fail"))


def test_transfer_counts_examples_that_did_not_turn_the_source() -> None:
    # 300 were attacked, 100 turned the source; the target has 200 of the 300 right, of which 110 turn it
    found = judged(AttackEvidence(300, 100, SIZES, (110, 200)), row(max_transfer=0.4))
    assert found.headline == (
        "transfer rate 55.00% (110 of 200 counted, mean linf 0.03137, l2 0.5, l1 12.25, l0 1536) > allowed 40.00%"
    )
    assert judged(AttackEvidence(300, 0, {}, (110, 200)), row(max_transfer=0.4)).headline == (
        "transfer rate 55.00% (110 of 200 counted, distortion undefined) > allowed 40.00%"
    )


def test_all_kinds_of_limits_stand_in_one_headline() -> None:
    found = judged(WHITE_BOX, row(min_accuracy=0.1, max_success_rate=0.5, min_distortion=(("l0", 2000.0),)))
    first, second, third = found.headline.split(" and ")
    assert first == "accuracy 4.00% < floor 10.00%"
    assert second.startswith("success rate 93.10%")
    assert third.startswith("mean l0 distortion 1536.0000 (success rate")


def test_it_is_judged_without_golden_and_no_update_accepts_it() -> None:
    found = judged(WHITE_BOX, row(max_success_rate=0.8))
    evidence = Evidence(n=500, correct=20, attack=WHITE_BOX)
    assert updated(found, evidence).verdict is Verdict.BELOW_FLOOR


def test_levels_smoke_and_a_cell_without_its_attack() -> None:
    warned = judged(WHITE_BOX, row(max_success_rate=0.8, level="warn"))
    assert (warned.verdict, fails(warned, GATE)) == (Verdict.BELOW_FLOOR, False)
    smoke = judged(WHITE_BOX, row(max_success_rate=0.8, min_distortion=(("l2", 9.0),), max_transfer=0.0), smoke=True)
    assert smoke.verdict is Verdict.PASS
    assert smoke.reasons == ("SMOKE: max_success_rate, min_distortion, max_transfer not judged",)
    without = judged(None, row(max_success_rate=0.8))
    assert without.verdict is Verdict.ERROR
    assert without.headline == "there is no attack to judge: none was measured"
    assert judged(None, row(min_accuracy=0.01)).verdict is Verdict.PASS


@pytest.mark.parametrize("counts", [(5, 6, None), (5, -1, None), (5, 3, (4, 3)), (5, 3, (1, 6))])
def test_counts_that_cannot_be_are_refused(counts: Any) -> None:
    attacked, successes, transfer = counts
    with pytest.raises(ValueError, match="not possible"):
        AttackEvidence(attacked, successes, SIZES, transfer)


def test_a_breach_that_was_expected_and_one_that_no_longer_is() -> None:
    known = judged(WHITE_BOX, row(max_success_rate=0.8, expect="not yet hardened"))
    assert known.verdict is Verdict.BELOW_FLOOR
    assert known.expected == "not yet hardened"
    gone = judged(AttackEvidence(300, 30, SIZES, (20, 200)), row(max_success_rate=0.8, expect="not yet hardened"))
    assert gone.headline.startswith(
        "success rate 10.00% (30 of 300 attacked, mean linf 0.03137, l2 0.5, l1 12.25, l0 1536) <= allowed 80.00%: "
        "expected to fail"
    )
    gone = judged(AttackEvidence(300, 30, SIZES, (20, 200)), row(max_transfer=0.8, expect="known"))
    assert gone.headline.startswith("transfer rate 10.00% (20 of 200 counted, mean linf 0.03137")
    assert ") <= allowed 80.00%: expected to fail (known)" in gone.headline
    gone = judged(AttackEvidence(300, 30, SIZES), row(min_distortion=(("l2", 0.4),), expect="known"))
    assert gone.headline.startswith(
        "mean l2 distortion 0.5000 (success rate 10.00%, 30 of 300 attacked) >= required 0.4000: expected to fail"
    )
    gone = judged(AttackEvidence(300, 0), row(min_distortion=(("l2", 0.4),), expect="known"))
    assert gone.headline.startswith(
        "mean l2 distortion undefined (0 of 300 attacked turned), which meets 0.4000: expected to fail"
    )
