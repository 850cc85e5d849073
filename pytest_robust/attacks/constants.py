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

_PROGRESS = 0.99
_SHORTEST = 10
"""Steps of a tenth at least: Adam's mean remembers about as many, and over fewer a swing looks like progress."""

_CURVED = 2.0
"""How much above a linear margin's constant one may still be needed: margins of networks are not linear."""


class Iterate(NamedTuple):
    """What one step of an attack showed to the victim.

    Attributes:
        pixels: shape (N, 3, H, W).
        size: what a success is judged by, shape (N,).
        reached: whether it is one, bool, shape (N,).
        loss: what the descent lowers, shape (N,); at the clean image the constant times what the goal is away.
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
        high: the smallest that is known or thought to succeed, infinite without one.
        finished: how many descents are behind, int64.
        step: steps of this descent that are behind, int64.
        success: the last of them that had a success, -1 without one, int64.
        total: sum of its losses in the tenth that runs.
        before: the same of the tenth before.
        away: how far the goal is from the clean image.
    """

    rows: Tensor
    constant: Tensor
    low: Tensor
    high: Tensor
    finished: Tensor
    step: Tensor
    success: Tensor
    total: Tensor
    before: Tensor
    away: Tensor

    @classmethod
    def first(cls, count: int, constant: float, device: torch.device) -> Descents:
        """All samples at the beginning of their first descent."""
        rows, low = torch.arange(count, device=device), torch.zeros(count, device=device)
        high, before = torch.full_like(low, torch.inf), torch.full_like(low, torch.inf)
        finished, step, success = torch.zeros_like(rows), torch.zeros_like(rows), torch.full_like(rows, -1)
        total, away = torch.zeros_like(low), torch.zeros_like(low)
        return cls(rows, low + constant, low, high, finished, step, success, total, before, away)

    def take(self, shown: Iterate, iterations: int, tenth: int) -> Tensor:
        """Count a step, and tell whose descents end with it, as int64 positions.

        They end after `iterations` steps, or after a tenth whose mean loss is above 0.99 times that of the one before:
        the mean, since single losses swing with the optimiser.

        Args:
            shown: by this step.
            iterations: steps of a whole descent.
            tenth: steps of a tenth; `iterations` for none.
        """
        self.success = torch.where(shown.reached, self.step, self.success)
        self.away = torch.where(self.step == 0, shown.loss / self.constant, self.away)
        self.total = torch.where(self.step % tenth == 0, 0, self.total) + shown.loss
        self.step = self.step + 1
        checked = self.step % tenth == 0
        ended = (self.step == iterations) | (checked & ~(self.total <= _PROGRESS * self.before))
        self.before = torch.where(checked, self.total, self.before)
        return ended.nonzero().squeeze(1)

    def restart(self, ended: Tensor, last: int, sizes: Tensor | None) -> None:
        """Give those at the positions `ended` their next constant.

        Args:
            ended: int64, shape (M,).
            last: a constant is enough whose descent had a success in its last so many steps.
            sizes: of the smallest success of each, squared L2 norms of shape (M,), to leave out constants far above
                what these need; or None.
        """
        constant, success = self.constant[ended], self.success[ended]
        found = (success >= 0) & (success >= self.step[ended] - last)
        low = torch.where(found, self.low[ended], constant)
        high = torch.where(found, constant, self.high[ended])
        if sizes is not None:
            # Of a linear margin the nearest success d is where c * away = d . grad |d|^2 = 2 |d|^2.
            enough = _CURVED * 2 * sizes / self.away[ended]
            high = torch.where(enough > low, torch.minimum(high, enough), high)
        self.low[ended], self.high[ended] = low, high
        self.constant[ended] = torch.minimum(constant * 10, (low + high) / 2)
        self.finished[ended] += 1
        self.step[ended], self.success[ended], self.before[ended] = 0, -1, torch.inf

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
        search_steps: how many constants are tried at most.
        initial_constant: the first.
        abort_early: end what no longer pays: a descent after a tenth (of at least 10 steps) that lowers its mean loss
            by less than 1 %, and a search where its constant is `known`; and what `settles` says. Without it every
            search is the paper's, to its last step.
    """

    confidence: float = 0.0
    iterations: int = 1000
    learning_rate: float = 1e-3
    search_steps: int = 9
    initial_constant: float = 0.01
    abort_early: bool = True
    shows: ClassVar[int] = 1
    """How often a step shows a sample to the victim."""
    known: ClassVar[float] = 1.1
    """A search may end where the smallest constant that succeeds is at most so many times one that fails."""
    settles: ClassVar[bool] = False
    """Whether descents come to rest at the least loss, of which a squared L2 norm is the constant's counterweight.

    If so, and to abort early, a constant is enough only where the goal is reached in the last tenth: an optimiser's
    first steps overshoot it at any constant; and constants above twice what a linear margin would need are left out.
    """

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
        tenth = max(-(-self.iterations // 10), _SHORTEST) if self.abort_early else self.iterations
        quick = self.abort_early and self.settles
        last = tenth if quick else self.iterations
        state = self._start(problem.pixels)
        while len(at.rows):
            shown, state = self._step(problem, at, state)
            best.queries[at.rows] += self.shows
            best.offer(at.rows, shown)
            ended = at.take(shown, self.iterations, tenth)
            if not len(ended):
                continue
            at.restart(ended, last, best.size[at.rows[ended]] if quick else None)
            for one, new in zip(state, self._start(problem.pixels[ended]), strict=True):
                one[ended] = new
            over = at.finished >= self.search_steps
            if self.abort_early:
                over |= at.high <= self.known * at.low
            if over.any():
                kept = (~over).nonzero().squeeze(1)
                problem, at, state = problem.rows(kept), at.part(kept), [one[kept] for one in state]
        return Found(best.pixels, best.size.isfinite(), best.queries.cpu())

    @abstractmethod
    def _start(self, clean: Tensor) -> Sequence[Tensor]:
        """What a descent carries from step to step, at its beginning: tensors of N rows of their own memory."""

    @abstractmethod
    def _step(self, problem: Problem, at: Descents, state: Sequence[Tensor]) -> tuple[Iterate, Sequence[Tensor]]:
        """Show every sample once, and go one step on; gives what was shown and what the next step is to carry."""
