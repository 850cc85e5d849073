"""An attack summed up, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_robust.measurement import Attacked
from pytest_robust.metrics.attacked import Share, summary, turned

#                    0  1  2  3  4  5  6  7
LABELS = np.array([0, 0, 1, 1, 2, 2, 3, 3], np.uint16)
TRIED = np.array([1, 1, 1, 1, 1, 0, 0, 0], bool)
SUCCESS = np.array([1, 1, 0, 1, 0, 0, 0, 0], bool)
SIZES = {
    norm: (np.where(SUCCESS, np.arange(1, 9), np.nan) * factor).astype(np.float32)
    for norm, factor in {"l0": 10, "l1": 1, "l2": 0.5, "linf": 0.125}.items()
}
ATTACKED = Attacked(
    source="a",
    tried=TRIED,
    success=SUCCESS,
    clean=np.array([0, 0, 1, 1, 2, 0, 0, 3], np.uint16),
    distortions=SIZES,
    queries=np.array([10, 20, 30, 40, 50, 0, 0, 0], np.uint32),
)
PREDICTED = np.array([1, 1, 1, 2, 2, 0, 0, 3], np.uint16)


def test_a_white_box_attack() -> None:
    found = summary(ATTACKED, PREDICTED, LABELS, transfer=False)
    own = found.success
    assert (own.attacked, own.successes, own.success_rate) == (5, 3, 0.6)
    # right when clean: 0 to 4 and 7; 0, 1 and 3 are turned
    assert own.robust_accuracy == 3 / 8
    assert own.distortions is not None
    # successes have the sizes 1, 2 and 4 times the factor
    assert own.distortions["l2"].mean == pytest.approx(7 / 6)
    assert own.distortions["l2"].deviation == pytest.approx(0.5 * np.std([1, 2, 4]))
    assert found.means == pytest.approx({"linf": 7 / 24, "l2": 7 / 6, "l1": 7 / 3, "l0": 70 / 3})
    assert found.queries == 30
    assert (found.transfer, found.top1, found.top5) == (None, None, None)


def test_a_transfer_counts_what_both_have_right_and_failed_examples_too() -> None:
    # the target has 1, 2, 4 and 7 right when clean; of the attacked ones count 1, 2 and 4, of which 2 turns it
    target = replace(ATTACKED, clean=np.array([3, 0, 1, 3, 2, 0, 0, 3], np.uint16))
    predicted = np.array([0, 0, 2, 1, 2, 0, 0, 3], np.uint16)
    found = summary(target, predicted, LABELS, transfer=True)
    assert found.transfer == Share(1, 3)
    assert found.success.success_rate == 0.6, "of the source"
    assert found.success.robust_accuracy == 3 / 8, "of the target: 1, 4 and 7"
    assert not SUCCESS[2], "the example that turns the target did not turn the source"


def test_targets() -> None:
    targets = np.array([1, 2, 0, 2, 0, 0, 0, 0], np.uint16)
    near = np.array([1, 1, 0, 1, 1, 1, 1, 1], bool)
    aimed = replace(ATTACKED, targets=targets, near_target=near)
    found = summary(aimed, PREDICTED, LABELS, transfer=True)
    # 0 and 3 are taken for the target; 1 is taken for another class
    assert turned(PREDICTED, LABELS, aimed.targets)[:5].tolist() == [True, False, False, True, False]
    assert (found.transfer, found.top1, found.top5) == (Share(2, 5), Share(2, 5), Share(4, 5))
    assert summary(aimed, PREDICTED, LABELS, transfer=False).transfer is None


def test_nothing_attacked_and_nothing_counted() -> None:
    nobody = replace(ATTACKED, tried=np.zeros(8, bool), success=np.zeros(8, bool))
    found = summary(nobody, PREDICTED, LABELS, transfer=True)
    assert (found.success.success_rate, found.success.distortions, found.queries, found.means) == (None, None, None, {})
    assert found.transfer == Share(0, 0)
    assert found.transfer.rate is None
    wrong = replace(ATTACKED, clean=(LABELS + 1).astype(np.uint16))
    assert summary(wrong, PREDICTED, LABELS, transfer=True).transfer == Share(0, 0)
    with pytest.raises(ValueError, match="attacks right ones only"):
        summary(wrong, PREDICTED, LABELS, transfer=False)
