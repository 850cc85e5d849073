"""Linear classifiers, of which every least perturbation is known in closed form."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pytest_robust.attacks import Victim
from pytest_robust.attacks.goal import Goal, Problem
from pytest_robust.shifts.rng import Stream
from pytest_robust.spec.plan import Preprocess

SIDE = 4
VALUES = 3 * SIDE * SIDE


def linear(classes: int = 2, seed: int = 0, margin: float = 0.3) -> Victim:
    """Random weights on mid-grey images, whose class is 0 by at least `margin`."""
    draw = torch.Generator().manual_seed(seed)
    layer = nn.Linear(VALUES, classes)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(classes, VALUES, generator=draw))
        scores = layer.weight @ torch.full((VALUES,), 0.5)
        layer.bias.copy_(-scores - margin * torch.arange(classes))
    return Victim(nn.Sequential(nn.Flatten(), layer), Preprocess()).eval().requires_grad_(False)


def weights(victim: Victim) -> NDArray[np.float64]:
    """Shape (classes, VALUES)."""
    return next(victim.parameters()).detach().double().numpy()


def grey(count: int = 1) -> torch.Tensor:
    return torch.full((count, 3, SIDE, SIDE), 0.5)


def problem(victim: Victim, count: int = 1, target: int | None = None) -> Problem:
    """Grey images of class 0."""
    columns = torch.full((count,), 0 if target is None else target)
    bits = tuple(Stream(0, "attack", {}, str(i)) for i in range(count))
    return Problem(victim, grey(count), Goal(columns, target is not None), bits)


def dual(slope: NDArray[np.float64], norm: str) -> float:
    order = {"linf": 1, "l2": 2, "l1": np.inf}[norm]
    return float(np.linalg.norm(slope, order))
