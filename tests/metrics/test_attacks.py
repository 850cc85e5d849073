"""Success, distortion and transfer, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_robust.metrics.attacks import among_best, attack_success, transfer


def flags(text: str) -> np.ndarray:
    return np.array([one == "1" for one in text])


def test_success_by_hand() -> None:
    sizes = {"l2": np.array([1.0, 9.0, 3.0, np.nan, np.nan])}
    made = attack_success(flags("11110"), flags("10110"), flags("10100"), sizes)
    assert (made.attacked, made.successes) == (3, 2)
    assert made.success_rate == pytest.approx(2 / 3)
    assert made.robust_accuracy == pytest.approx(2 / 5), "right, and not turned: the second and the fourth"
    assert made.distortions is not None
    assert made.distortions["l2"] == (2.0, 1.0), "only successes: 1 and 3"


def test_without_success_the_distortion_is_undefined_and_not_zero() -> None:
    made = attack_success(flags("110"), flags("110"), flags("000"), {"l2": np.full(3, np.nan)})
    assert made.success_rate == 0
    assert made.distortions is None
    assert made.robust_accuracy == pytest.approx(2 / 3)


def test_where_nothing_was_attacked_there_is_no_rate() -> None:
    made = attack_success(flags("000"), flags("000"), flags("000"), {})
    assert made.success_rate is None
    assert made.robust_accuracy == 0


@pytest.mark.parametrize(
    ("right", "attacked", "success"), [("01", "11", "00"), ("11", "01", "10"), ("", "", "")], ids=str
)
def test_what_cannot_be(right: str, attacked: str, success: str) -> None:
    with pytest.raises(ValueError, match="an attack needs samples"):
        attack_success(flags(right).astype(bool), flags(attacked).astype(bool), flags(success).astype(bool), {})


def test_transfer_by_hand() -> None:
    attacked = np.array([flags("11100"), flags("01111")])
    right = np.array([flags("11101"), flags("01100")])
    hits = np.array([[flags("10000"), flags("01111")], [flags("11000"), flags("01000")]])
    made = transfer(hits, attacked, right)
    # 0 -> 1: attacked 0, 1, 2, of which 1 has only 1 and 2 right: both hits count, whether or not 0 itself fell
    # 1 -> 0: attacked 1 to 4, of which 0 has 1, 2 and 4 right: one of three
    np.testing.assert_allclose(made.rates, [[np.nan, 1], [1 / 3, np.nan]])
    assert made.counted.tolist() == [[3, 2], [3, 2]]
    np.testing.assert_allclose(made.white_box, [1 / 3, 1 / 2])


def test_a_transfer_to_a_model_that_has_nothing_right_is_undefined() -> None:
    attacked, right = np.array([flags("1"), flags("0")]), np.array([flags("1"), flags("0")])
    made = transfer(np.ones((2, 2, 1), np.bool_), attacked, right)
    assert np.isnan(made.rates).all()
    assert np.isnan(made.white_box).tolist() == [False, True]
    with pytest.raises(ValueError, match="no square transfer matrix"):
        transfer(np.ones((2, 1, 1), np.bool_), attacked, right)


def test_among_best_by_hand() -> None:
    scores = np.array([[5, 4, 3, 2, 1, 0.0], [0, 1, 2, 3, 4, 5.0], [1, 1, 1, 1, 1, 1.0]])
    assert among_best(scores, [0, 0, 0], 1).tolist() == [True, False, True]
    assert among_best(scores, [4, 1, 4], 5).tolist() == [True, True, True]
    assert among_best(scores, [5, 0, 5], 5).tolist() == [False, False, False]
