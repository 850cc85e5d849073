from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pytest_robust.verdict import (
    PairedCell,
    connor_n,
    images_to_decide,
    interval,
    mcnemar_midp,
    samples_to_decide,
    split,
    tango,
)


def cell(first: str, second: str, *, weight: float = 1.0, samples: str = "a", ids: str | None = None) -> PairedCell:
    """A cell of one letter per sample: x right, . wrong."""
    right = [np.array([letter == "x" for letter in text]) for text in (first, second)]
    names = ids or "abcdefghijklmnopqrstuvwxyz"[: len(first)]
    return PairedCell(samples, tuple(names), right[0], right[1], weight)


def flipped(n: int, b: int, c: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    first = np.array([True] * b + [False] * c + [True] * (n - b - c))
    second = np.array([False] * b + [True] * c + [True] * (n - b - c))
    order = rng.permutation(n)
    return first[order], second[order]


def test_split_by_hand():
    images = split([cell("xxx.", "x.xx", weight=0.5), cell("xx..", "..x.", weight=0.5)])
    assert images.changes.tolist() == pytest.approx([0.125, 0.25, -0.125, -0.125])
    assert images.steps is not None
    assert images.steps.tolist() == [1, 2, -1, -1]
    assert images.total == pytest.approx(0.125)
    assert images.reach.tolist() == [0.25]


def test_the_total_is_the_weighted_change_of_error():
    rng = np.random.default_rng(0)
    cells = []
    wanted = 0.0
    for index in range(6):
        n = 40 if index < 4 else 25
        first, second = rng.random(n) < 0.8, rng.random(n) < 0.7
        weight = float(rng.normal())
        wanted += weight * (first.mean() - second.mean())
        cells.append(PairedCell(str(n), tuple(map(str, range(n))), first, second, weight))
    images = split(cells)
    assert images.total == pytest.approx(wanted)
    assert images.steps is None
    assert len(images.changes) == 40


def test_an_id_is_one_image_wherever_it_stands():
    apart = split([cell("xx", "..", samples="a", ids="pq"), cell("xx", "..", samples="b", ids="rs")])
    shared = split([cell("xx", "..", samples="a", ids="pq"), cell("xx", "..", samples="b", ids="qp")])
    partly = split([cell("xx", "..", samples="a", ids="pq"), cell("xx", "..", samples="b", ids="qr")])
    assert [len(images.changes) for images in (apart, shared, partly)] == [4, 2, 3]
    assert [images.total for images in (apart, shared, partly)] == [2.0, 2.0, 2.0]
    # four images lost are more evidence than two
    assert apart.p_worse() == 0.5**5
    assert shared.p_worse() == 0.5**3
    assert partly.changes.tolist() == [0.5, 1.0, 0.5]
    assert sorted(partly.reach.tolist()) == [0.5, 0.5, 1.0]
    assert len(set(partly.stratum.tolist())) == 3


def test_each_cell_is_a_mean_over_its_own_samples():
    images = split([cell("xxxx", "...."), cell("x", ".", samples="b", ids="z")])
    assert images.changes.tolist() == [0.25] * 4 + [1.0]
    assert images.steps is None
    # by hand over 32 patterns: all five lost is the largest sum, and no other pattern equals it
    assert images.p_worse() == pytest.approx(0.5**6)


def test_a_negative_weight_turns_a_cell_around():
    images = split([cell("xx.", "..x", weight=1.0), cell("xx.", "..x", weight=-1.0)])
    assert images.total == 0
    assert images.steps is not None
    assert not images.steps.any()
    assert images.p_worse() == images.p_better() == 1


@settings(deadline=None)
@given(st.integers(0, 30), st.integers(0, 30))
def test_a_single_cell_is_judged_as_cells_are(b, c):
    first, second = flipped(80, b, c, np.random.default_rng(b))
    images = split([PairedCell("a", tuple(map(str, range(80))), first, second, 0.3)])
    assert images.p_worse() == pytest.approx(mcnemar_midp(b, c))
    assert images.p_better() == pytest.approx(mcnemar_midp(c, b))


def test_what_is_no_aggregate():
    with pytest.raises(ValueError, match="at least one cell"):
        split([])
    with pytest.raises(ValueError, match="do not fit"):
        cell("xx", "x")
    with pytest.raises(ValueError, match="do not fit"):
        cell("", "")
    with pytest.raises(ValueError, match="differ in their samples"):
        split([cell("xx", "xx"), cell("x", "x")])
    with pytest.raises(ValueError, match="two samples of one set"):
        split([cell("xx", "xx", ids="aa")])


def test_interval_is_close_to_tangos_for_one_cell():
    for n, b, c in ((1000, 40, 22), (400, 30, 0), (5000, 400, 400), (200, 3, 9)):
        first, second = flipped(n, b, c, np.random.default_rng(n))
        ours = interval(split([PairedCell("a", tuple(map(str, range(n))), first, second, 1.0)]), 0.025)
        theirs = tango(b, c, n)
        width = theirs[1] - theirs[0]
        assert ours == pytest.approx(theirs, abs=0.12 * width)


def test_interval_of_cells_is_scipys_bootstrap():
    rng = np.random.default_rng(5)
    n, latent = 600, rng.random(600)
    cells = [
        PairedCell("a", tuple(map(str, range(n))), rng.random(n) < 0.9, rng.random(n) < 0.9 - 0.3 * (latent < 0.3), 0.1)
        for _ in range(10)
    ]
    images = split(cells)
    ours = interval(images, 0.05)
    drawn = stats.bootstrap((images.changes * n,), np.mean, confidence_level=0.9, method="percentile", rng=2)
    bounds = drawn.confidence_interval
    assert ours == pytest.approx((bounds.low, bounds.high), abs=0.1 * (bounds.high - bounds.low))
    assert ours[0] < images.total < ours[1]
    assert interval(images, 0.05) == ours


def test_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(9)
    n, runs, missed = 120, 300, 0
    ids = tuple(map(str, range(n)))
    truth = 0.05 * 0.8
    for _ in range(runs):
        unstable, lost = rng.random(n) < 0.1, rng.random(n) < 0.9
        cells = []
        for _ in range(4):
            moves = unstable & (rng.random(n) < 0.5)
            cells.append(PairedCell("a", ids, ~moves | lost, ~moves | ~lost, 0.25))
        low, high = interval(split(cells), 0.05)
        missed += not low <= truth <= high
    assert missed / runs < 0.10 + 3 * np.sqrt(0.1 * 0.9 / runs)
    assert missed / runs > 0.02


def test_few_images_and_none_that_changed_leave_doubt():
    few = interval(split([cell("xxx", "xxx"), cell("x.x", "x.x")]), 0.01)
    assert few[0] < -0.2
    assert few[1] > 0.2
    many = np.ones(20_000, bool)
    low, high = interval(split([PairedCell("a", tuple(map(str, range(20_000))), many, many, 1.0)]), 0.01)
    assert -1e-3 < low <= 0 <= high < 1e-3


def test_strata_keep_their_numbers():
    """A cell of 10 samples beside one of 10,000: the small one makes the interval wide."""
    rng = np.random.default_rng(1)
    large = PairedCell("a", tuple(map(str, range(10_000))), rng.random(10_000) < 0.8, rng.random(10_000) < 0.8, 0.5)
    small = PairedCell("b", tuple("qrstuvwxyz"), rng.random(10) < 0.8, rng.random(10) < 0.8, 0.5)
    both, alone = interval(split([large, small]), 0.05), interval(split([small]), 0.05)
    assert both[1] - both[0] == pytest.approx(alone[1] - alone[0], rel=0.2)


def test_values_of_many_kinds_are_rounded_without_moving_the_mean():
    rng = np.random.default_rng(2)
    n = 900
    cells = [
        PairedCell("a", tuple(map(str, range(n))), rng.random(n) < 0.8, rng.random(n) < 0.7, float(weight))
        for weight in rng.random(12)
    ]
    images = split(cells)
    assert len(np.unique(images.changes)) > 257
    low, high = interval(images, 0.1)
    spread = images.changes.std() * np.sqrt(n)
    z = stats.norm.ppf(0.9)
    assert (low, high) == pytest.approx((images.total - z * spread, images.total + z * spread), abs=0.1 * spread)


@pytest.mark.parametrize("alpha", [0, -0.1, 0.6])
def test_alpha_out_of_range(alpha):
    with pytest.raises(ValueError, match="not in"):
        interval(split([cell("x", ".")]), alpha)


def test_images_to_decide_is_connors_formula_for_one_cell():
    n, b, c, level = 2000, 60, 40, 0.01 / 76
    first, second = flipped(n, b, c, np.random.default_rng(0))
    images = split([PairedCell("a", tuple(map(str, range(n))), first, second, 1.0)])
    assert images_to_decide(images, level) == int(np.ceil(connor_n((b - c) / n, (b + c) / n, level)))
    assert images_to_decide(images, level) == samples_to_decide(b, c, n, level)
    with pytest.raises(ValueError, match="did not become worse"):
        images_to_decide(split([cell("x", "x")]), level)


def test_exact_over_every_pattern_with_weights():
    """Two cells of other weights and samples: p over all sign patterns of the images, by hand."""
    first = cell("xxxx.x", "..x.x.", weight=0.7)
    second = cell("x.xx", ".x..", weight=0.31, samples="b", ids="bxyz")
    changes = split([first, second]).changes
    signs = np.array(list(itertools.product((1, -1), repeat=len(changes))))
    sums = signs @ np.abs(changes)
    wanted = np.mean(sums > changes.sum() + 1e-9) + np.mean(np.abs(sums - changes.sum()) < 1e-9) / 2
    assert split([first, second]).p_worse() == pytest.approx(wanted, abs=0.02)
