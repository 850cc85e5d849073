"""The search for the trade-off constant that Carlini and Wagner's attack and EAD share (arXiv 1608.04644)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch

from pytest_robust.attacks.goal import Found
from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from pytest_robust.attacks.goal import Problem

_PROGRESS = 0.9999
_CHECKS = 10


class Iterate(NamedTuple):
    """What one step of an attack showed to the victim.

    Attributes:
        pixels: shape (N, 3, H, W).
        size: what a success is judged by, shape (N,).
        reached: whether it is one, bool, shape (N,).
        loss: what the descent lowers, shape (N,).
    """

    pixels: Tensor
    size: Tensor
    reached: Tensor
    loss: Tensor


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

    def offer(self, rows: Tensor, shown: Iterate) -> None:
        """Take what is smaller and reaches the goal.

        Args:
            rows: which samples were shown, int64, shape (M,).
            shown: of M samples.
        """
        better = (shown.reached & (shown.size < self.size[rows])).nonzero().squeeze(1)
        if len(better):
            self.pixels[rows[better]] = shown.pixels[better]
            self.size[rows[better]] = shown.size[better]


@dataclass(slots=True, eq=False)
class Descents:
    """The descents that samples are in, each at its own constant and step; all of shape (N,).

    A sample whose descent ends begins the next one at once, beside others in the middle of theirs: the victim sees
    full batches until the last searches end, and no sample waits for the slowest.

    Attributes:
        rows: which samples they are, int64.
        constant: of the descent.
        low: the largest constant that failed, 0 without one.
        high: the smallest that succeeded, infinite without one.
        finished: how many descents are behind, int64.
        step: steps of this descent that are behind, int64.
        found: whether it had a success, bool.
        least: loss of it so far.
        before: the same at the last check.
    """

    rows: Tensor
    constant: Tensor
    low: Tensor
    high: Tensor
    finished: Tensor
    step: Tensor
    found: Tensor
    least: Tensor
    before: Tensor

    @classmethod
    def first(cls, count: int, constant: float, device: torch.device) -> Descents:
        """All samples at the beginning of their first descent."""
        rows, low = torch.arange(count, device=device), torch.zeros(count, device=device)
        high, least, before = (torch.full_like(low, torch.inf) for _ in range(3))
        finished, step = torch.zeros_like(rows), torch.zeros_like(rows)
        return cls(rows, low + constant, low, high, finished, step, rows < 0, least, before)

    def take(self, shown: Iterate, iterations: int, abort_early: bool) -> Tensor:
        """Count a step, and tell whose descents end with it, as int64 positions.

        The least loss of a tenth is compared, and not that of its last step, which may be a swing of the optimiser.
        """
        self.found = self.found | shown.reached
        ended = self.step == iterations - 1
        if abort_early:
            self.least = torch.minimum(self.least, shown.loss)
            checked = self.step % -(-iterations // _CHECKS) == 0
            ended |= checked & ~(self.least <= _PROGRESS * self.before)
            self.before = torch.where(checked, self.least, self.before)
        self.step = self.step + 1
        return ended.nonzero().squeeze(1)

    def restart(self, ended: Tensor) -> None:
        """Give those at the positions `ended` their next constant."""
        constant, found = self.constant[ended], self.found[ended]
        low = torch.where(found, self.low[ended], constant)
        high = torch.where(found, constant, self.high[ended])
        self.low[ended], self.high[ended] = low, high
        self.constant[ended] = torch.where(high.isinf(), constant * 10, (low + high) / 2)
        self.finished[ended] += 1
        self.step[ended], self.found[ended] = 0, False
        self.least[ended] = self.before[ended] = torch.inf

    def part(self, kept: Tensor) -> Descents:
        """Those at the positions `kept`."""
        return Descents(*(getattr(self, one.name)[kept] for one in fields(self)))


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
    shows: ClassVar[int] = 1
    """How often a step shows a sample to the victim."""

    def __call__(self, problem: Problem) -> Found:
        """Attack a batch; where nothing succeeds the clean image is given back.

        Raises:
            RobustError: a search without steps or a positive constant, or a victim without gradient.
        """
        if self.search_steps < 1 or not self.initial_constant > 0:
            given = f"{self.search_steps} steps from {self.initial_constant:g}"
            raise RobustError(f"the search for the constant was given {given}: both must be positive")
        best = Best(problem.pixels)
        at = Descents.first(len(best.size), self.initial_constant, best.size.device)
        state = self._start(problem.pixels)
        while len(at.rows):
            shown, state = self._step(problem, at, state)
            best.queries[at.rows] += self.shows
            best.offer(at.rows, shown)
            ended = at.take(shown, self.iterations, self.abort_early)
            if not len(ended):
                continue
            at.restart(ended)
            for one, new in zip(state, self._start(problem.pixels[ended]), strict=True):
                one[ended] = new
            kept = (at.finished < self.search_steps).nonzero().squeeze(1)
            if len(kept) < len(at.rows):
                problem, at, state = problem.rows(kept), at.part(kept), [one[kept] for one in state]
        return Found(best.pixels, best.size.isfinite(), best.queries.cpu())

    @abstractmethod
    def _start(self, clean: Tensor) -> Sequence[Tensor]:
        """What a descent carries from step to step, at its beginning: tensors of N rows of their own memory."""

    @abstractmethod
    def _step(self, problem: Problem, at: Descents, state: Sequence[Tensor]) -> tuple[Iterate, Sequence[Tensor]]:
        """Show every sample once, and go one step on; gives what was shown and what the next step is to carry."""
