"""Running an attack on the samples of a batch that it may attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from pytest_robust.attacks import rounding
from pytest_robust.attacks.budget import OptimalBudget
from pytest_robust.attacks.carlini_wagner import CarliniWagner
from pytest_robust.attacks.elastic_net import ElasticNet
from pytest_robust.attacks.goal import Goal, Problem
from pytest_robust.attacks.gradient_sign import FastGradient
from pytest_robust.attacks.projected import ProjectedGradient
from pytest_robust.attacks.victim import as_pixels
from pytest_robust.errors import RobustError
from pytest_robust.shifts.rng import Streams

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pytest_robust.attacks.norms import Norm
    from pytest_robust.attacks.square import Square
    from pytest_robust.attacks.victim import Victim
    from pytest_robust.shifts.base import Bits

GradientAttack = FastGradient | ProjectedGradient | OptimalBudget | CarliniWagner | ElasticNet
"""Attacks on a torch twin."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """A batch to attack.

    Attributes:
        canvases: clean, uint8 (N, H, W, 3).
        labels: true classes, shape (N,).
        predicted: what ONNX Runtime says of the clean canvases, shape (N,): only right ones are attacked.
        ids: the samples' ids.
        targets: the classes to reach, shape (N,); None for any but the true one. A target that is the label is skipped.
    """

    canvases: NDArray[np.uint8]
    labels: NDArray[np.integer]
    predicted: NDArray[np.integer]
    ids: Sequence[str]
    targets: NDArray[np.integer] | None = None

    def __post_init__(self) -> None:
        lengths = {len(one) for one in (self.canvases, self.labels, self.predicted, self.ids)}
        if self.targets is not None:
            lengths.add(len(self.targets))
        if len(lengths) != 1:
            raise ValueError(f"the parts of a batch have lengths {sorted(lengths)}")

    @property
    def attacked(self) -> NDArray[np.bool_]:
        """Which samples an attack may try, shape (N,)."""
        right = np.asarray(self.predicted == self.labels)
        return right if self.targets is None else right & (self.targets != self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class Crafted:
    """What an attack made of a batch; nothing counts before `confirm` has shown it to ONNX Runtime.

    Attributes:
        attacked: which samples were attacked, bool, shape (N,).
        canvases: uint8 (N, H, W, 3), inside the attack's budget after rounding; clean where not attacked.
        reached: of the torch twin, whether the goal was reached before rounding; of an attack by queries, whether it
            was reached by the canvas itself, shape (N,).
        queries: how often the classifier was shown each sample, int64, shape (N,).
        change: the perturbation before rounding, pixels counting from 0 to 1, float32 (N, H, W, 3); None where the
            attack made whole grey levels itself.
        budget: the norm and epsilon that every canvas must keep; None where the least distortion was sought.
    """

    attacked: NDArray[np.bool_]
    canvases: NDArray[np.uint8]
    reached: NDArray[np.bool_]
    queries: NDArray[np.int64]
    change: NDArray[np.float32] | None = None
    budget: tuple[Norm, float] | None = None


def craft(attack: GradientAttack, victim: Victim, samples: Samples, *, seed: int = 0) -> Crafted:
    """Attack a batch through its torch twin.

    Args:
        attack: what to do.
        victim: the source's torch twin, on the device to use.
        samples: the batch.
        seed: the spec's seed; a sample's random bits depend on it, the attack's name and the sample's id, and are the
            same for every epsilon, so that budgets are compared on equal terms.

    Raises:
        RobustError: the attack refuses its parameters, the victim has no output for a label or target, lets no
            gradient through or gives a gradient that is no number.
    """
    chosen = np.flatnonzero(samples.attacked)
    canvases = samples.canvases.copy()
    reached, queries = np.zeros(len(canvases), np.bool_), np.zeros(len(canvases), np.int64)
    change = np.zeros(canvases.shape, np.float32)
    budget = (attack.norm, attack.epsilon) if isinstance(attack, FastGradient | ProjectedGradient) else None
    if len(chosen):
        device = next(victim.buffers()).device
        pixels = as_pixels(samples.canvases[chosen], device)
        goal = _goal(samples, chosen, victim.offset, device)
        _check_outputs(victim, pixels, goal)
        found = attack(Problem(victim, pixels, goal, _bits(attack, samples, chosen, seed)))
        change[chosen] = (found.pixels - pixels).permute(0, 2, 3, 1).cpu().numpy()
        canvases[chosen] = rounding.rounded(canvases[chosen], change[chosen], budget)
        reached[chosen], queries[chosen] = found.reached.cpu().numpy(), found.queries.numpy()
    return Crafted(samples.attacked, canvases, reached, queries, change, budget)


def craft_by_queries(
    attack: Square,
    logits: Callable[[NDArray[np.uint8]], NDArray[np.floating]],
    samples: Samples,
    *,
    offset: int = 0,
    seed: int = 0,
) -> Crafted:
    """Attack a batch by what the model says of canvases alone.

    Args:
        attack: what to do.
        logits: canvases (N, H, W, 3) -> scores (N, outputs), the larger the likelier; of probabilities rather their
            logarithm, see `victim.black_box`.
        samples: the batch.
        offset: outputs before the first class.
        seed: as for `craft`.

    Raises:
        RobustError: the attack refuses its parameters.
    """
    chosen = np.flatnonzero(samples.attacked)
    canvases = samples.canvases.copy()
    reached, queries = np.zeros(len(canvases), np.bool_), np.zeros(len(canvases), np.int64)
    if len(chosen):
        goal = _goal(samples, chosen, offset, "cpu")
        made = attack.search(logits, canvases[chosen], goal, _bits(attack, samples, chosen, seed))
        canvases[chosen], reached[chosen], queries[chosen] = made
    return Crafted(samples.attacked, canvases, reached, queries)


def _goal(samples: Samples, chosen: NDArray[np.intp], offset: int, device: str | torch.device) -> Goal:
    classes = samples.labels if samples.targets is None else samples.targets
    columns = torch.from_numpy(classes[chosen].astype(np.int64) + offset).to(device)
    return Goal(columns, samples.targets is not None)


def _bits(attack: GradientAttack | Square, samples: Samples, chosen: NDArray[np.intp], seed: int) -> tuple[Bits, ...]:
    streams = Streams(seed, f"attack_{attack.name}", {})
    return tuple(streams.for_id(samples.ids[i]) for i in chosen.tolist())


def _check_outputs(victim: Victim, pixels: torch.Tensor, goal: Goal) -> None:
    """Look once at what the victim gives before anything is indexed by a class."""
    with torch.no_grad():
        scores = victim(pixels[:1])
    least, most = int(goal.columns.min()), int(goal.columns.max())
    if least < 0 or most >= scores.shape[1]:
        raise RobustError(
            f"an attack aims at output {most if most >= scores.shape[1] else least} of a model with {scores.shape[1]}: "
            "correct the labels, the targets or output.label_offset"
        )
