"""What an attack wants a classifier to say, and what it is given to reach it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch.nn import functional

from pytest_robust.errors import RobustError
from pytest_robust.gradients.registry import INSTEAD

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from pytest_robust.shifts.base import Bits

Objective = Literal["cross_entropy", "logit"]
"""What is raised: the cross-entropy of the true class (lowered for a target), or the survey's single logit.

The cross-entropy of a very sure model has no gradient left in float32; the logit always has one.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """Which output must not be, or for a targeted attack must be, the largest.

    Attributes:
        columns: that output of every sample, int64, shape (N,).
        targeted: whether it is a target.
    """

    columns: Tensor
    targeted: bool

    def gap(self, scores: Tensor) -> Tensor:
        """How far the goal is, shape (N,): reached where it is below 0, so that a tie is no success.

        The true score less the best other one; of a target, the best other score less the target's.

        Args:
            scores: logits, shape (N, outputs).
        """
        column = self.columns[:, None]
        own = scores.gather(1, column).squeeze(1)
        other = scores.scatter(1, column, -torch.inf).amax(1)
        return other - own if self.targeted else own - other

    def gain(self, scores: Tensor, objective: Objective) -> Tensor:
        """What a gradient attack ascends, shape (N,)."""
        if objective == "logit":
            own = scores.gather(1, self.columns[:, None]).squeeze(1)
            return own if self.targeted else -own
        entropy = functional.cross_entropy(scores, self.columns, reduction="none")
        return -entropy if self.targeted else entropy


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A batch under attack; what becomes of a sample depends on nothing of the others.

    Attributes:
        victim: pixels in [0, 1] of shape (N, 3, H, W) -> logits (N, outputs), under autograd.
        pixels: the clean images.
        goal: what the victim is to say.
        bits: every sample's own random bits.
    """

    victim: Callable[[Tensor], Tensor]
    pixels: Tensor
    goal: Goal
    bits: tuple[Bits, ...]

    def rows(self, index: Tensor) -> Problem:
        """The samples at `index`, int64, shape (M,)."""
        goal = Goal(self.goal.columns[index], self.goal.targeted)
        return Problem(self.victim, self.pixels[index], goal, tuple(self.bits[i] for i in index.tolist()))

    def climb(self, pixels: Tensor, objective: Objective) -> tuple[Tensor, Tensor]:
        """The gradient of the gain at `pixels`, of their shape, and where the goal is reached there, bool (N,).

        Raises:
            RobustError: the victim's graph lets no gradient through, or one that is no number.
        """
        tracked = pixels.detach().requires_grad_()
        scores = self.victim(tracked)
        gradient = slope(self.goal.gain(scores, objective), tracked)
        return gradient, self.goal.gap(scores.detach()) < 0

    def reached(self, pixels: Tensor) -> Tensor:
        """Where the goal is reached, bool, shape (N,)."""
        with torch.no_grad():
            return self.goal.gap(self.victim(pixels)) < 0


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What an attack found.

    Attributes:
        pixels: the adversarial images in [0, 1], not rounded to grey levels; of a sample without success the
            attack's last try, or the clean image where the attack only keeps successes.
        reached: whether the victim says there what it is to say, bool, shape (N,).
        queries: how often the victim was shown each sample, int64, shape (N,).
    """

    pixels: Tensor
    reached: Tensor
    queries: Tensor


def slope(values: Tensor, pixels: Tensor, *, again: bool = False) -> Tensor:
    """The gradient of every sample's value with respect to its own pixels, of their shape.

    Args:
        values: one per sample, shape (N,).
        pixels: what they were computed from.
        again: whether more is to be derived from the same run of the victim.

    Raises:
        RobustError: a gradient is infinite or no number; the sign of such would be a step like any other.
    """
    (gradient,) = torch.autograd.grad(values.sum(), pixels, retain_graph=again)
    # Their sum is a tenth of the work of a look at each of them.
    if not gradient.sum().isfinite():
        raise RobustError(f"the model has gradients that are no finite numbers on some image: {INSTEAD}")
    return gradient


def keep(mask: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """`new` where the mask of shape (N,) holds, `old` elsewhere."""
    return torch.where(mask[:, None, None, None], new, old)
