"""Known answers: on a linear classifier the least perturbation has a closed form in every norm.

The gap of class 0 to class j is ``(w_0 - w_j) x + b``; it takes gap / |w_0 - w_j| to close it, in the dual norm.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pytest_robust.attacks import (
    CarliniWagner,
    Clever,
    ElasticNet,
    FastGradient,
    OptimalBudget,
    ProjectedGradient,
    clever,
    other_classes,
)
from pytest_robust.attacks.norms import Norm, size
from tests.attacks.linear import dual, linear, problem, weights

NORMS: tuple[Norm, ...] = ("linf", "l2", "l1")
MARGIN = 0.3


def least(norm: str, seed: int = 0) -> float:
    matrix = weights(linear(seed=seed))
    return MARGIN / dual(matrix[0] - matrix[1], norm)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_one_step_succeeds_from_the_closed_form_on(norm: Norm) -> None:
    for factor, reached in ((0.999, False), (1.001, True)):
        found = FastGradient(factor * least(norm), norm)(problem(linear()))
        assert found.reached.tolist() == [reached]


def test_one_step_along_the_l1_normalised_gradient() -> None:
    slope = np.diff(weights(linear()), axis=0)[0]
    needed = MARGIN * np.abs(slope).sum() / (slope**2).sum()
    for factor, reached in ((0.999, False), (1.001, True)):
        assert FastGradient(factor * needed, "l1")(problem(linear())).reached.tolist() == [reached]


def test_the_logit_objective_climbs_the_own_logit_alone() -> None:
    own = weights(linear())[0]
    found = FastGradient(0.1, "l2", "logit")(problem(linear()))
    moved = (found.pixels - 0.5).flatten().double().numpy()
    np.testing.assert_allclose(moved, -0.1 * own / np.linalg.norm(own), atol=1e-6)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("random_start", [False, True])
@pytest.mark.parametrize("projection", ["nearest", "rescale"])
def test_projected_steps_succeed_from_the_closed_form_on(norm: Norm, random_start: bool, projection: str) -> None:
    for factor, reached in ((0.999, False), (1.01, True)):
        radius = factor * least(norm)
        attack = ProjectedGradient(radius, norm, 60, radius / 10, random_start=random_start, projection=projection)
        found = attack(problem(linear()))
        assert found.reached.tolist() == [reached]
        assert float(size(found.pixels - 0.5, norm)) <= radius * (1 + 1e-5)


def test_the_euclidean_l1_projection_makes_steps_sparse_and_so_better() -> None:
    radius = 1.05 * least("l1")
    rescaled = ProjectedGradient(radius, "l1", 400, radius, projection="rescale")(problem(linear()))
    nearest = ProjectedGradient(radius, "l1", 400, radius)(problem(linear()))
    assert not rescaled.reached.any()
    assert nearest.reached.all()
    assert float(size(nearest.pixels - 0.5, "l1")) <= radius * (1 + 1e-5)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_optimal_budget_closes_in_on_the_closed_form(norm: Norm) -> None:
    found = OptimalBudget(ProjectedGradient(least(norm) * 3, norm), attempts=12)(problem(linear()))
    assert least(norm) <= float(size(found.pixels - 0.5, norm)) <= 1.01 * least(norm)


def test_carlini_and_wagner_find_the_least_l2_distortion() -> None:
    found = CarliniWagner(iterations=200, learning_rate=0.01)(problem(linear(classes=4), 3))
    matrix = weights(linear(classes=4))
    nearest = min(MARGIN * j / dual(matrix[0] - matrix[j], "l2") for j in (1, 2, 3))
    assert found.reached.all()
    sizes = size(found.pixels - 0.5, "l2").numpy()
    assert (sizes >= nearest * (1 - 1e-5)).all()
    assert (sizes <= nearest * 1.02).all()


def test_carlini_and_wagner_with_confidence_and_a_target() -> None:
    matrix, target, confidence = weights(linear(classes=4)), 3, 0.5
    attack = CarliniWagner(confidence, iterations=300, learning_rate=0.01)
    victim = linear(classes=4)
    found = attack(problem(victim, target=target))
    with torch.no_grad():
        scores = victim(found.pixels)[0]
    lead = float(scores[target] - scores[:target].max())
    assert confidence < lead < confidence * 1.1
    bound = (3 * MARGIN + confidence) / dual(matrix[0] - matrix[target], "l2")
    assert float(size(found.pixels - 0.5, "l2")) >= bound * (1 - 1e-5)


def test_the_elastic_net_is_nearly_as_small_as_an_l1_distortion_can_be() -> None:
    found = ElasticNet(beta=1e-3, iterations=400, learning_rate=0.01)(problem(linear()))
    other = CarliniWagner(iterations=200, learning_rate=0.01)(problem(linear()))
    sizes = [float(size(one.pixels - 0.5, "l1")) for one in (found, other)]
    assert found.reached.all()
    assert least("l1") <= sizes[0] <= 1.2 * least("l1")
    assert sizes[1] > 2 * least("l1")


@pytest.mark.parametrize("norm", NORMS)
def test_clever_is_the_exact_distance_to_every_class_and_to_the_nearest(norm: Norm) -> None:
    victim, canvases, labels = linear(classes=5), np.full((2, 4, 4, 3), 128, np.uint8), np.zeros(2, np.int64)
    with torch.no_grad():
        scores = victim(torch.full((1, 3, 4, 4), 128 / 255))[0].double().numpy()
    matrix = weights(victim)
    exact = [(scores[0] - scores[j]) / dual(matrix[0] - matrix[j], norm) for j in range(1, 5)]
    config = Clever(norm, batches=6, points=5, radius=100.0)
    made = clever(config, victim, canvases, labels, ("a", "b"), other_classes(labels, 5))
    np.testing.assert_allclose(made.scores, [exact, exact], rtol=1e-4)
    np.testing.assert_allclose(made.untargeted, min(exact), rtol=1e-4)
    assert not made.fitted.any()
    capped = clever(Clever(norm, 2, 3, min(exact) / 2), victim, canvases, labels, ("a", "b"), other_classes(labels, 5))
    assert (capped.scores == min(exact) / 2).all()
