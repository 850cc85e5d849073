"""Carlini and Wagner's attack of least L2 distortion (arXiv 1608.04644, with the settings of arXiv 1808.01688)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from pytest_robust.attacks.constants import Best, Running, Search
from pytest_robust.attacks.goal import slope

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_robust.attacks.goal import Problem

_INSIDE = 0.999999
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True, slots=True)
class CarliniWagner(Search):
    """Minimises ``|x' - x|^2 + c * max(0, gap + confidence)`` by Adam over w, where ``x' = (tanh(w) + 1) / 2``.

    The smallest iterate whose gap is below ``-confidence`` is kept, over all constants c. The attributes are those
    of `Search`.
    """

    name: ClassVar[str] = "cw"

    def _descent(self, problem: Problem, constants: Tensor, best: Best) -> Tensor:
        running = Running.all(len(constants), self.iterations, constants.device)
        found = torch.zeros_like(constants, dtype=torch.bool)
        w = ((2 * problem.pixels - 1) * _INSIDE).arctanh()
        mean, square = torch.zeros_like(w), torch.zeros_like(w)
        for step in range(self.iterations):
            w.requires_grad_()
            pixels = (w.tanh() + 1) / 2
            size = (pixels - problem.pixels).square().flatten(1).sum(1)
            gap = problem.goal.gap(problem.victim(pixels)) + self.confidence
            loss = size + constants * gap.clamp_min(0)
            gradient = slope(loss, w)
            w, rows = w.detach(), running.rows
            best.queries[rows] += 1
            found[rows] |= gap < 0
            best.offer(rows, pixels.detach(), size.detach(), gap < 0)
            mean.lerp_(gradient, 1 - _BETA1)
            square.mul_(_BETA2).addcmul_(gradient, gradient, value=1 - _BETA2)
            root = (square / (1 - _BETA2 ** (step + 1))).sqrt_().add_(_EPSILON)
            w.addcdiv_(mean, root, value=-self.learning_rate / (1 - _BETA1 ** (step + 1)))
            kept = running.check(step, loss.detach()) if self.abort_early else None
            if kept is not None:
                if not len(kept):
                    break
                problem, constants = problem.rows(kept), constants[kept]
                w, mean, square = w[kept], mean[kept], square[kept]
        return found
