"""EAD: the attack of least L1 distortion by an elastic net (Chen et al., arXiv 1709.04114; arXiv 1808.01688)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from pytest_robust.attacks.constants import Best, Running, Search
from pytest_robust.attacks.goal import slope

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_robust.attacks.goal import Problem


@dataclass(frozen=True, slots=True)
class ElasticNet(Search):
    """Minimises ``c * max(0, gap + confidence) + |d|^2 + beta * |d|_1`` by FISTA over the perturbation d.

    Of the iterates whose gap is below ``-confidence`` the one of least L1 norm is kept, over all constants c (the
    paper's L1 decision rule). As in the released code a step shrinks every value by beta, whatever the rate.

    Attributes, beside those of `Search`, whose learning rate falls to 0 by the square root of the share of steps left:
        beta: weight of the L1 norm.
    """

    beta: float = 1e-3
    name: ClassVar[str] = "ead_l1"

    def _descent(self, problem: Problem, constants: Tensor, best: Best) -> Tensor:
        running = Running.all(len(constants), self.iterations, constants.device)
        found = torch.zeros_like(constants, dtype=torch.bool)
        ahead = last = problem.pixels
        for step in range(self.iterations):
            rate = self.learning_rate * (1 - step / self.iterations) ** 0.5
            gradient, loss = self._slope(problem, ahead, constants)
            new = self._shrunk(ahead - rate * gradient, problem.pixels)
            ahead, last = new + step / (step + 3) * (new - last), new
            with torch.no_grad():
                reached = problem.goal.gap(problem.victim(new)) + self.confidence < 0
            rows = running.rows
            best.queries[rows] += 2
            found[rows] |= reached
            best.offer(rows, new, (new - problem.pixels).abs().flatten(1).sum(1), reached)
            kept = running.check(step, loss) if self.abort_early else None
            if kept is not None:
                if not len(kept):
                    break
                problem, constants, ahead, last = problem.rows(kept), constants[kept], ahead[kept], last[kept]
        return found

    def _slope(self, problem: Problem, pixels: Tensor, constants: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient, of the images' shape, and value, shape (N,), of the smooth part of the loss."""
        pixels = pixels.detach().requires_grad_()
        gap = problem.goal.gap(problem.victim(pixels)) + self.confidence
        loss = constants * gap.clamp_min(0) + (pixels - problem.pixels).square().flatten(1).sum(1)
        return slope(loss, pixels), loss.detach()

    def _shrunk(self, pixels: Tensor, clean: Tensor) -> Tensor:
        """The perturbation with every value brought nearer to 0 by beta, the image inside [0, 1]."""
        return (clean + torch.nn.functional.softshrink(pixels - clean, self.beta)).clamp(0, 1)
