"""Rows that expect a breach: excused while there is one, a failure once there is none, and nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_robust.spec.plan import Gate
from pytest_robust.verdict import Held, Judgement, Verdict, excused, fails, held_as_expected, updated

from .cases import GATE, compared, judged, measured, row

WHY = "measured 0.61, the paper says 0.7"


def told(judgement: Judgement, gate: Gate = GATE) -> tuple[str, bool, str | None]:
    return str(judgement.verdict), fails(judgement, gate), excused(judgement, gate)


def test_a_breach_is_expected_and_keeps_its_numbers() -> None:
    found = judged(measured(61, 100), row(min_accuracy=0.7, expect=WHY))
    assert told(found) == ("BELOW_FLOOR", True, WHY)
    assert found.headline == "accuracy 61.00% < floor 70.00%"


def test_a_limit_that_holds_is_a_failure() -> None:
    found = judged(measured(70, 100), row(min_accuracy=0.7, expect=WHY))
    assert told(found) == ("UNEXPECTED_PASS", True, None)
    assert found.headline == f"accuracy 70.00%: expected to fail ({WHY}), but holds now: remove `expect`"
    assert told(judged(measured(70, 100), row(min_accuracy=0.7))) == ("PASS", False, None)


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_it_turns_round_exactly_its_own_row(correct: int, floor: int, other: int) -> None:
    """Whatever the numbers: the case passes or is excused if the other row holds and this one does not."""
    plain, expecting = row(min_accuracy=other / 100), row(2, min_accuracy=floor / 100, expect=WHY)
    found = judged(measured(correct, 100), plain, expecting)
    breached, well = correct < floor, correct >= other
    assert fails(found, GATE)
    assert (excused(found, GATE) == WHY) == (breached and well)


def test_another_failure_is_not_excused() -> None:
    rows = (row(min_accuracy=0.7, expect=WHY), row(2, max_drop=0.1))
    found = judged(measured(61, 100, clean=(90, 100)), *rows)
    assert told(found) == ("BELOW_FLOOR", True, None)
    assert found.headline == "-29.00 pp from clean 90.00% (allowed -10.00 pp)", "what nobody expected"
    assert "accuracy 61.00% < floor 70.00%" in found.reasons


def test_a_warning_beside_it_changes_nothing() -> None:
    rows = (row(min_accuracy=0.7, expect=WHY), row(2, max_drop=0.1, level="warn"))
    assert told(judged(measured(61, 100, clean=(90, 100)), *rows)) == ("BELOW_FLOOR", True, WHY)
    quiet = judged(measured(70, 100), row(min_accuracy=0.7, level="warn", expect=WHY))
    assert told(quiet) == ("UNEXPECTED_PASS", False, None), "a profile's level: warn"


def test_two_expectations_are_both_told() -> None:
    rows = (row(min_accuracy=0.7, expect="one"), row(2, min_accuracy=0.65, expect="two"))
    assert told(judged(measured(61, 100), *rows)) == ("BELOW_FLOOR", True, "one; two")
    assert told(judged(measured(67, 100), *rows)) == ("UNEXPECTED_PASS", True, None)


def test_errors_and_missing_goldens_are_never_excused() -> None:
    limit: dict[str, Any] = {"max_regression": 0.0, "expect": WHY}
    assert told(judged(measured(5, 10), row(**limit))) == ("NO_GOLDEN", True, None)
    assert told(judged(measured(0, 0, error="no file"), row(**limit))) == ("ERROR", True, None)
    assert told(judged(measured(5, 10), row(max_drop=0.1, expect=WHY))) == ("ERROR", True, None)


def test_regressions_and_flips() -> None:
    worse = compared(1000, 700, 60, 10)
    assert told(judged(worse, row(max_regression=0.02, expect=WHY))) == ("REGRESSED", True, WHY)
    assert told(judged(worse, row(max_negative_flips=0.02, expect=WHY))) == ("TOO_MANY_FLIPS", True, WHY)
    same = compared(1000, 700, 10, 10)
    assert told(judged(same, row(max_regression=0.02, expect=WHY))) == ("UNEXPECTED_PASS", True, None)


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"min_accuracy": 0.6}, "accuracy 69.00%"),
        ({"max_match": 0.7}, "match rate 69.00% (690 of 1,000) with the fingerprint <= allowed 70.00%"),
        ({"max_drop": 0.3}, "-21.00 pp from clean 90.00% (allowed -30.00 pp)"),
        ({"max_regression": 0.02}, "-1.00 pp vs golden 70.00% (allowed -2.00 pp, 20 lost, 10 won)"),
        ({"max_negative_flips": 0.02}, "negative flips 2.00% vs golden 70.00% (allowed 2.00%, 20 lost, 10 won)"),
    ],
)
def test_what_holds_is_told_with_its_limit(limit: dict[str, Any], said: str) -> None:
    found = judged(compared(1000, 700, 20, 10, clean=(90, 100)), row(**limit, expect=WHY))
    assert found.headline == f"{said}: expected to fail ({WHY}), but holds now: remove `expect`"


def test_what_is_left_open_is_neither() -> None:
    open_ = compared(100, 70, 5, 2)
    limit = row(max_regression=0.02, expect=WHY)
    assert told(judged(open_, limit)) == ("INCONCLUSIVE", False, None)
    strict = Gate(inconclusive="fail")
    assert told(judged(open_, limit, gate=strict), strict) == ("INCONCLUSIVE", True, None)
    both = judged(open_, row(2, max_regression=0.02), row(min_accuracy=0.9, expect=WHY))
    assert told(both) == ("BELOW_FLOOR", True, WHY)
    assert told(both, strict) == ("BELOW_FLOOR", True, None), "the open row fails here, and nobody expects it"


def test_a_smoke_run_excuses_and_cannot_tell_that_a_limit_holds() -> None:
    limit = row(min_accuracy=0.9, expect=WHY)
    assert told(judged(measured(5, 50, smoke=True), limit)) == ("BELOW_FLOOR", True, WHY)
    assert told(judged(measured(50, 50, smoke=True), limit)) == ("PASS", False, None)


def test_an_update_accepts_no_floor_and_keeps_what_was_expected() -> None:
    worse = compared(1000, 700, 60, 10)
    found = judged(worse, row(max_regression=0.02), row(2, min_accuracy=0.9, expect=WHY))
    assert told(found) == ("REGRESSED", True, None)
    assert told(updated(found, worse)) == ("BELOW_FLOOR", True, WHY)
    holds = judged(worse, row(min_accuracy=0.5, expect=WHY))
    assert told(updated(holds, worse)) == ("UNEXPECTED_PASS", True, None)


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if verdict not in (Verdict.PASS, Verdict.IMPROVED)])
def test_an_aggregate_whose_limit_does_not_hold_is_left_alone(verdict: Verdict) -> None:
    held = [Held(verdict, "mCE 0.9 > 0.8")]
    assert held_as_expected(WHY, held) == held


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.IMPROVED])
def test_an_aggregate_whose_limit_holds(verdict: Verdict) -> None:
    (found,) = held_as_expected(WHY, [Held(verdict, "mCE 0.7 <= 0.8")])
    assert found.verdict is Verdict.UNEXPECTED_PASS
    assert found.sentence == f"mCE 0.7 <= 0.8: expected to fail ({WHY}), but holds now: remove `expect`"
