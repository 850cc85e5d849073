from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_robust.spec.plan import Gate
from pytest_robust.verdict import Images, PairedCell, Verdict, against_golden, bounded, bounded_surely, split
from pytest_robust.verdict.wording import points

N = 1000
IDS = tuple(map(str, range(N)))


def change(lost: int, won: int, *, cells: int = 3, weight: float | None = None) -> Images:
    """Every cell loses the same images and wins the same others."""
    first = np.ones(N, bool)
    first[lost : lost + won] = False
    second = np.ones(N, bool)
    second[:lost] = False
    return split([PairedCell("a", IDS, first, second, weight or 1 / cells) for _ in range(cells)])


@pytest.mark.parametrize(
    ("value", "limit", "at_most", "verdict", "sentence"),
    [
        (0.8, 0.8, True, Verdict.PASS, "mCE 0.8000 <= 0.8000"),
        (0.80001, 0.8, True, Verdict.BELOW_FLOOR, "mCE 0.80001 > 0.80000"),
        (0.9, 0.8, True, Verdict.BELOW_FLOOR, "mCE 0.9000 > 0.8000"),
        (0.7, 0.8, False, Verdict.BELOW_FLOOR, "mCE 0.7000 < 0.8000"),
        (0.8 - 0.7, 0.1, True, Verdict.PASS, "mCE 0.1000 <= 0.1000"),
        (1 - 0.9, 0.1, False, Verdict.PASS, "mCE 0.1000 >= 0.1000"),
        (None, 0.8, True, Verdict.INCONCLUSIVE, "mCE is undefined: why"),
    ],
)
def test_plain_limits(value, limit, at_most, verdict, sentence):
    held = bounded("mCE", value, limit, at_most=at_most, undefined="why")
    assert (held.verdict, held.sentence) == (verdict, sentence)


@pytest.mark.parametrize(
    ("gain", "bounds", "verdict"),
    [
        (0.02, (0.01, 0.03), Verdict.PASS),
        (0.02, (0.0, 0.04), Verdict.PASS),
        (0.02, (-0.001, 0.041), Verdict.INCONCLUSIVE),
        (0.0, (-0.01, 0.01), Verdict.INCONCLUSIVE),
        (-0.001, (-0.01, 0.008), Verdict.BELOW_FLOOR),
        (-0.02, (-0.03, -0.01), Verdict.BELOW_FLOOR),
    ],
)
def test_limits_within_an_interval(gain, bounds, verdict):
    held = bounded_surely("gain over a", gain, bounds, 0.0, at_most=False, alpha=0.01)
    assert held.verdict is verdict
    mirrored = (-bounds[1], -bounds[0])
    assert bounded_surely("loss to a", -gain, mirrored, 0.0, at_most=True, alpha=0.01).verdict is verdict


def test_sentences_of_an_interval():
    fail = bounded_surely("gain over a", -0.02, (-0.03, -0.01), 0.0, at_most=False, alpha=0.01)
    assert fail.sentence == "gain over a -2.00 pp < 0.00 pp (98% interval -3.00 pp to -1.00 pp)"
    unsure = bounded_surely("clean loss to a", 0.005, (-0.002, 0.012), 0.01, at_most=True, alpha=0.05)
    assert unsure.sentence == (
        "clean loss to a +0.50 pp (90% interval -0.20 pp to +1.20 pp) is not surely at most +1.00 pp"
    )
    assert bounded("rise", 0.01, 0.02, at_most=True, show=points).sentence == "rise +1.00 pp <= +2.00 pp"


def judged(images: Images, limit: float, *, firm: Images | None = None, family: int = 76, **gate: object) -> tuple:
    held = against_golden("mCE", 0.8, images, firm, limit, family=family, gate=Gate(**gate))
    return held.verdict, held.sentence


def test_a_significant_rise_over_the_limit_is_a_regression():
    # 20 images lost in every cell: p = 2^-21 < 0.01 / 76, however many cells show it
    assert judged(change(20, 0), 0.01) == (
        Verdict.REGRESSED,
        "mCE 0.8000, +0.0200 vs golden 0.7800 (allowed +0.0100, p=5e-7)",
    )
    assert judged(change(20, 0, cells=75), 0.01) == judged(change(20, 0), 0.01)


def test_cells_do_not_make_evidence():
    """Ten images lost in 75 cells are 750 lost pairs, and still ten images: 2^-11 is above 0.01 / 76."""
    verdict, sentence = judged(change(10, 0, cells=75), 0.005)
    assert verdict is Verdict.INCONCLUSIVE
    assert "(allowed +0.0050) is not significant (p=5e-4 > 0.00013): about " in sentence
    assert judged(change(10, 0, cells=75), 0.005, family=1)[0] is Verdict.REGRESSED
    # alpha/m to the last digit
    assert judged(change(10, 0), 0.005, family=1, alpha=0.5**11)[0] is Verdict.REGRESSED
    assert judged(change(10, 0), 0.005, family=1, alpha=math.nextafter(0.5**11, 0))[0] is Verdict.INCONCLUSIVE
    assert judged(change(10, 0), 0.005, family=0) == judged(change(10, 0), 0.005, family=1)


def test_a_limit_is_itself_allowed():
    assert judged(change(20, 0), 0.02)[0] is Verdict.PASS
    assert judged(change(20, 0), 0.0199999)[0] is Verdict.REGRESSED
    assert judged(change(60, 40), 0.02)[1] == "mCE 0.8000, +0.0200 vs golden 0.7800 (allowed +0.0200)"


def test_a_better_value_makes_the_golden_stale():
    assert judged(change(0, 20), 0.01) == (
        Verdict.IMPROVED,
        "mCE 0.8000, -0.0200 vs golden 0.8200 (p=5e-7): the golden is stale",
    )
    assert judged(change(0, 5), 0.01)[0] is Verdict.PASS
    # at alpha/m, as a regression
    assert judged(change(0, 8), 0.01)[0] is Verdict.PASS
    assert judged(change(0, 8), 0.01, family=1)[0] is Verdict.IMPROVED
    assert judged(change(0, 0), 0.0) == (Verdict.PASS, "mCE 0.8000, 0.0000 vs golden 0.8000 (allowed 0.0000)")


def test_near_ties_must_not_carry_the_verdict():
    assert judged(change(20, 0), 0.01, firm=change(19, 0))[0] is Verdict.REGRESSED
    verdict, sentence = judged(change(20, 0), 0.01, firm=change(9, 0))
    assert verdict is Verdict.INCONCLUSIVE
    assert sentence.endswith("(allowed +0.0100) rests on near ties: +0.0090 without them")
    # above the limit without them, but no longer significant
    assert judged(change(20, 0), 0.005, firm=change(11, 2))[0] is Verdict.INCONCLUSIVE
    assert judged(change(0, 20), 0.01, firm=change(0, 5))[0] is Verdict.PASS


def test_proof_is_asked_for_by_the_gate():
    images = change(30, 30)
    assert judged(images, 0.01)[0] is Verdict.PASS
    verdict, sentence = judged(images, 0.01, require="proven")
    assert verdict is Verdict.INCONCLUSIVE
    assert "is not proven: +0.01" in sentence
    assert judged(images, 0.03, require="proven")[0] is Verdict.PASS
    assert judged(change(0, 0), 0.01, firm=images, require="proven")[0] is Verdict.INCONCLUSIVE


def test_a_broad_small_loss_is_seen_by_the_aggregate_alone():
    """75 cells that each lose 12 and win 4 images, others in each: no cell is significant, their mean is."""
    rng = np.random.default_rng(4)
    cells, worst = [], 1.0
    for _ in range(75):
        first, second = np.ones(N, bool), np.ones(N, bool)
        chosen = rng.permutation(N)[:16]
        second[chosen[:12]] = False
        first[chosen[12:]] = False
        cells.append(PairedCell("a", IDS, first, second, 1 / 75))
        worst = min(worst, split(cells[-1:]).p_worse())
    assert worst > 0.01 / 76
    verdict, sentence = judged(split(cells), 0.005)
    assert verdict is Verdict.REGRESSED
    assert "+0.0080 vs golden" in sentence
