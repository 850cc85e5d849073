"""Carlini and Wagner's attack of least L2 distortion (arXiv 1608.04644, with the settings of arXiv 1808.01688)."""

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

_INSIDE = 0.999999
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True, slots=True)
class CarliniWagner(Search):
    """Minimises ``|x' - x|^2 + c * max(0, gap + confidence)`` by Adam over w, where ``x' = (tanh(w) + 1) / 2``.

    The smallest iterate whose gap is below ``-confidence`` is kept, over all constants c. The attributes are those
    of `Search`.
    """

    name: ClassVar[str] = "cw"
    known: ClassVar[float] = 2.0
    settles: ClassVar[bool] = True

    def _start(self, clean: Tensor) -> Sequence[Tensor]:
        w = ((2 * clean - 1) * _INSIDE).arctanh()
        return w, torch.zeros_like(w), torch.zeros_like(w)

    def _step(self, problem: Problem, at: Descents, state: Sequence[Tensor]) -> tuple[Iterate, Sequence[Tensor]]:
        w, mean, square = state
        # (tanh(w) + 1) / 2, in a tenth of the time
        pixels = (2 * w).sigmoid_().requires_grad_()
        gap = problem.goal.gap(problem.victim(pixels)) + self.confidence
        hinge = at.constant * gap.clamp_min(0)
        gradient = slope(hinge, pixels)
        pixels, gap = pixels.detach(), gap.detach()
        change = pixels - problem.pixels
        size = change.square().flatten(1).sum(1)
        # What is left of the chain rule by hand: autograd would take longer for it than for a small network's layer.
        gradient = change.mul_(2).add_(gradient).mul_(pixels).mul_(2 - 2 * pixels)
        mean.lerp_(gradient, 1 - _BETA1)
        square.mul_(_BETA2).addcmul_(gradient, gradient, value=1 - _BETA2)
        # In float32 the first steps' 1 - beta would lose half its digits.
        taken = at.step.double() + 1
        share = (1 - _BETA2**taken).sqrt()
        rate = self.learning_rate * share / (1 - _BETA1**taken)
        root = square.sqrt().add_(wide((_EPSILON * share).float()))
        w.addcdiv_(mean * wide(rate.float()), root, value=-1)
        return Iterate(pixels, size, gap < 0, size + hinge.detach()), state
