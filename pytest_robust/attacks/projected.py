"""I-FGSM and PGD: steps along the gradient inside a ball (Madry et al., arXiv 1706.06083; arXiv 1808.01688)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import torch

from pytest_robust.attacks import norms
from pytest_robust.attacks.goal import Found, keep
from pytest_robust.errors import RobustError
from pytest_robust.shifts.lp_sampling import lp_noise

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_robust.attacks.goal import Objective, Problem


@dataclass(frozen=True, slots=True)
class ProjectedGradient:
    """`iterations` steps along the gradient, each put back into the ball and into [0, 1].

    Without a random start, with the default step and `projection="rescale"` it is the survey's I-FGSM. The last
    iterate that reaches the goal is kept, else the last one.

    Attributes:
        epsilon: radius of the ball, pixels counting from 0 to 1.
        norm: of the ball and of the steps.
        iterations: how many steps.
        step: size of a step in `norm`; None takes ``epsilon / iterations``, which without momentum just reaches
            the hull. With a random start 2.5 times as much is customary.
        random_start: begin at a point uniform in the ball, the sample's own, and not at the image.
        projection: `nearest`, the Euclidean one onto the ball; or `rescale`, the survey's for l2 and l1, to a size
            of exactly epsilon (before the clip to [0, 1]).
        objective: what the gradient is of.
        stop_early: a sample leaves the batch at its first success. As many succeed, in less time; the examples are
            weaker against other models.
    """

    epsilon: float
    norm: norms.Norm = "linf"
    iterations: int = 10
    step: float | None = None
    random_start: bool = False
    projection: Literal["nearest", "rescale"] = "nearest"
    objective: Objective = "cross_entropy"
    stop_early: bool = False
    name: ClassVar[str] = "pgd"

    def __call__(self, problem: Problem) -> Found:
        """Attack a batch.

        Raises:
            RobustError: an unknown norm, an epsilon that no image can be moved by, a step or number of iterations
                that is not positive, or a victim without gradient.
        """
        return self.within(problem, torch.full((len(problem.pixels),), self.epsilon, device=problem.pixels.device))

    def within(self, problem: Problem, epsilon: Tensor) -> Found:
        """As a call, with every sample's own radius: shape (N,), and `step` a share of it as `epsilon` says."""
        self._check(problem, epsilon)
        start = self._start(problem, epsilon) if self.random_start else 0
        kept, pixels = problem.pixels.clone(), (problem.pixels + start).clamp(0, 1)
        step = norms.wide(epsilon / self.iterations if self.step is None else torch.full_like(epsilon, self.step))
        put_back = norms.projected if self.projection == "nearest" else norms.rescaled
        box = self._box(problem.pixels, epsilon) if self.norm == "linf" else None
        rows = torch.arange(len(kept), device=kept.device)
        reached, queries = torch.zeros_like(rows, dtype=torch.bool), torch.full_like(rows, self.iterations + 1)
        for taken in range(self.iterations):
            gradient, here = problem.climb(pixels, self.objective)
            if not self.stop_early:
                # No copy where all succeed: the next step makes its pixels anew.
                kept, reached = pixels if here.all() else keep(here, pixels, kept), reached | here
            elif here.any():
                kept[rows[here]], reached[rows[here]], queries[rows[here]] = pixels[here], True, taken + 1
                going = (~here).nonzero().squeeze(1)
                problem, rows, pixels, gradient = problem.rows(going), rows[going], pixels[going], gradient[going]
                step, epsilon = step[going], epsilon[going]
                box = box and (box[0][going], box[1][going])
                if not len(going):
                    return Found(kept, reached, queries.cpu())
            # Gradients come in the layout of the network: with the pixels first the result keeps theirs, and one step
            # of all is between layouts.
            moved = pixels.addcmul(norms.unit(gradient, self.norm), step)
            if box:
                pixels = moved.clamp_(*box)
                continue
            clean = problem.pixels
            pixels = (clean + put_back(moved.clamp_(0, 1) - clean, self.norm, epsilon)).clamp_(0, 1)
        here = problem.reached(pixels)
        last = here | ~reached[rows]
        kept[rows[last]] = pixels[last]
        reached[rows[here]] = True
        return Found(kept, reached, queries.cpu())

    @staticmethod
    def _box(clean: Tensor, epsilon: Tensor) -> tuple[Tensor, Tensor]:
        """The least and the largest pixels inside an L-infinity ball and [0, 1]: putting back is one clamp."""
        bound = norms.wide(epsilon)
        return (clean - bound).clamp_(0, 1), (clean + bound).clamp_(0, 1)

    def _start(self, problem: Problem, epsilon: Tensor) -> Tensor:
        """Points uniform in the balls, of the images' shape."""
        count, order = problem.pixels[0].numel(), norms.ORDER[self.norm]
        draws = np.stack([lp_noise(bits, count, order, 1.0, "ball") for bits in problem.bits])
        return torch.from_numpy(draws).to(problem.pixels).view_as(problem.pixels) * norms.wide(epsilon)

    def _check(self, problem: Problem, epsilon: Tensor) -> None:
        norms.check_norm(self.norm)
        for one in sorted(set(epsilon.tolist())):
            norms.check_epsilon(one, self.norm, problem.pixels[0].numel())
        if self.iterations < 1 or (self.step is not None and not self.step > 0):
            raise RobustError(
                f"a projected gradient attack was given {self.iterations} iterations and the step {self.step}: both "
                "must be positive"
            )
