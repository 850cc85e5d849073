"""The search for the constant, by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pytest_robust.attacks.constants import Best, Descents, Iterate, Search
from pytest_robust.attacks.goal import Problem
from tests.attacks.linear import linear, problem


def test_ten_times_until_the_first_success_then_bisection() -> None:
    """The first sample needs a constant of 5, the second one of 0.002, the third cannot be fooled."""
    needed, tried = torch.tensor([5.0, 0.002, torch.inf]), []

    class ByHand(Search):
        def _start(self, clean: torch.Tensor) -> list[torch.Tensor]:
            return [clean.clone()]

        def _step(self, problem: Problem, at: Descents, state: Any) -> tuple[Iterate, Any]:
            tried.append(at.constant.tolist())
            return Iterate(problem.pixels, at.constant, at.constant >= needed, at.constant), state

    found = ByHand(iterations=1, search_steps=6, initial_constant=0.01)(problem(linear(), 3))
    first, second, third = zip(*tried, strict=True)
    assert first == pytest.approx((0.01, 0.1, 1, 10, 5.5, 3.25))
    assert second == pytest.approx((0.01, 0.005, 0.0025, 0.00125, 0.001875, 0.0021875))
    assert third == pytest.approx((0.01, 0.1, 1, 10, 100, 1000))
    assert found.reached.tolist() == [True, True, False]


def test_a_sample_goes_on_beside_others_at_steps_of_their_own() -> None:
    """Two descents of up to 40 steps: the first sample's stand still, the second one's get lower all the time."""
    log: dict[int, list[tuple[float, int]]] = {0: [], 1: []}

    class ByHand(Search):
        def _start(self, clean: torch.Tensor) -> list[torch.Tensor]:
            return [torch.full((len(clean),), 100.0)]

        def _step(self, problem: Problem, at: Descents, state: Any) -> tuple[Iterate, Any]:
            for row, constant, step in zip(at.rows.tolist(), at.constant.tolist(), at.step.tolist(), strict=True):
                log[row].append((round(constant, 6), step))
            (loss,) = state
            fails = torch.zeros_like(loss, dtype=torch.bool)
            return Iterate(problem.pixels, loss, fails, loss), [torch.where(at.rows == 0, loss, loss * 0.9)]

    found = ByHand(iterations=40, search_steps=2)(problem(linear(), 2))
    assert log[0] == [(constant, step) for constant in (0.01, 0.1) for step in range(5)]
    assert log[1] == [(constant, step) for constant in (0.01, 0.1) for step in range(40)]
    assert found.queries.tolist() == [10, 80]
    assert not found.reached.any()


def test_only_smaller_successes_are_kept() -> None:
    clean = torch.zeros(3, 1, 1, 1)
    best = Best(clean)
    for value, size, second in ((1.0, 4.0, False), (2.0, 5.0, True)):
        shown = torch.full((2, 1, 1, 1), value), torch.full((2,), size), torch.tensor([True, second])
        best.offer(torch.tensor([0, 2]), Iterate(*shown, torch.zeros(2)))
    assert best.pixels.flatten().tolist() == [1, 0, 2]
    assert best.size.tolist() == [4, torch.inf, 5]


def ends(losses: list[float]) -> int | None:
    """After which step a descent of up to 40 ends, checked at every fourth."""
    at, fails = Descents.first(1, 1.0, torch.device("cpu")), torch.tensor([False])
    for step, loss in enumerate(losses):
        if len(at.take(Iterate(torch.zeros(1, 1, 1, 1), torch.ones(1), fails, torch.tensor([loss])), 40, True)):
            return step
    return None


def test_a_descent_ends_with_a_tenth_in_which_nothing_got_better() -> None:
    assert ends([2.0] * 9) == 4
    assert ends([8.0 - step for step in range(8)]) is None
    assert ends([5.0, 4, 6, 6, 6, 3, 6, 6, 6, 6]) is None, "the least of a tenth counts, not its last"
    assert ends([5.0, 4, 6, 6, 6, 4, 6, 6, 6]) == 8


def test_each_sample_is_checked_at_tenths_of_its_own_descent() -> None:
    at = Descents.first(3, 1.0, torch.device("cpu"))
    at.step, at.before = torch.tensor([5, 4, 39]), torch.ones(3)
    stuck = Iterate(torch.zeros(3, 1, 1, 1), torch.ones(3), torch.zeros(3, dtype=torch.bool), torch.ones(3))
    assert at.take(stuck, 40, True).tolist() == [1, 2]
