from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_robust.metrics.corruption_error import (
    ALEXNET_CLEAN_ERROR,
    ALEXNET_ERROR,
    corruption_weights,
    mean_corruption_error,
    relative_mean_corruption_error,
)
from pytest_robust.metrics.mean_error import COMMON_15, grid
from pytest_robust.spec.mce import IMAGENET_C

FULL = grid(COMMON_15)

# The denominators of google-research/robustness_metrics: the same errors, rounded to a tenth of a point.
ROUNDED = (88.6, 89.4, 92.3, 82.0, 82.6, 78.6, 79.8, 86.7, 82.7, 81.9, 56.5, 85.3, 64.6, 71.8, 60.7)


def of_alexnet(scale: float = 1.0) -> dict[tuple[str, int | float], float]:
    return {cell: scale * ALEXNET_ERROR[cell[0]] for cell in FULL}


def test_the_fifteen_corruptions_are_those_of_the_spec_language():
    assert COMMON_15 == IMAGENET_C


def test_alexnet_against_itself_is_one():
    assert mean_corruption_error(of_alexnet()) == pytest.approx(1, abs=1e-12)
    assert mean_corruption_error(of_alexnet(0.767)) == pytest.approx(0.767)
    assert relative_mean_corruption_error(of_alexnet(), ALEXNET_CLEAN_ERROR) == pytest.approx(1, abs=1e-12)


def test_the_rounded_reference_differs_in_the_second_decimal_of_the_percentage():
    rounded = {cell: ROUNDED[COMMON_15.index(cell[0])] / 100 for cell in FULL}
    difference = 100 * abs(mean_corruption_error(of_alexnet(), rounded) - 1)
    assert 0.001 < difference < 0.05


def test_against_a_model_by_hand():
    ours = {("fog", 1): 0.2, ("fog", 2): 0.4, ("snow", 1): 0.3}
    theirs = {("fog", 1): 0.5, ("fog", 2): 0.7, ("snow", 1): 0.6}
    # CE: 0.6 / 1.2 and 0.3 / 0.6
    assert mean_corruption_error(ours, theirs) == pytest.approx(0.5)
    # relative: (0.6 - 0.2) / (1.2 - 0.4) and (0.3 - 0.1) / (0.6 - 0.2)
    assert relative_mean_corruption_error(ours, 0.1, theirs, 0.2) == pytest.approx(0.5)
    # a corruption counts the same however many severities it has
    assert mean_corruption_error({**ours, ("snow", 1): 0.6}, theirs) == pytest.approx(0.75)


def test_relative_mce_by_hand_against_alexnet():
    errors = dict.fromkeys(FULL, 0.6)
    wanted = sum((0.6 - 0.25) / (error - ALEXNET_CLEAN_ERROR) for error in ALEXNET_ERROR.values()) / 15
    assert relative_mean_corruption_error(errors, 0.25) == pytest.approx(wanted)


@given(st.lists(st.tuples(st.fractions(0, 1), st.fractions("1/10", 1)), min_size=1, max_size=12))
def test_weights_and_definition_agree(pairs):
    ours = {(f"c{index % 4}", index): float(error) for index, (error, _) in enumerate(pairs)}
    theirs = {cell: float(pairs[cell[1]][1]) for cell in ours}
    ratios = []
    for name in {cell[0] for cell in ours}:
        own = [index for index in range(len(pairs)) if f"c{index % 4}" == name]
        ratios.append(Fraction(sum(pairs[i][0] for i in own), 1) / sum(pairs[i][1] for i in own))
    assert mean_corruption_error(ours, theirs) == pytest.approx(float(sum(ratios) / len(ratios)))
    weights = corruption_weights(ours, theirs, 0.05)
    # A model that makes just so many errors more on every image, clean or not, keeps its relative mCE.
    assert sum(weights.cells.values()) + weights.clean == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.pop(("fog", 3)), "needs fog at severity 3"),
        (lambda e: e.update({("fog", 6): 0.1}), "does not count fog at severity 6"),
        (lambda e: e.update({("spatter", 1): 0.1}), "does not count spatter at severity 1"),
    ],
)
def test_a_missing_or_foreign_cell_is_an_error(change, message):
    errors = of_alexnet()
    change(errors)
    for metric in (mean_corruption_error, lambda errors: relative_mean_corruption_error(errors, 0.2)):
        with pytest.raises(ValueError, match=message):
            metric(errors)


def test_what_cannot_be_divided_by():
    ours = {("fog", 1): 0.5}
    with pytest.raises(ValueError, match="was not measured on fog at severity 1"):
        mean_corruption_error(ours, {("fog", 2): 0.5})
    with pytest.raises(ValueError, match="makes no error on fog"):
        mean_corruption_error(ours, {("fog", 1): 0.0})
    with pytest.raises(ValueError, match="makes no error beyond its clean error on fog"):
        relative_mean_corruption_error(ours, 0.1, {("fog", 1): 0.2}, 0.2)
    with pytest.raises(ValueError, match="at least one cell"):
        mean_corruption_error({}, {})
