"""From floats to canvases: budgets that survive rounding, and successes that only ONNX Runtime grants."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from pytest_robust.attacks import CarliniWagner, Crafted, ElasticNet, ProjectedGradient, Samples, confirm, craft
from pytest_robust.attacks.norms import Norm
from pytest_robust.attacks.rounding import levels, most_levels, within
from pytest_robust.metrics.distortion import sizes
from tests.attacks.conftest import Source


@settings(deadline=None, max_examples=80)
@given(
    arrays(np.uint8, (2, 2, 3, 3)),
    arrays(np.float32, (2, 2, 3, 3), elements=st.floats(-1, 1, width=32)),
    st.sampled_from(["linf", "l2", "l1"]),
    st.floats(0, 1),
)
def test_a_rounded_perturbation_stays_inside(clean: Any, change: Any, norm: Norm, epsilon: float) -> None:
    order = {"linf": np.inf, "l2": 2, "l1": 1}[norm]
    length = np.linalg.norm(change.reshape(2, -1).astype(np.float64), order, axis=1)
    change = change * np.minimum(1, epsilon / np.maximum(length, 1e-12))[:, None, None, None]
    made = within(clean, change.astype(np.float32), norm, epsilon)
    assert (sizes(clean, made)[norm] <= epsilon * (1 + 2e-6)).all()
    if epsilon == 0:
        assert np.array_equal(made, clean)


def test_levels_of_the_survey_and_of_today() -> None:
    assert most_levels(0.1) == 25, "25.5 levels are 25 whole ones"
    assert [most_levels(np.float32(k / 255)) for k in range(256)] == list(range(256))
    clean = np.full((1, 1, 2, 3), 100, np.uint8)
    change = np.array([8, -8, 7.6, 0.4, 0.6, -200]).reshape(1, 1, 2, 3).astype(np.float32) / 255
    assert within(clean, change, "linf", 8 / 255).ravel().tolist() == [108, 92, 108, 100, 101, 92]
    assert levels(clean, change).ravel().tolist() == [108, 92, 108, 100, 101, 0]


def test_an_l2_budget_is_not_wasted_by_rounding() -> None:
    random = np.random.default_rng(0)
    clean = random.integers(60, 196, (4, 32, 32, 3), np.uint8)
    change = random.normal(size=clean.shape).astype(np.float32)
    change *= 0.5 / np.linalg.norm(change.reshape(4, -1), axis=1)[:, None, None, None]
    made = sizes(clean, within(clean, change, "l2", 0.5))["l2"]
    assert (made <= 0.5).all()
    assert (made > 0.49).all()


def test_sizes_by_hand() -> None:
    clean = np.zeros((2, 1, 2, 3), np.uint8)
    moved = clean.copy()
    moved[0, 0, 0] = [3, 0, 4]
    found = sizes(clean, moved)
    assert {norm: values.tolist() for norm, values in found.items()} == {
        "l0": [2, 0],
        "l1": [7 / 255, 0],
        "l2": [5 / 255, 0],
        "linf": [4 / 255, 0],
    }
    assert sizes(moved, clean)["l1"].tolist() == [7 / 255, 0], "uint8 does not wrap around"


def one(change: float, reached: bool = True) -> tuple[Crafted, Samples]:
    clean = np.full((1, 1, 1, 3), 100, np.uint8)
    moved = np.full(clean.shape, change / 255, np.float32)
    samples = Samples(clean, np.array([0]), np.array([0]), ("a",))
    made = Crafted(np.array([True]), levels(clean, moved), np.array([reached]), np.array([1]), moved)
    return made, samples


def above(threshold: int, asked: list[int]) -> Any:
    def predict(canvases: NDArray[np.uint8]) -> NDArray[np.uint16]:
        asked.append(int(canvases[0, 0, 0, 0]))
        return (canvases[:, 0, 0, 0] > threshold).astype(np.uint16)

    return predict


def test_a_least_perturbation_is_followed_until_it_is_confirmed() -> None:
    asked: list[int] = []
    made = confirm(above(111, asked), *one(10.4))
    assert made.success.tolist() == [True]
    assert made.canvases[0, 0, 0, 0] == 112
    assert made.distortions["linf"].tolist() == [12 / 255], "its own, rounded size is reported"
    assert asked == [110, 111, 111, 111, 112]


@pytest.mark.parametrize(("size", "level"), [(0.17, 101), (0.06, 101), (0.026, 101), (0.02, None)])
def test_a_change_that_rounds_to_nothing_is_followed_to_a_twentieth_fold(size: float, level: int | None) -> None:
    made = confirm(above(100, []), *one(size))
    assert made.success.tolist() == [level is not None]
    assert made.canvases[0, 0, 0, 0] == (level or 100)


def test_a_budget_is_kept_while_a_perturbation_is_followed() -> None:
    crafted, samples = one(10.4)
    for room, success in ((11, False), (12, True)):
        made = confirm(above(111, []), replace(crafted, budget=("linf", room / 255)), samples)
        assert made.success.tolist() == [success]
        assert made.canvases.max() <= 100 + room


def test_an_attack_that_stops_early_loses_nothing_to_rounding(digits: Source) -> None:
    attack = ProjectedGradient(0.1, iterations=40, step=0.4 / 255, stop_early=True)
    crafted = craft(attack, digits.victim, digits.samples)
    made = confirm(digits.predict, crafted, digits.samples)
    plain = (digits.predict(crafted.canvases) != digits.samples.labels) & crafted.attacked
    assert plain.sum() < crafted.reached.sum()
    assert made.success.sum() >= crafted.reached.sum() - 1
    assert np.nanmax(made.distortions["linf"]) <= 25 / 255


def test_what_is_never_confirmed_is_no_success_and_keeps_the_attacks_canvas() -> None:
    made = confirm(above(255, []), *one(10.4))
    assert (made.reached.tolist(), made.success.tolist()) == ([True], [False])
    assert made.canvases[0, 0, 0, 0] == 110
    assert np.isnan(made.distortions["l2"]).all()


def test_what_the_twin_missed_is_shown_once_and_may_still_count() -> None:
    asked: list[int] = []
    assert confirm(above(109, asked), *one(10.4, reached=False)).success.tolist() == [True]
    assert confirm(above(150, asked), *one(10.4, reached=False)).success.tolist() == [False]
    assert asked == [110, 110]


@pytest.mark.parametrize(
    "attack",
    [
        CarliniWagner(iterations=50, learning_rate=0.05, search_steps=4, initial_constant=1, abort_early=False),
        ElasticNet(iterations=50, learning_rate=0.05, search_steps=4, initial_constant=1),
    ],
    ids=lambda attack: attack.name,
)
def test_rounding_costs_a_least_perturbation_little_and_no_success(digits: Source, attack: Any) -> None:
    every = digits.samples
    samples = Samples(every.canvases[:18], every.labels[:18], every.predicted[:18], every.ids[:18])
    crafted = craft(attack, digits.victim, samples)
    made = confirm(digits.predict, crafted, samples)
    assert crafted.reached[crafted.attacked].all()
    assert crafted.change is not None
    plain = digits.predict(crafted.canvases) != samples.labels
    if isinstance(attack, CarliniWagner):
        assert np.sum(plain & crafted.attacked) < crafted.attacked.sum(), "rounding alone undoes some"
    assert np.array_equal(made.success, crafted.attacked)
    norm = "l2" if isinstance(attack, CarliniWagner) else "l1"
    before = np.linalg.norm(crafted.change.reshape(len(made.success), -1), 2 if norm == "l2" else 1, axis=1)
    growth = made.distortions[norm][made.success] / before[made.success]
    assert np.median(growth) < 1.1
    assert (digits.predict(made.canvases) != samples.labels)[made.success].all()
