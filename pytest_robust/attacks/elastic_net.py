"""EAD: the attack of least L1 distortion by an elastic net (Chen et al., arXiv 1709.04114; arXiv 1808.01688)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from pytest_robust.attacks.constants import Iterate, Search
from pytest_robust.attacks.goal import slope
from pytest_robust.attacks.norms import wide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from pytest_robust.attacks.constants import Descents
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
    shows: ClassVar[int] = 2

    def _start(self, clean: Tensor) -> Sequence[Tensor]:
        return clean.clone(), clean.clone()

    def _step(self, problem: Problem, at: Descents, state: Sequence[Tensor]) -> tuple[Iterate, Sequence[Tensor]]:
        ahead, last = state
        rate = self.learning_rate * (1 - at.step / self.iterations).sqrt()
        gradient, loss = self._slope(problem, ahead, at.constant)
        new = self._shrunk(ahead - wide(rate) * gradient, problem.pixels)
        ahead = new + wide(at.step / (at.step + 3)) * (new - last)
        with torch.no_grad():
            gap = problem.goal.gap(problem.victim(new)) + self.confidence
        size = (new - problem.pixels).abs().flatten(1).sum(1)
        return Iterate(new, size, gap < 0, loss), (ahead, new)

    def _slope(self, problem: Problem, pixels: Tensor, constants: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient, of the images' shape, and value, shape (N,), of the smooth part of the loss."""
        pixels = pixels.detach().requires_grad_()
        gap = problem.goal.gap(problem.victim(pixels)) + self.confidence
        loss = constants * gap.clamp_min(0) + (pixels - problem.pixels).square().flatten(1).sum(1)
        return slope(loss, pixels), loss.detach()

    def _shrunk(self, pixels: Tensor, clean: Tensor) -> Tensor:
        """The perturbation with every value brought nearer to 0 by beta, the image inside [0, 1]."""
        return (clean + torch.nn.functional.softshrink(pixels - clean, self.beta)).clamp(0, 1)
