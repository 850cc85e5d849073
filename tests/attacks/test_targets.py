"""The three kinds of target."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_robust.attacks import choose_targets
from pytest_robust.errors import RobustError

SCORES = np.array([[3.0, 1.0, 2.0, 0.0], [1.0, 1.0, 0.0, 0.0]])
IDS = ("a", "b")


def test_by_hand() -> None:
    labels = np.array([0, 1])
    assert choose_targets("top2", SCORES, labels, IDS, 0).tolist() == [2, 1]
    assert choose_targets("least_likely", SCORES, labels, IDS, 0).tolist() == [3, 3]


def test_random_targets_are_uniform_among_the_other_classes() -> None:
    count, classes = 6000, 5
    labels = np.arange(count) % classes
    ids = tuple(map(str, range(count)))
    made = choose_targets("random", np.zeros((count, classes)), labels, ids, 7)
    assert not (made == labels).any()
    assert np.bincount(((made - labels) % classes), minlength=classes)[1:] == pytest.approx([1500] * 4, abs=150)
    some = choose_targets("random", np.zeros((2, classes)), labels[[9, 4]], (ids[9], ids[4]), 7)
    assert some.tolist() == made[[9, 4]].tolist()
    assert (choose_targets("random", np.zeros((count, classes)), labels, ids, 8) != made).mean() > 0.5


@pytest.mark.parametrize("first", [0, 1, 3])
def test_classes_without_a_column_are_no_target(first: int) -> None:
    labels = np.array([0, 1]) + first
    assert choose_targets("top2", SCORES, labels, IDS, 0, first=first).tolist() == [2 + first, 1 + first]
    assert choose_targets("least_likely", SCORES, labels, IDS, 0, first=first).tolist() == [3 + first, 3 + first]
    ids, rows = tuple(map(str, range(200))), np.zeros((200, 4))
    own = np.arange(200) % 4 + first
    made = choose_targets("random", rows, own, ids, 7, first=first)
    assert set(made.tolist()) == set(range(first, first + 4))
    assert not (made == own).any()


def test_one_class_has_no_target() -> None:
    with pytest.raises(RobustError, match="needs two classes"):
        choose_targets("least_likely", np.zeros((1, 1)), np.zeros(1, np.int64), ("a",), 0)
