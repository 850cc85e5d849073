"""What is asked wrongly, and batches on which there is nothing to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import helper
from torch import nn

from pytest_robust.attacks import (
    CarliniWagner,
    Clever,
    ElasticNet,
    FastGradient,
    GradientAttack,
    OptimalBudget,
    ProjectedGradient,
    Samples,
    Victim,
    clever,
    confirm,
    craft,
    open_victim,
    other_classes,
)
from pytest_robust.attacks.norms import Norm
from pytest_robust.attacks.victim import as_pixels
from pytest_robust.errors import RobustError
from pytest_robust.spec.plan import Preprocess
from tests.attacks.conftest import Source
from tests.attacks.linear import linear
from tests.gradients.oracle import write
from tests.models.opening import plan_of

FAST = CarliniWagner(iterations=2, search_steps=1)
EVERY: list[GradientAttack] = [
    FastGradient(0.1),
    ProjectedGradient(0.1),
    OptimalBudget(ProjectedGradient(0.1)),
    FAST,
    ElasticNet(iterations=2, search_steps=1),
]


def greys(labels: list[int], targets: list[int] | None = None, predicted: int = 0) -> Samples:
    count = len(labels)
    return Samples(
        np.full((count, 4, 4, 3), 128, np.uint8),
        np.array(labels),
        np.full(count, predicted),
        tuple(map(str, range(count))),
        None if targets is None else np.array(targets),
    )


class Refusing(nn.Module):
    """A classifier that must not be asked."""

    def forward(self, pixels: Any) -> Any:
        raise AssertionError("the model was asked")


@pytest.mark.parametrize("attack", EVERY, ids=lambda one: one.name)
def test_a_source_that_has_everything_wrong_is_not_attacked(attack: GradientAttack) -> None:
    samples = greys([1, 1, 2], predicted=0)
    crafted = craft(attack, Victim(Refusing(), Preprocess()), samples)
    made = confirm(Refusing(), crafted, samples)
    assert not made.attacked.any()
    assert not made.success.any()
    assert not made.queries.any()
    assert np.array_equal(made.canvases, samples.canvases)
    assert all(np.isnan(values).all() for values in made.distortions.values())


@pytest.mark.parametrize("attack", EVERY, ids=lambda one: one.name)
def test_a_target_that_is_the_label_is_skipped(attack: GradientAttack) -> None:
    samples = greys([0, 0, 1], targets=[0, 1, 0])
    assert craft(attack, linear(classes=3), samples).attacked.tolist() == [False, True, False]


@pytest.mark.parametrize(("norm", "most"), [("linf", 1.0), ("l2", 48**0.5), ("l1", 48.0)], ids=["linf", "l2", "l1"])
def test_an_epsilon_no_image_can_be_moved_by(norm: Norm, most: float) -> None:
    makers: list[Callable[[float], GradientAttack]] = [
        lambda epsilon: FastGradient(epsilon, norm),
        lambda epsilon: ProjectedGradient(epsilon, norm),
        lambda epsilon: OptimalBudget(ProjectedGradient(epsilon, norm)),
    ]
    for make in makers:
        craft(make(most), linear(), greys([0]))
        for wrong in (most * 1.01, -0.1, np.nan, 8.0 * 48):
            with pytest.raises(RobustError, match=rf"the {norm} epsilon .* is outside 0 to .*share of 255"):
                craft(make(wrong), linear(), greys([0]))


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        (FastGradient(0.1, "l7"), "the norm 'l7' is unknown"),  # type: ignore[arg-type]
        (ProjectedGradient(0.1, "l0"), "the norm 'l0' is unknown"),  # type: ignore[arg-type]
        (ProjectedGradient(0.1, iterations=0), "0 iterations"),
        (ProjectedGradient(0.1, step=0.0), "the step 0.0"),
        (OptimalBudget(ProjectedGradient(0.0)), "from epsilon 0: both must be positive"),
        (OptimalBudget(ProjectedGradient(0.1), attempts=0), "0 attempts"),
        (replace(FAST, search_steps=0), "0 steps"),
        (replace(FAST, initial_constant=0.0), "from 0: both"),
        (ElasticNet(search_steps=0), "0 steps"),
    ],
)
def test_parameters_that_mean_nothing(attack: GradientAttack, words: str) -> None:
    with pytest.raises(RobustError, match=words):
        craft(attack, linear(), greys([0]))


@pytest.mark.parametrize("attack", EVERY, ids=lambda one: one.name)
def test_a_graph_that_lets_no_gradient_through(tmp_path: Path, attack: GradientAttack) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("ArgMax", ["mean"], ["top"], axis=1, keepdims=1),
        helper.make_node("Cast", ["top"], ["number"], to=1),
        helper.make_node("MatMul", ["number", "row"], ["y"]),
    ]
    path = write(tmp_path / "m.onnx", nodes, ("N", 3, "H", "W"), {"row": np.ones((1, 2), np.float32)}, opset=13)
    victim = open_victim(plan_of(path))
    with pytest.raises(RobustError, match="does not depend on the image by differentiable operators"):
        craft(attack, victim, greys([0]))


def test_gradients_that_are_no_numbers() -> None:
    class Broken(nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            means = pixels.mean((2, 3))
            return means + 0 * torch.sqrt(means - means.detach())

    with pytest.raises(RobustError, match="gradients that are no finite numbers"):
        craft(ProjectedGradient(0.1), Victim(Broken(), Preprocess()), greys([0]))


def test_a_label_without_an_output() -> None:
    for samples in (greys([5], predicted=5), greys([0], targets=[9])):
        with pytest.raises(RobustError, match=r"aims at output \d of a model with 2"):
            craft(FastGradient(0.1), linear(), samples)


def test_outputs_before_the_first_class() -> None:
    """Class 0 is output 1, which is the second largest: moved up it would win, and it must not be."""
    victim = linear(classes=3)
    victim.offset = 1
    samples = replace(greys([0]), canvases=np.full((1, 4, 4, 3), 128, np.uint8), targets=np.array([1]))
    made = craft(FastGradient(0.05), victim, samples)
    with torch.no_grad():
        scores = victim(as_pixels(made.canvases))
    assert made.reached.tolist() == [True]
    assert int(scores.argmax()) == 2


def test_a_batch_whose_parts_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"lengths \[1, 2\]"):
        replace(greys([0, 0]), ids=("a",))


@pytest.mark.parametrize(
    "config",
    [Clever("l3"), Clever(batches=0), Clever(points=0), Clever(radius=0.0)],  # type: ignore[arg-type]
)
def test_clever_of_nothing(config: Clever) -> None:
    with pytest.raises(RobustError):
        clever(config, linear(), greys([0]).canvases, np.array([0]), ("a",), np.array([[1]]))


def test_clever_of_wrong_images_and_own_targets_is_undefined() -> None:
    victim, labels = linear(classes=3), np.array([0, 1])
    made = clever(
        Clever(batches=2, points=3), victim, greys([0, 1]).canvases, labels, ("a", "b"), np.array([[0, 1]] * 2)
    )
    assert np.isnan(made.scores).tolist() == [[True, False], [True, True]]
    assert np.isnan(made.untargeted).tolist() == [False, True]
    assert other_classes(np.array([0, 1, 2]), 3).tolist() == [[1, 2], [0, 2], [0, 1]]


def test_confirming_needs_no_model_where_nothing_was_attacked(digits: Source) -> None:
    samples = replace(digits.samples, predicted=digits.samples.labels + 1)
    made = confirm(Refusing(), craft(FAST, digits.victim, samples), samples)
    assert not made.success.any()
