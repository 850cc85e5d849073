from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_robust.metrics.corruption_error import ALEXNET_ERROR
from pytest_robust.metrics.groups import accuracy_per_class, group_accuracies, unweighted_mean, worst_class
from pytest_robust.metrics.mean_error import COMMON_15, COMMON_19, EXTRA, NOISE, WITHOUT_NOISE, grid, mean_error
from pytest_robust.metrics.phase import followed
from pytest_robust.metrics.relative import imperceptible_corruption_error, relative_error_reduction

ALEXNET_EXTRA = {"speckle_noise": 0.845388, "gaussian_blur": 0.787108, "spatter": 0.717512, "saturate": 0.658248}

# Siedel et al., WideResNet-28-4 on CIFAR-10 and CIFAR-100, in percent: clean error, mCE (19), mCE_xN (15), iCE (%).
PUBLISHED = {
    "CIFAR-10 standard": (5.67, 31.30, 26.55, 9.7),
    "CIFAR-10 L2 1": (6.59, 27.20, 24.92, 1.7),
    "CIFAR-10 TA": (4.13, 15.45, 11.87, 7.0),
    "CIFAR-10 TA+C1": (5.77, 15.20, 17.04, 0.9),
    "CIFAR-10 L50 0.08, ResNeXt": (8.86, 25.23, 24.60, -1.5),
    "CIFAR-100 standard": (24.24, 56.71, 51.20, 9.8),
}


def test_the_sets_of_corruptions():
    assert (len(COMMON_15), len(COMMON_19), len(WITHOUT_NOISE)) == (15, 19, 15)
    assert set(COMMON_19) - set(WITHOUT_NOISE) == set(NOISE)
    assert "gaussian_blur" in WITHOUT_NOISE
    assert "spatter" in EXTRA


def test_alexnet_by_hand():
    errors = {cell: (ALEXNET_ERROR | ALEXNET_EXTRA)[cell[0]] for cell in grid(COMMON_19)}
    assert mean_error(errors, grid(COMMON_15)) == pytest.approx(11.834896 / 15)
    assert mean_error(errors) == pytest.approx(14.843152 / 19)
    assert mean_error(errors, grid(WITHOUT_NOISE)) == pytest.approx(
        (14.843152 - 0.886428 - 0.894468 - 0.92264 - 0.845388) / 15
    )


@pytest.mark.parametrize("row", PUBLISHED.values(), ids=PUBLISHED)
def test_the_three_means_are_over_the_cells_that_their_definitions_name(row):
    """Errors are made up to have the published means; a mean over other cells, or of other weights, would differ."""
    clean, all_19, without, ice = (value / 100 for value in row)
    noise = (19 * all_19 - 15 * without) / 4
    errors = {cell: noise if cell[0] in NOISE else without for cell in grid(COMMON_19)}
    assert mean_error(errors, grid(COMMON_19)) == pytest.approx(all_19)
    assert mean_error(errors, grid(WITHOUT_NOISE)) == pytest.approx(without)
    six = clean * (1 + ice)
    assert imperceptible_corruption_error([six - 0.01, six + 0.01] * 3, clean) == pytest.approx(ice)


def test_noise_training_can_lower_mce_and_raise_it_without_noise():
    before, after = PUBLISHED["CIFAR-10 TA"], PUBLISHED["CIFAR-10 TA+C1"]
    assert after[1] < before[1]
    assert after[2] > before[2]


def test_a_missing_cell_is_an_error():
    with pytest.raises(ValueError, match=r"over 95 cells lacks \('saturate', 5\)"):
        mean_error(dict.fromkeys(grid(COMMON_19)[:-1], 0.5), grid(COMMON_19))
    with pytest.raises(ValueError, match="at least one cell"):
        mean_error({})


def test_ice_by_hand():
    assert imperceptible_corruption_error([0.11, 0.12, 0.13], 0.1) == pytest.approx(0.2)
    assert imperceptible_corruption_error([0.05], 0.1) == pytest.approx(-0.5)
    assert imperceptible_corruption_error([0.05], 0.0) is None
    with pytest.raises(ValueError, match="at least one corruption"):
        imperceptible_corruption_error([], 0.1)


def test_relative_error_reduction_by_hand():
    assert relative_error_reduction(0.25, 0.2) == pytest.approx(0.2)
    assert relative_error_reduction(0.2, 0.25) == pytest.approx(-0.25)
    assert relative_error_reduction(0.0, 0.1) is None


def test_group_means_are_not_pooled():
    counts = {"size=0.2": {"n": 4, "correct": 3}, "size=0.5": {"n": 2, "correct": 1}, "sizes=1": {"n": 1, "correct": 0}}
    means = group_accuracies(counts, "size")
    assert means == {"0.2": 0.75, "0.5": 0.5}
    # pooled it would be 4/6
    assert unweighted_mean(means.values()) == 0.625
    assert group_accuracies(counts, "rotation") == {}
    with pytest.raises(ValueError, match="at least one group"):
        unweighted_mean([])


def test_worst_class_by_hand():
    labels = np.array([0, 0, 2, 2, 2, 2], np.uint16)
    first = accuracy_per_class(labels, np.array([1, 0, 1, 1, 0, 1], bool))
    second = accuracy_per_class(labels, np.array([1, 1, 0, 0, 0, 1], bool))
    assert first == {0: 0.5, 2: 0.75}
    assert second == {0: 1.0, 2: 0.25}
    assert worst_class([first, second]) == (2, 0.5)
    assert worst_class([{0: 0.5, 1: 0.5}]).label == 0
    # A cell without the class says nothing about it.
    assert worst_class([{0: 0.5, 1: 0.4}, {1: 0.8}]) == (0, 0.5)
    with pytest.raises(ValueError, match="at least one sample"):
        worst_class([{}])


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=60))
def test_class_accuracies_make_the_whole(pairs):
    labels = np.array([label for label, _ in pairs], np.uint16)
    right = np.array([hit for _, hit in pairs])
    found = accuracy_per_class(labels, right)
    assert found == {int(label): right[labels == label].mean() for label in np.unique(labels)}
    assert worst_class([found]).accuracy <= right.mean() + 1e-12


def test_phase_reliance_by_hand():
    phase = np.array([0, 1, 2, 3, 4], np.uint16)
    amplitude = np.array([1, 2, 3, 3, 0], np.uint16)
    assert followed(phase, phase, amplitude) == (1, 0, 4)
    assert followed(amplitude, phase, amplitude).reliance == -1
    # pair 3 has one class; of the rest two follow the phase, one the amplitude, one neither
    found = followed(np.array([0, 1, 3, 3, 9], np.uint16), phase, amplitude)
    assert found == (0.5, 0.25, 4)
    assert found.reliance == 0.25
    assert followed(phase, phase, phase) is None
    with pytest.raises(ValueError, match="different shapes"):
        followed(phase, phase, amplitude[:-1])
