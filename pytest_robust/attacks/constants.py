"""The search for the trade-off constant that Carlini and Wagner's attack and EAD share (arXiv 1608.04644)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from pytest_robust.attacks.goal import Found
from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from pytest_robust.attacks.goal import Problem

_PROGRESS = 0.9999
_CHECKS = 10


class Best:
    """The smallest success of every sample so far.

    Attributes:
        pixels: it, or the clean image, shape (N, 3, H, W).
        size: what it is judged by, infinite without success, shape (N,).
        queries: how often the victim was shown each sample, int64, shape (N,).
    """

    def __init__(self, clean: Tensor) -> None:
        self.pixels = clean.clone()
        self.size = torch.full((len(clean),), torch.inf, device=clean.device)
        self.queries = torch.zeros(len(clean), dtype=torch.int64, device=clean.device)

    def offer(self, rows: Tensor, pixels: Tensor, size: Tensor, reached: Tensor) -> None:
        """Take what is smaller and reaches the goal.

        Args:
            rows: which samples these are, int64, shape (M,).
            pixels: shape (M, 3, H, W).
            size: shape (M,).
            reached: bool, shape (M,).
        """
        better = (reached & (size < self.size[rows])).nonzero().squeeze(1)
        if len(better):
            self.pixels[rows[better]] = pixels[better]
            self.size[rows[better]] = size[better]


@dataclass(slots=True, eq=False)
class Running:
    """The samples that still make progress in one descent; every tenth of it the others leave.

    The least loss of a tenth is compared, and not that of its last step, which may be a swing of the optimiser.

    Attributes:
        rows: which samples they are, int64, shape (M,).
        least: loss so far, shape (M,).
        before: the same at the last check, shape (M,).
        period: steps from check to check.
    """

    rows: Tensor
    least: Tensor
    before: Tensor
    period: int

    @classmethod
    def all(cls, count: int, iterations: int, device: torch.device) -> Running:
        """All samples, at the beginning of a descent."""
        endless = torch.full((count,), torch.inf, device=device)
        return cls(torch.arange(count, device=device), endless, endless, -(-iterations // _CHECKS))

    def check(self, step: int, loss: Tensor) -> Tensor | None:
        """Which of the running samples go on after this step, as int64 positions; None if all do."""
        self.least = torch.minimum(self.least, loss)
        if step % self.period:
            return None
        kept = (self.least <= _PROGRESS * self.before).nonzero().squeeze(1)
        self.before = self.least
        if len(kept) == len(self.rows):
            return None
        self.rows, self.least, self.before = self.rows[kept], self.least[kept], self.before[kept]
        return kept


def search(problem: Problem, descent: Callable[[Problem, Tensor, Best], Tensor], steps: int, initial: float) -> Found:
    """Descend once for every constant: ten times as much until the first success, then bisection.

    Args:
        problem: the batch.
        descent: given the problem, a constant per sample and the best so far, runs one descent, offers its successes
            to the best and says whether there were any, bool, shape (N,).
        steps: how many constants.
        initial: the first.

    Raises:
        RobustError: no steps, a constant that is not positive, or a victim without gradient.
    """
    if steps < 1 or not initial > 0:
        raise RobustError(
            f"the search for the constant was given {steps} steps from {initial:g}: both must be positive"
        )
    best = Best(problem.pixels)
    constants = torch.full_like(best.size, initial)
    low, high = torch.zeros_like(constants), torch.full_like(constants, torch.inf)
    for _ in range(steps):
        found = descent(problem, constants, best)
        high = torch.where(found, constants, high)
        low = torch.where(found, low, constants)
        constants = torch.where(high.isinf(), constants * 10, (low + high) / 2)
    return Found(best.pixels, best.size.isfinite(), best.queries.cpu())
