"""What holds for every attack on a real trained network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pytest_robust.attacks import (
    CarliniWagner,
    ElasticNet,
    FastGradient,
    GradientAttack,
    OptimalBudget,
    ProjectedGradient,
    Samples,
    confirm,
    craft,
)
from pytest_robust.attacks.budget import following
from pytest_robust.attacks.norms import projected, rescaled, size, unit
from tests.attacks.conftest import Source

ATTACKS: dict[str, GradientAttack] = {
    "fgsm": FastGradient(0.1),
    "fgsm_l2": FastGradient(2.0, "l2"),
    "fgsm_l1": FastGradient(30.0, "l1", "logit"),
    "pgd": ProjectedGradient(0.05, iterations=5, random_start=True),
    "pgd_l2": ProjectedGradient(1.5, "l2", 5, 0.5, random_start=True),
    "pgd_l1": ProjectedGradient(30.0, "l1", 5, 10.0, random_start=True),
    "i_fgsm_l2": ProjectedGradient(1.5, "l2", 5, projection="rescale"),
    "budget": OptimalBudget(ProjectedGradient(0.05, iterations=3), attempts=4),
    "cw": CarliniWagner(iterations=25, learning_rate=0.05, search_steps=3, initial_constant=1),
    "ead": ElasticNet(iterations=25, learning_rate=0.05, search_steps=3, initial_constant=1),
}
BUDGETS = {name: one for name, one in ATTACKS.items() if isinstance(one, FastGradient | ProjectedGradient)}


def part(samples: Samples, rows: Any) -> Samples:
    return Samples(
        samples.canvases[rows], samples.labels[rows], samples.predicted[rows], tuple(np.array(samples.ids)[rows])
    )


@pytest.mark.parametrize("name", ATTACKS)
def test_a_sample_does_not_depend_on_its_batch(digits: Source, name: str) -> None:
    """Convolutions of other batch sizes differ in last bits, which a sign may make a grey level of a pixel."""
    samples = part(digits.samples, slice(0, 9))
    whole = craft(ATTACKS[name], digits.victim, samples)
    rows = np.array([7, 2, 5])
    alone = craft(ATTACKS[name], digits.victim, part(samples, rows))
    assert alone.attacked.tolist() == whole.attacked[rows].tolist()
    assert alone.reached.tolist() == whole.reached[rows].tolist()
    assert np.mean(alone.canvases != whole.canvases[rows]) < 0.01
    again = craft(ATTACKS[name], digits.victim, samples)
    assert np.array_equal(again.canvases, whole.canvases)


@pytest.mark.parametrize("name", BUDGETS)
def test_the_canvas_keeps_the_budget(digits: Source, name: str) -> None:
    attack, samples = BUDGETS[name], digits.samples
    made = confirm(digits.predict, craft(attack, digits.victim, samples), samples)
    assert made.success.any()
    assert np.nanmax(made.distortions[attack.norm]) <= attack.epsilon * (1 + 1e-6)
    # the budget is used, and not lost to rounding
    assert np.nanmedian(made.distortions[attack.norm]) >= 0.9 * attack.epsilon


@pytest.mark.parametrize("name", BUDGETS)
def test_epsilon_0_is_the_identity(digits: Source, name: str) -> None:
    attack = replace(BUDGETS[name], epsilon=0.0)
    crafted = craft(attack, digits.victim, digits.samples)
    assert np.array_equal(crafted.canvases, digits.samples.canvases)
    made = confirm(digits.predict, crafted, digits.samples)
    assert made.attacked.any()
    assert not made.success.any()
    assert all(np.isnan(values).all() for values in made.distortions.values())


def test_random_starts_are_the_samples_own_and_the_seeds(digits: Source) -> None:
    attack = ProjectedGradient(0.1, iterations=1, step=1e-6, random_start=True)
    first, other = (craft(attack, digits.victim, digits.samples, seed=seed).canvases for seed in (0, 1))
    assert np.mean(first != other) > 0.5
    same = Samples(*(np.repeat(one[:1], 2, 0) for one in astuple(digits.samples)), ("a", "b"))
    made = craft(attack, digits.victim, same).canvases
    assert np.mean(made[0] != made[1]) > 0.5


def astuple(samples: Samples) -> tuple[Any, ...]:
    return samples.canvases, samples.labels, samples.predicted


def test_stopping_early_changes_no_success_and_asks_less(digits: Source) -> None:
    attack = ProjectedGradient(0.1, iterations=12, step=0.02)
    full = craft(attack, digits.victim, digits.samples)
    early = craft(replace(attack, stop_early=True), digits.victim, digits.samples)
    assert early.reached.tolist() == full.reached.tolist()
    assert early.queries.sum() < 0.8 * full.queries.sum()
    assert full.queries[full.attacked].tolist() == [13] * int(full.attacked.sum())
    changes = [np.abs(one.canvases.astype(int) - digits.samples.canvases).sum() for one in (early, full)]
    assert changes[0] < changes[1]


def test_a_target_is_reached_and_nothing_else_counts(digits: Source) -> None:
    samples = replace(digits.samples, targets=(digits.samples.labels + 3) % 10)
    made = confirm(digits.predict, craft(ProjectedGradient(0.3, iterations=20), digits.victim, samples), samples)
    assert made.success.sum() > made.attacked.sum() / 2
    assert np.array_equal(made.success, made.attacked & (made.predicted == samples.targets))


def test_confidence_leads_further(digits: Source) -> None:
    samples = part(digits.samples, slice(0, 6))
    attack = CarliniWagner(iterations=40, learning_rate=0.05, search_steps=3, initial_constant=1)
    sizes = [
        np.nanmean(confirm(digits.predict, craft(one, digits.victim, samples), samples).distortions["l2"])
        for one in (attack, replace(attack, confidence=3.0))
    ]
    assert sizes[1] > 1.1 * sizes[0]


def test_aborting_early_saves_work_and_not_success(digits: Source) -> None:
    samples = part(digits.samples, slice(0, 4))
    attack = CarliniWagner(iterations=80, learning_rate=0.1, search_steps=3, initial_constant=1)
    short = craft(attack, digits.victim, samples)
    long = craft(replace(attack, abort_early=False), digits.victim, samples)
    assert short.reached.tolist() == long.reached.tolist()
    assert (long.queries[long.attacked] == 240).all()
    assert (short.queries[short.attacked] < 240).any()
    assert len(set(short.queries[short.attacked].tolist())) > 1, "each sample stops for itself"


def test_the_budget_rule_by_hand() -> None:
    nan = torch.nan
    cases = [(0.02, True, 0.02, nan, 0.01), (0.02, False, nan, 0.02, 0.04), (0.02, True, 0.02, 0.01, 0.015)]
    cases.append((0.02, False, 0.04, 0.02, 0.03))
    columns = [torch.tensor(one) for one in zip(*cases, strict=True)]
    assert following(*columns[:4]).tolist() == pytest.approx(columns[4].tolist())


@settings(deadline=None, max_examples=60)
@given(arrays(np.float64, (1, 1, 3, 4), elements=st.floats(-2, 2)), st.floats(0.01, 5))
def test_the_l1_projection_is_the_nearest_point(values: Any, radius: float) -> None:
    delta, bound = torch.from_numpy(values), torch.tensor([radius], dtype=torch.float64)
    nearest = projected(delta, "l1", bound)
    assert float(size(nearest, "l1")) <= radius * (1 + 1e-9)
    # Of a nearest point of a convex set the rest makes an obtuse angle with the way to every other point.
    rest = (delta - nearest).flatten()
    for corner in (*torch.eye(12, dtype=torch.float64), *-torch.eye(12, dtype=torch.float64)):
        assert float(rest @ (radius * corner - nearest.flatten())) <= 1e-9


@settings(deadline=None, max_examples=30)
@given(arrays(np.float64, (2, 1, 2, 3), elements=st.floats(-2, 2).filter(lambda x: x == 0 or abs(x) > 1e-3)))
def test_projections_and_steps_have_their_size(values: Any) -> None:
    delta, radius = torch.from_numpy(values), torch.tensor([0.5, 1.5], dtype=torch.float64)
    for norm in ("l2", "l1"):
        moves = (size(delta, norm) > 0).double()
        np.testing.assert_allclose(size(rescaled(delta, norm, radius), norm), moves * radius)
        np.testing.assert_allclose(size(unit(delta * 1e-25, norm), norm), moves, rtol=1e-6)
        np.testing.assert_allclose(
            size(projected(delta, norm, radius), norm), torch.minimum(size(delta, norm), radius), rtol=1e-6, atol=1e-12
        )
