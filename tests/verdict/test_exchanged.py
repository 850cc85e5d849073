from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from pytest_robust.metrics.trend import spearman, weakest_side
from pytest_robust.spec.plan import Gate
from pytest_robust.verdict import PairedCell, Verdict, against_golden, exchanged, images_to_decide, mcnemar_midp, split

N = 400
IDS = tuple(map(str, range(N)))


def cells(rng: np.random.Generator, count: int, *, moved: float, n: int = N) -> list[PairedCell]:
    """Cells in which the same images are uncertain: a difficult image is difficult in all of them."""
    hard = rng.random(n) < moved
    draw = [rng.random((2, n)) < 0.5 for _ in range(count)]
    return [PairedCell("a", IDS[:n], ~hard | one, ~hard | two, 1.0) for one, two in draw]


def worst(errors: np.ndarray) -> np.ndarray:
    return errors.max(axis=-1)


def total(errors: np.ndarray) -> np.ndarray:
    return errors.sum(axis=-1)


def test_of_a_sum_it_is_the_sign_flip_test():
    rng = np.random.default_rng(0)
    for lost in (0, 3, 9):
        own = cells(rng, 3, moved=0.1)
        own = [replace(cell, second=cell.second & (np.arange(N) >= lost)) for cell in own]
        found, images = exchanged([[cell] for cell in own], total, 0.001), split(own)
        assert found is not None
        assert found.total == pytest.approx(images.total)
        # mid-p against p: the difference is half the chance of what was observed
        for ours, exact in ((found.p_worse(), images.p_worse()), (found.p_better(), images.p_better())):
            assert exact - 0.01 < ours < exact + 0.05


def test_against_every_pattern_of_exchanges():
    first = np.array([[1, 1, 1, 1, 1, 0, 1, 0], [1, 1, 0, 1, 1, 1, 1, 0]], bool)
    second = np.array([[0, 0, 0, 1, 1, 1, 1, 0], [0, 1, 1, 0, 1, 1, 1, 0]], bool)
    observed = worst(1 - second.mean(axis=1)) - worst(1 - first.mean(axis=1))
    changes = []
    for keep in itertools.product((True, False), repeat=8):
        was, now = np.where(keep, first, second), np.where(keep, second, first)
        changes.append(worst(1 - now.mean(axis=1)) - worst(1 - was.mean(axis=1)))
    wanted = np.mean(np.array(changes) >= observed - 1e-9)
    found = exchanged(
        [[PairedCell("a", "abcdefgh", *rows, 1.0)] for rows in zip(first, second, strict=True)], worst, 0.01
    )
    assert found is not None
    assert found.total == pytest.approx(observed)
    assert found.p_worse() == pytest.approx(wanted, abs=0.04)
    # the same draws again, on every machine
    assert found.p_worse() == found.p_worse()


def test_cells_do_not_make_evidence():
    """Six images lost in 40 cells are six images."""
    second = np.ones(N, bool)
    second[:6] = False
    lost = PairedCell("a", IDS, np.ones(N, bool), second, 1.0)
    one, many = exchanged([[lost]], worst, 0.01), exchanged([[lost]] * 40, worst, 0.01)
    assert one is not None
    assert many is not None
    assert one.p_worse() == many.p_worse() == pytest.approx(2**-6, rel=0.3)
    # the same ids in another sample set are the same images; other ids are others
    elsewhere = exchanged([[lost], [replace(lost, samples="b")]], worst, 0.01)
    apart = exchanged([[lost], [replace(lost, samples="b", ids=tuple(f"b{name}" for name in IDS))]], total, 0.01)
    assert elsewhere is not None
    assert apart is not None
    assert elsewhere.p_worse() == one.p_worse()
    assert apart.p_worse() < one.p_worse() / 10


def test_a_part_may_be_a_sum_of_cells_of_other_sizes():
    rng = np.random.default_rng(3)
    large = PairedCell("a", IDS, rng.random(N) < 0.8, rng.random(N) < 0.7, 0.7)
    small = PairedCell("b", IDS[:50], rng.random(50) < 0.8, rng.random(50) < 0.7, 0.3)
    found = exchanged([[large, small]], total, 0.01)
    assert found is not None
    images = split([large, small])
    assert found.total == pytest.approx(images.total)
    assert found.p_worse() == pytest.approx(images.p_worse(), abs=0.03)


def test_it_is_wrong_as_rarely_as_it_says():
    """Golden and candidate of one kind: a fall of the rank correlation, a value without any smooth distribution."""
    rng = np.random.default_rng(11)

    def badness(errors: np.ndarray) -> np.ndarray:
        return -weakest_side([1, 2, 3], errors[..., 1:] - errors[..., :1], spearman)

    for value, finer in ((badness, None), (badness, total), (worst, None)):
        drawn = [exchanged([[cell] for cell in cells(rng, 4, moved=0.15)], value, 0.05, finer) for _ in range(150)]
        found = [change.p_worse() for change in drawn if change is not None]
        assert len(found) > 140
        for level in (0.05, 0.2):
            assert np.mean([p <= level for p in found]) <= level + 3 * np.sqrt(level * (1 - level) / len(found))


def test_ranks_that_change_by_much_are_told_from_ranks_that_change_by_little():
    """A severity moves from below its neighbour to far above it; in ranks that is one step, as by a hair it is."""

    def ranks(errors: np.ndarray) -> np.ndarray:
        return np.where(errors[..., 0] > errors[..., 1], 1.0, np.where(errors[..., 0] < errors[..., 1], 0.0, 0.5))

    def gap(errors: np.ndarray) -> np.ndarray:
        return errors[..., 0] - errors[..., 1]

    still = PairedCell("a", IDS, np.arange(N) < 200, np.arange(N) < 200, 1.0)
    for moved, significant in ((1, False), (60, True)):
        parts = [[PairedCell("a", IDS, np.arange(N) < 200 + moved, np.arange(N) < 200 - moved, 1.0)], [still]]
        coarse, fine = exchanged(parts, ranks, 0.01), exchanged(parts, ranks, 0.01, gap)
        assert coarse is not None
        assert fine is not None
        assert coarse.total == fine.total == 1
        assert coarse.p_worse() > 0.2
        assert (fine.p_worse() <= 0.01) is significant


def test_small_p_are_told_down_to_the_level():
    second = np.ones(N, bool)
    second[:40] = False
    found = exchanged([[PairedCell("a", IDS, np.ones(N, bool), second, 1.0)]], worst, 1e-4)
    assert found is not None
    assert found.p_worse() < 1e-5
    assert found.p_better() > 0.99


def test_undefined_values_never_speak_against_a_model():
    same = PairedCell("a", IDS, np.ones(N, bool), np.ones(N, bool), 1.0)
    assert exchanged([[same]], lambda errors: np.full(len(errors), np.nan), 0.01) is None
    second = np.ones(N, bool)
    second[:30] = False
    lost = PairedCell("a", IDS, np.ones(N, bool), second, 1.0)

    def partly(errors: np.ndarray) -> np.ndarray:
        # undefined wherever the draw is neither what was observed nor its mirror
        every = errors[..., 0]
        return np.where(np.isin(np.rint(every * N), (0, 30)), every, np.nan)

    found = exchanged([[lost]], partly, 0.01)
    assert found is not None
    assert found.p_worse() > 0.9
    assert found.wanted(0.01) > 0
    with pytest.raises(ValueError, match="at least one cell"):
        exchanged([], worst, 0.01)
    with pytest.raises(ValueError, match="at least one cell"):
        exchanged([[]], worst, 0.01)


def test_what_would_decide_is_about_connors_formula():
    rng = np.random.default_rng(5)
    own = cells(rng, 1, moved=0.2)
    own = [replace(own[0], second=own[0].second & (np.arange(N) >= 8))]
    found, images = exchanged([own], total, 0.001), split(own)
    assert found is not None
    assert found.wanted(0.001) == pytest.approx(images_to_decide(images, 0.001), rel=0.15)
    with pytest.raises(ValueError, match="did not become worse"):
        exchanged([[PairedCell("a", IDS, own[0].first, own[0].first, 1.0)]], total, 0.001).wanted(0.01)


def test_the_verdict_on_such_a_change():
    def judged(lost: int, limit: float, **gate: object) -> tuple[Verdict, str]:
        second = np.ones(N, bool)
        second[:lost] = False
        change = exchanged([[PairedCell("a", IDS, np.ones(N, bool), second, 1.0)]], worst, 0.01)
        assert change is not None
        found = against_golden("v", 0.5, change, None, limit, family=1, gate=Gate(**gate), larger_is_worse=False)
        return found.verdict, found.sentence

    assert judged(20, 0.01)[0] is Verdict.REGRESSED
    assert judged(20, 0.01)[1].startswith("v 0.5000, -0.0500 vs golden 0.5500 (allowed -0.0100, p=")
    verdict, sentence = judged(5, 0.01)
    assert verdict is Verdict.INCONCLUSIVE
    assert "is not significant" in sentence
    assert mcnemar_midp(5, 0) > 0.01
    assert judged(20, 0.06)[0] is Verdict.PASS
    verdict, sentence = judged(2, 0.06, require="proven")
    assert verdict is Verdict.INCONCLUSIVE
    assert sentence.endswith("is not proven: no bound is known for a value of this kind")
