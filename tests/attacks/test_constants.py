"""The search for the constant, by hand."""

from __future__ import annotations

import pytest
import torch

from pytest_robust.attacks.constants import Best, Running, Search
from pytest_robust.attacks.goal import Problem
from tests.attacks.linear import linear, problem


def test_ten_times_until_the_first_success_then_bisection() -> None:
    """The first sample needs a constant of 5, the second one of 0.002, the third cannot be fooled."""
    needed, tried = torch.tensor([5.0, 0.002, torch.inf]), []

    class ByHand(Search):
        def _descent(self, problem: Problem, constants: torch.Tensor, best: Best) -> torch.Tensor:
            tried.append(constants.tolist())
            best.offer(torch.arange(3), problem.pixels, constants, constants >= needed)
            return constants >= needed

    found = ByHand(search_steps=6, initial_constant=0.01)(problem(linear(), 3))
    first, second, third = zip(*tried, strict=True)
    assert first == pytest.approx((0.01, 0.1, 1, 10, 5.5, 3.25))
    assert second == pytest.approx((0.01, 0.005, 0.0025, 0.00125, 0.001875, 0.0021875))
    assert third == pytest.approx((0.01, 0.1, 1, 10, 100, 1000))
    assert found.reached.tolist() == [True, True, False]


def test_only_smaller_successes_are_kept() -> None:
    clean = torch.zeros(3, 1, 1, 1)
    best = Best(clean)
    best.offer(torch.tensor([0, 2]), torch.ones(2, 1, 1, 1), torch.tensor([4.0, 4.0]), torch.tensor([True, False]))
    best.offer(
        torch.tensor([0, 2]), torch.full((2, 1, 1, 1), 2.0), torch.tensor([5.0, 5.0]), torch.tensor([True, True])
    )
    assert best.pixels.flatten().tolist() == [1, 0, 2]
    assert best.size.tolist() == [4, torch.inf, 5]


def test_samples_leave_at_a_tenth_in_which_nothing_got_better() -> None:
    running = Running.all(3, 40, torch.device("cpu"))
    falling, swinging, stuck = [8.0 - step for step in range(9)], [5.0, 4, 6, 6, 6, 3.0, 6, 6, 6], [2.0] * 9
    left = [
        running.check(step, torch.tensor([falling[step], swinging[step], stuck[step]])[running.rows])
        for step in range(9)
    ]
    assert [one if one is None else one.tolist() for one in left] == [None] * 4 + [[0, 1]] + [None] * 4
    assert running.rows.tolist() == [0, 1]
