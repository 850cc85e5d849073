"""Foolbox as the oracle: the same torch twin, images, budgets and steps; ours must not be weaker.

Foolbox judges images before rounding, so what it says is compared with what ours say before rounding. Its steps are
given as numbers here: its own default of epsilon / 30 is meant for 40 steps.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from pytest_robust.attacks import CarliniWagner, ElasticNet, FastGradient, GradientAttack, ProjectedGradient, Samples
from pytest_robust.attacks.goal import Found, Goal, Problem
from pytest_robust.attacks.norms import Norm, size
from pytest_robust.attacks.victim import as_pixels
from pytest_robust.shifts.rng import Stream
from tests.attacks.conftest import Source

ONE = 1.001 / 24
"""One image of difference in a success rate."""


@pytest.fixture(scope="module")
def foolbox() -> Any:
    with warnings.catch_warnings():
        # it still imports what scipy and GitPython deprecate
        warnings.simplefilter("ignore")
        return pytest.importorskip("foolbox", reason="no oracle: pip install foolbox")


@dataclass(frozen=True)
class Result:
    """Success per image, and the distance of each success."""

    reached: torch.Tensor
    distances: torch.Tensor

    @property
    def rate(self) -> float:
        return float(self.reached.float().mean())

    @property
    def median(self) -> float:
        return float(self.distances[self.reached].median())


def batch(source: Source, count: int) -> tuple[torch.Tensor, torch.Tensor, Samples]:
    rows = np.flatnonzero(source.samples.attacked)[:count]
    labels = torch.from_numpy(source.samples.labels[rows])
    return as_pixels(source.samples.canvases[rows]), labels, source.samples


def ours(source: Source, attack: GradientAttack, norm: Norm, count: int, target: int = 0) -> Result:
    pixels, labels, _ = batch(source, count)
    bits = tuple(Stream(0, "attack", {}, str(i)) for i in range(len(pixels)))
    goal = Goal((labels + target) % 10, bool(target))
    found: Found = attack(Problem(source.victim, pixels, goal, bits))
    assert bool((found.pixels >= 0).all() & (found.pixels <= 1).all())
    assert torch.equal(found.reached, Problem(source.victim, pixels, goal, bits).reached(found.pixels))
    return Result(found.reached, size(found.pixels - pixels, norm))


def theirs(
    foolbox: Any, source: Source, attack: Any, epsilon: float | None, norm: Norm, count: int, target: int = 0
) -> Result:
    pixels, labels, _ = batch(source, count)
    model = foolbox.PyTorchModel(source.victim, bounds=(0, 1), device="cpu")
    kind = foolbox.criteria.TargetedMisclassification if target else foolbox.criteria.Misclassification
    _, made, reached = attack(model, pixels, kind((labels + target) % 10), epsilons=epsilon)
    return Result(reached, size(made - pixels, norm))


@pytest.mark.parametrize(
    ("norm", "epsilon", "name"),
    [
        *(("linf", epsilon, "LinfFastGradientAttack") for epsilon in (0.03, 0.1, 0.2)),
        *(("l2", epsilon, "L2FastGradientAttack") for epsilon in (1.0, 3.0)),
        ("l1", 60.0, "L1FastGradientAttack"),
    ],
)
def test_one_step_is_the_same_step(foolbox: Any, digits: Source, norm: Norm, epsilon: float, name: str) -> None:
    mine = ours(digits, FastGradient(epsilon, norm), norm, 24)
    other = theirs(foolbox, digits, getattr(foolbox.attacks, name)(), epsilon, norm, 24)
    assert torch.equal(mine.reached, other.reached)
    # the clip to [0, 1] of a digit's black ground halves most of a step, the same half in both
    torch.testing.assert_close(mine.distances, other.distances, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("norm", "epsilon", "name"),
    [
        *(("linf", epsilon, "LinfPGD") for epsilon in (0.03, 0.06)),
        *(("l2", epsilon, "L2PGD") for epsilon in (1.0, 1.5)),
        ("l1", 40.0, "L1PGD"),
    ],
)
@pytest.mark.parametrize("target", [0, 3])
def test_projected_steps_are_not_weaker(
    foolbox: Any, digits: Source, norm: Norm, epsilon: float, name: str, target: int
) -> None:
    attack = ProjectedGradient(epsilon * (1 + (target > 0)), norm, 10, epsilon / 5)
    oracle = getattr(foolbox.attacks, name)(steps=10, abs_stepsize=epsilon / 5, random_start=False)
    mine = ours(digits, attack, norm, 24, target)
    other = theirs(foolbox, digits, oracle, attack.epsilon, norm, 24, target)
    assert mine.rate >= other.rate - ONE
    if norm != "l1":  # there foolbox scales onto the ball, and the nearest point is sparser and stronger
        assert mine.rate <= other.rate + 3 * ONE
    assert float(mine.distances.max()) <= attack.epsilon * (1 + 1e-5)


@pytest.mark.parametrize("target", [0, 3])
def test_carlini_and_wagner_are_the_same(foolbox: Any, digits: Source, target: int) -> None:
    """Without early aborts, by which Foolbox stops whole batches, every image ends in the same place."""
    oracle = foolbox.attacks.L2CarliniWagnerAttack(
        binary_search_steps=4, steps=40, stepsize=0.05, initial_const=0.1, abort_early=False
    )
    mine = ours(digits, CarliniWagner(0.0, 40, 0.05, 4, 0.1, abort_early=False), "l2", 8, target)
    other = theirs(foolbox, digits, oracle, None, "l2", 8, target)
    assert mine.rate > 0.9
    assert torch.equal(mine.reached, other.reached)
    assert mine.median == pytest.approx(other.median, rel=5e-3)
    torch.testing.assert_close(mine.distances, other.distances, rtol=0.05, atol=0)


def test_the_elastic_net_is_the_same(foolbox: Any, digits: Source) -> None:
    oracle = foolbox.attacks.EADAttack(
        binary_search_steps=4, steps=40, initial_stepsize=0.05, initial_const=0.1, regularization=0.01,
        decision_rule="L1", abort_early=False,
    )  # fmt: skip
    mine = ours(digits, ElasticNet(0.0, 40, 0.05, 4, 0.1, abort_early=False, beta=0.01), "l1", 8)
    other = theirs(foolbox, digits, oracle, None, "l1", 8)
    assert mine.rate > 0.9
    assert torch.equal(mine.reached, other.reached)
    assert mine.median == pytest.approx(other.median, rel=5e-3)
    torch.testing.assert_close(mine.distances, other.distances, rtol=0.05, atol=0)


@pytest.mark.parametrize(
    ("search_steps", "steps", "rate", "constant"), [(3, 60, 0.05, 1.0), (4, 30, 0.03, 0.1), (3, 25, 0.03, 1.0)]
)
def test_with_early_aborts_ours_is_not_weaker(
    foolbox: Any, digits: Source, search_steps: int, steps: int, rate: float, constant: float
) -> None:
    oracle = foolbox.attacks.L2CarliniWagnerAttack(
        binary_search_steps=search_steps, steps=steps, stepsize=rate, initial_const=constant
    )
    mine = ours(digits, CarliniWagner(0.0, steps, rate, search_steps, constant), "l2", 8)
    other = theirs(foolbox, digits, oracle, None, "l2", 8)
    assert mine.rate >= other.rate
    assert mine.median <= 1.02 * other.median
