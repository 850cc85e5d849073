"""The smallest budget with which an iterated attack succeeds, image by image ("optimal budget", arXiv 1808.01688)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from pytest_robust.attacks.goal import Found, keep
from pytest_robust.attacks.norms import check_epsilon, check_norm
from pytest_robust.errors import RobustError
from pytest_robust.spec.pixel_range import widest

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_robust.attacks.goal import Problem
    from pytest_robust.attacks.projected import ProjectedGradient


@dataclass(frozen=True, slots=True)
class OptimalBudget:
    """Repeats an attack with another epsilon per image and keeps the last success.

    After a success epsilon goes to the middle between it and the last failing one, or is halved where none failed;
    after a failure to the middle between it and the last succeeding one, or is doubled where none succeeded, up to the
    largest that an image can be moved by. The samples' random bits are the same in every attempt.

    Attributes:
        attack: what is repeated; its `epsilon` is the first one, and a `step` of its own stays fixed.
        attempts: how often.
    """

    attack: ProjectedGradient
    attempts: int = 9
    name: ClassVar[str] = "optimal_budget"

    def __call__(self, problem: Problem) -> Found:
        """Attack a batch; where no attempt succeeds the clean image is given back.

        Raises:
            RobustError: no attempts, a first epsilon of 0, or what the attack refuses.
        """
        clean, norm = problem.pixels, self.attack.norm
        check_norm(norm)
        check_epsilon(self.attack.epsilon, norm, clean[0].numel())
        if self.attempts < 1 or not self.attack.epsilon:
            raise RobustError(
                f"the search for a budget was given {self.attempts} attempts from epsilon {self.attack.epsilon:g}: "
                "both must be positive"
            )
        most = widest(norm, clean[0].numel())
        epsilon = torch.full((len(clean),), self.attack.epsilon, device=clean.device)
        good, bad = torch.full_like(epsilon, torch.nan), torch.full_like(epsilon, torch.nan)
        pixels, queries = clean, torch.zeros(len(clean), dtype=torch.int64)
        for _ in range(self.attempts):
            found = self.attack.within(problem, epsilon)
            pixels, queries = keep(found.reached, found.pixels, pixels), queries + found.queries
            good = torch.where(found.reached, epsilon, good)
            bad = torch.where(found.reached, bad, epsilon)
            epsilon = following(epsilon, found.reached, good, bad).clamp_max(most)
        return Found(pixels, ~good.isnan(), queries)


def following(epsilon: Tensor, reached: Tensor, good: Tensor, bad: Tensor) -> Tensor:
    """The epsilon of the next attempt, shape (N,).

    Args:
        epsilon: of this attempt.
        reached: whether it succeeded.
        good: the last succeeding epsilon, NaN where there is none.
        bad: the last failing one, NaN where there is none.
    """
    other = torch.where(reached, bad, good)
    alone = torch.where(reached, epsilon / 2, epsilon * 2)
    return torch.where(other.isnan(), alone, (epsilon + other) / 2)
