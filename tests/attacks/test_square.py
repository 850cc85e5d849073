"""The square attack: inside its budget on whole grey levels, honest about its queries, better than its start."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_robust.attacks import Samples, Square, black_box, confirm, craft_by_queries
from pytest_robust.attacks.norms import Norm
from pytest_robust.attacks.square_moves import Patches, bumps
from pytest_robust.errors import RobustError
from pytest_robust.shifts.rng import Stream
from tests.attacks.conftest import Source

BUDGET: dict[Norm, float] = {"linf": 0.15, "l2": 4.5}
NORMS: tuple[Norm, ...] = ("linf", "l2")


class Counting:
    """Counts what a black box is asked, and holds every question to the budget."""

    def __init__(self, source: Source, norm: Norm) -> None:
        self.logits = black_box(source.model)
        self.norm = norm
        self.source = source
        self.asked = 0

    def __call__(self, canvases: NDArray[np.uint8]) -> Any:
        assert canvases.dtype == np.uint8
        self.asked += len(canvases)
        return self.logits(canvases)


@pytest.mark.parametrize("norm", NORMS)
def test_it_succeeds_within_its_budget_and_counts_its_queries(digits: Source, norm: Norm) -> None:
    box = Counting(digits, norm)
    crafted = craft_by_queries(Square(BUDGET[norm], norm, queries=250), box, digits.samples)
    made = confirm(digits.predict, crafted, digits.samples)
    assert made.success.sum() >= made.attacked.sum() / 3
    assert np.array_equal(made.success, crafted.reached), "ONNX Runtime is what it asked"
    assert np.nanmax(made.distortions[norm]) <= BUDGET[norm] * (1 + 1e-6)
    assert np.nanmin(made.distortions[norm]) >= 0.4 * BUDGET[norm]
    assert made.queries.sum() == box.asked
    assert (made.queries[crafted.attacked & ~crafted.reached] == 250).all()
    assert made.queries[crafted.reached].min() < 250


@pytest.mark.parametrize("norm", NORMS)
def test_a_sample_does_not_depend_on_its_batch(digits: Source, norm: Norm) -> None:
    attack, samples = Square(BUDGET[norm], norm, queries=40), digits.samples
    whole = craft_by_queries(attack, black_box(digits.model), samples, seed=3)
    rows = np.array([9, 4])
    some = Samples(
        samples.canvases[rows], samples.labels[rows], samples.predicted[rows], (samples.ids[9], samples.ids[4])
    )
    alone = craft_by_queries(attack, black_box(digits.model), some, seed=3)
    assert np.array_equal(alone.canvases, whole.canvases[rows])
    assert alone.queries.tolist() == whole.queries[rows].tolist()
    other = craft_by_queries(attack, black_box(digits.model), samples, seed=4)
    assert not np.array_equal(other.canvases, whole.canvases)


@pytest.mark.parametrize("norm", NORMS)
def test_more_queries_never_lose(digits: Source, norm: Norm) -> None:
    """The gap of the kept canvas only falls: with a goal out of reach it is lower after more queries."""
    attack = Square(BUDGET[norm] / 4, norm, queries=60)
    gaps = []

    def logits(canvases: NDArray[np.uint8]) -> NDArray[np.float32]:
        scores = black_box(digits.model)(canvases)
        own = scores[np.arange(len(scores)), digits.samples.labels[: len(scores)]]
        rest = scores.copy()
        rest[np.arange(len(scores)), digits.samples.labels[: len(scores)]] = -np.inf
        gaps.append(own - rest.max(axis=1))
        return scores + 100 * np.eye(10, dtype=np.float32)[digits.samples.labels[: len(scores)]]

    few = Samples(
        digits.samples.canvases[:4], digits.samples.labels[:4], digits.samples.labels[:4], digits.samples.ids[:4]
    )
    made = craft_by_queries(attack, logits, few)
    assert not made.reached.any()
    first = gaps[0]
    logits(made.canvases)
    assert (gaps[-1] <= np.min(gaps[:-1], axis=0)).all()
    assert (gaps[-1] < first).all()


def test_a_target(digits: Source) -> None:
    samples = replace(digits.samples, targets=(digits.samples.labels + 1) % 10)
    made = confirm(digits.predict, craft_by_queries(Square(0.4, queries=80), black_box(digits.model), samples), samples)
    assert made.success.any()
    assert (made.predicted[made.success] == samples.targets[made.success]).all()


def refusing(canvases: NDArray[np.uint8]) -> NDArray[np.float32]:
    raise AssertionError("the model was asked")


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("epsilon", [0.0, 0.9 / 255])
def test_less_than_a_grey_level_is_the_identity(digits: Source, norm: Norm, epsilon: float) -> None:
    made = craft_by_queries(Square(epsilon, norm), refusing, digits.samples)
    assert np.array_equal(made.canvases, digits.samples.canvases)
    assert made.attacked.any()
    assert not made.reached.any()
    assert not made.queries.any()


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        (Square(1.1), "the linf epsilon 1.1 is outside 0 to 1"),
        (Square(1.0, "l1"), "does not know the norm 'l1'"),
        (Square(0.1, queries=0), "0 queries"),
        (Square(0.1, initial_share=1.5), "initial share 1.5"),
    ],
)
def test_parameters_that_mean_nothing(digits: Source, attack: Square, words: str) -> None:
    with pytest.raises(RobustError, match=words):
        craft_by_queries(attack, refusing, digits.samples)


def test_an_l2_move_takes_its_budget_from_another_square() -> None:
    canvas = np.full((20, 20, 3), 128, np.uint8)
    moves = Patches(canvas, 3.0, Stream(0, "attack", {}, "a"), 9)
    first = moves.propose(0, 7)
    assert (first != canvas).any(axis=2).mean() > 0.95
    for query in range(1, 9):
        emptied = (moves.propose(query, 7) == canvas).all(axis=2) & (first != canvas).any(axis=2)
        assert emptied.any(), "a square became clean"
        assert emptied.sum() <= 49


def test_bumps_are_opposed_and_of_size_one() -> None:
    for side in (3, 5, 8):
        made = bumps(side, False)
        assert np.square(made).sum() == pytest.approx(1)
        assert (made[: side // 2] > 0).all()
        assert (made[side // 2 :] < 0).all()
        assert np.array_equal(bumps(side, True), made.T)
    # a 4 x 8 bump: four rings around the middle, weights 1, 1/4, 1/9, 1/16, 1/25 added up inwards
    first = bumps(8, False)[:4]
    assert first[2, 4] / first[2, 0] == pytest.approx((1 + 1 / 4 + 1 / 9 + 1 / 16 + 1 / 25) / (1 / 25))
