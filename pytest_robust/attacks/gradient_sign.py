"""FGSM: one step along the gradient (Goodfellow et al., arXiv 1412.6572; options of arXiv 1808.01688)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from pytest_robust.attacks.goal import Found
from pytest_robust.attacks.norms import check_epsilon, check_norm, unit

if TYPE_CHECKING:
    from pytest_robust.attacks.goal import Objective, Problem
    from pytest_robust.attacks.norms import Norm


@dataclass(frozen=True, slots=True)
class FastGradient:
    """``clip(x + epsilon * d)`` with d the gradient's sign (linf), or the gradient over its L2 or L1 norm.

    Attributes:
        epsilon: size of the step, pixels counting from 0 to 1.
        norm: in which it is measured.
        objective: what the gradient is of.
    """

    epsilon: float
    norm: Norm = "linf"
    objective: Objective = "cross_entropy"
    name: ClassVar[str] = "fgsm"

    def __call__(self, problem: Problem) -> Found:
        """Attack a batch.

        Raises:
            RobustError: an unknown norm, an epsilon that no image can be moved by, or a victim without gradient.
        """
        check_norm(self.norm)
        check_epsilon(self.epsilon, self.norm, problem.pixels[0].numel())
        gradient, _ = problem.climb(problem.pixels, self.objective)
        pixels = (problem.pixels + self.epsilon * unit(gradient, self.norm)).clamp(0, 1)
        queries = torch.full((len(pixels),), 2, dtype=torch.int64)
        return Found(pixels, problem.reached(pixels), queries)
