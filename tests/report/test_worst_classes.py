import numpy as np

from pytest_robust.report.failure import worst_classes

LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2, 3], np.uint16)


def test_the_classes_that_lost_most_come_first() -> None:
    before, after = LABELS.copy(), LABELS.copy()
    after[[0, 4, 5]] = 9
    before[8], after[8] = 9, 3
    assert worst_classes(LABELS, before, after) == ["class 1 -100.0 pp of 2", "class 0 -25.0 pp of 4"]
    names = ("cat", "dog", "fox", "owl")
    assert worst_classes(LABELS, before, after, names)[0] == "class dog -100.0 pp of 2"
    assert worst_classes(LABELS, after, after) == []
