"""The search for the trade-off constant that Carlini and Wagner's attack and EAD share (arXiv 1608.04644)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from pytest_robust.attacks.goal import Found
from pytest_robust.errors import RobustError

if TYPE_CHECKING:
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


@dataclass(frozen=True, slots=True)
class Search(ABC):
    """One descent for every constant: ten times as much until the first success, then bisection.

    Attributes:
        confidence: kappa, by how much the wanted logit must lead.
        iterations: steps of a descent.
        learning_rate: of a descent.
        search_steps: how many constants are tried.
        initial_constant: the first.
        abort_early: at every tenth of a descent a sample stops whose least loss is above 0.9999 times that of before.
    """

    confidence: float = 0.0
    iterations: int = 1000
    learning_rate: float = 1e-3
    search_steps: int = 9
    initial_constant: float = 0.01
    abort_early: bool = True

    def __call__(self, problem: Problem) -> Found:
        """Attack a batch; where nothing succeeds the clean image is given back.

        Raises:
            RobustError: a search without steps or a positive constant, or a victim without gradient.
        """
        if self.search_steps < 1 or not self.initial_constant > 0:
            given = f"{self.search_steps} steps from {self.initial_constant:g}"
            raise RobustError(f"the search for the constant was given {given}: both must be positive")
        best = Best(problem.pixels)
        constants = torch.full_like(best.size, self.initial_constant)
        low, high = torch.zeros_like(constants), torch.full_like(constants, torch.inf)
        for _ in range(self.search_steps):
            found = self._descent(problem, constants, best)
            high = torch.where(found, constants, high)
            low = torch.where(found, low, constants)
            constants = torch.where(high.isinf(), constants * 10, (low + high) / 2)
        return Found(best.pixels, best.size.isfinite(), best.queries.cpu())

    @abstractmethod
    def _descent(self, problem: Problem, constants: Tensor, best: Best) -> Tensor:
        """Offer the successes of one descent, a constant per sample, to the best; were there any, bool, shape (N,)."""
