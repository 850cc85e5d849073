"""The search for the constant, by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from pytest_robust.attacks import CarliniWagner
from pytest_robust.attacks.constants import Best, Descents, Iterate, Search
from pytest_robust.attacks.goal import Problem
from tests.attacks.linear import linear, problem, weights


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
    assert log[0] == [(constant, step) for constant in (0.01, 0.1) for step in range(20)]
    assert log[1] == [(constant, step) for constant in (0.01, 0.1) for step in range(40)]
    assert found.queries.tolist() == [40, 80]
    assert not found.reached.any()


def test_only_smaller_successes_are_kept() -> None:
    clean = torch.zeros(3, 1, 1, 1)
    best = Best(clean)
    for value, size, second in ((1.0, 4.0, False), (2.0, 5.0, True)):
        shown = torch.full((2, 1, 1, 1), value), torch.full((2,), size), torch.tensor([True, second])
        best.offer(torch.tensor([0, 2]), Iterate(*shown, torch.zeros(2)))
    assert best.pixels.flatten().tolist() == [1, 0, 2]
    assert best.size.tolist() == [4, torch.inf, 5]


def ends(losses: list[float], tenth: int = 4) -> int | None:
    """After which step a descent of up to 40 ends."""
    at = Descents.first(1, 1.0, torch.device("cpu"))
    for step, loss in enumerate(losses):
        if len(at.take(shown(loss, [False]), 40, tenth)):
            return step
    return None


def shown(loss: float, reached: list[bool]) -> Iterate:
    count = len(reached)
    return Iterate(torch.zeros(count, 1, 1, 1), torch.ones(count), torch.tensor(reached), torch.full((count,), loss))


def test_a_descent_ends_with_a_tenth_in_which_nothing_got_better() -> None:
    assert ends([2.0] * 9) == 7
    assert ends([8.0 - step / 2 for step in range(16)]) is None
    assert ends([5.0, 4, 6, 6, 3, 3, 6, 8, 3, 3, 6, 7.7]) is None, "the mean of a tenth counts, not its last or least"
    assert ends([5.0, 4, 6, 6, 3, 3, 6, 8, 3, 3, 6, 7.9]) == 11, "by a hundredth at least"
    assert ends([2.0] * 40, tenth=40) == 39


def test_each_sample_is_checked_at_tenths_of_its_own_descent() -> None:
    at = Descents.first(3, 1.0, torch.device("cpu"))
    at.step, at.before, at.total = torch.tensor([5, 3, 39]), torch.ones(3), torch.ones(3)
    assert at.take(shown(1.0, [False] * 3), 40, 4).tolist() == [1, 2]


class Falling(Search):
    """Every loss is as far below the last as in a descent that goes well, and a success as large as told."""

    settles, known = True, 2.0
    size = 1.0
    away = 1000.0

    def _start(self, clean: torch.Tensor) -> list[torch.Tensor]:
        return [torch.full((len(clean),), self.away)]

    def _step(self, problem: Problem, at: Descents, state: Any) -> tuple[Iterate, Any]:
        (loss,) = state
        size = torch.full_like(loss, self.size)
        return Iterate(problem.pixels, size, self.reaches(at), loss * at.constant), [loss * 0.9]

    def reaches(self, at: Descents) -> torch.Tensor:
        """Whether this step is a success."""
        self.tried.setdefault(at.finished[0].item(), at.constant[0].item())
        return at.constant >= self.needed

    tried: dict[float, float]
    needed: float


def tried(search: type[Falling], **options: Any) -> list[float]:
    search.tried = {}
    search(iterations=40, initial_constant=0.01, search_steps=9, **options)(problem(linear(), 1))
    return list(search.tried.values())


def test_the_search_ends_where_the_constant_is_known_within_a_factor_of_two() -> None:
    class Steep(Falling):
        needed, size = 0.4, 1e6

    assert tried(Steep) == pytest.approx([0.01, 0.1, 1, 0.55, 0.325])
    assert len(tried(Steep, abort_early=False)) == 9


def test_a_constant_is_enough_only_where_its_descent_ends_at_the_goal() -> None:
    class Overshoots(Falling):
        """Any constant passes the goal at first, and one of 4 stays there."""

        needed, size = 4.0, 1e6

        def reaches(self, at: Descents) -> torch.Tensor:
            return super().reaches(at) | (at.step < 5)

    assert tried(Overshoots) == pytest.approx([0.01, 0.1, 1, 10, 5.5, 3.25])
    assert tried(Overshoots, abort_early=False)[1:3] == pytest.approx([0.005, 0.0025]), "the rule of the paper"


def test_constants_far_above_what_a_linear_margin_needs_are_left_out() -> None:
    """A success of squared length 2, the goal 1,000 away: 2 * 2 / 1000 is what a linear margin needs."""

    class Near(Falling):
        needed, size = 0.003, 2.0

    assert tried(Near) == pytest.approx([0.01, 0.004, 0.002])
    assert tried(Near, abort_early=False)[:3] == pytest.approx([0.01, 0.005, 0.0025])


def test_a_constant_that_failed_is_believed_before_a_linear_margin() -> None:
    class Bent(Falling):
        needed, size = 0.4, 2.0

    assert tried(Bent) == pytest.approx([0.01, 0.1, 1, 0.55, 0.325])


def test_the_constant_of_a_linear_margin_is_what_the_rule_takes_it_for() -> None:
    """Half of it fails and twice of it succeeds, by descents that end."""
    attack = CarliniWagner(iterations=400, learning_rate=0.003, search_steps=1, abort_early=False)
    one = problem(linear(), 1)
    model = torch.from_numpy(weights(linear())).float()
    away = float(one.goal.gap(one.victim(one.pixels)))
    needed = 2 * away / float((model[0] - model[1]).square().sum())
    assert not replace(attack, initial_constant=needed / 2)(one).reached.any()
    found = replace(attack, initial_constant=needed * 2)(one)
    assert found.reached.all()
    least = float((found.pixels - one.pixels).square().sum())
    assert 2 * least / away == pytest.approx(needed, rel=0.03)
