"""Balls of pixel perturbations: their sizes, steepest directions and projections.

Pixels are in [0, 1], so an epsilon of 8/255 is eight grey levels. "Is Robustness the Cost of Accuracy?" (arXiv
1808.01688) writes its images in [-0.5, 0.5]: that range is as wide, so its epsilons are the same numbers, and its
L-infinity epsilon of 0.1 is 25.5 grey levels.

Perturbations are float tensors of shape (N, C, H, W); sizes and epsilons have shape (N,).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, get_args

import torch

from pytest_robust.errors import RobustError
from pytest_robust.spec.pixel_range import beyond

if TYPE_CHECKING:
    from torch import Tensor

Norm = Literal["linf", "l2", "l1"]
"""In which norm a perturbation is bounded."""

ORDER: dict[Norm, float] = {"linf": math.inf, "l2": 2.0, "l1": 1.0}

TINY = 1e-30
"""Gradients shorter than this count as zero and give no step."""


def size(delta: Tensor, norm: Norm) -> Tensor:
    """The norm of each perturbation, shape (N,)."""
    found: Tensor = torch.linalg.vector_norm(delta.flatten(1), ORDER[norm], dim=1)
    return found


def wide(values: Tensor) -> Tensor:
    """One number per sample, shape (N,), so that it multiplies images: (N, 1, 1, 1)."""
    return values[:, None, None, None]


def unit(gradient: Tensor, norm: Norm) -> Tensor:
    """The survey's step of size 1: the sign of the gradient, or the gradient over its L2 or L1 norm.

    A gradient of zero gives no step.
    """
    if norm == "linf":
        return gradient.sign()
    # Squares of a sure model's gradient would underflow: bring it to the size of 1 first.
    scaled = gradient / wide(size(gradient, "linf").clamp_min(TINY))
    return scaled / wide(size(scaled, norm).clamp_min(TINY))


def rescaled(delta: Tensor, norm: Norm, epsilon: Tensor) -> Tensor:
    """The survey's projection: clipped to epsilon for linf, brought to a size of exactly epsilon for l2 and l1."""
    if norm == "linf":
        return _clipped(delta, epsilon)
    return delta * wide(epsilon / size(delta, norm).clamp_min(TINY))


def projected(delta: Tensor, norm: Norm, epsilon: Tensor) -> Tensor:
    """The nearest perturbation, in the Euclidean sense, of a size of at most epsilon.

    For l1 it subtracts one threshold from all magnitudes (Duchi et al., ICML 2008, figure 1).
    """
    if norm == "linf":
        return _clipped(delta, epsilon)
    if norm == "l2":
        return delta * wide((epsilon / size(delta, norm).clamp_min(TINY)).clamp_max(1))
    magnitudes = delta.flatten(1).abs()
    ordered = magnitudes.sort(dim=1, descending=True).values
    excess = ordered.cumsum(1) - epsilon[:, None]
    ranks = torch.arange(1, ordered.shape[1] + 1, device=delta.device)
    kept = (ordered * ranks > excess).sum(1, keepdim=True).clamp_min(1)
    threshold = (excess.gather(1, kept - 1) / kept).clamp_min(0)
    return delta.sign() * (magnitudes - threshold).clamp_min(0).view_as(delta)


def _clipped(delta: Tensor, epsilon: Tensor) -> Tensor:
    bound = wide(epsilon)
    return torch.minimum(torch.maximum(delta, -bound), bound)


def check_norm(norm: str) -> None:
    """Raise RobustError unless the norm is a known one."""
    if norm not in get_args(Norm):
        raise RobustError(f"the norm {norm!r} is unknown: an attack's norm is one of {', '.join(get_args(Norm))}")


def check_epsilon(epsilon: float, norm: Norm, values: int) -> None:
    """Raise RobustError unless some image of that many pixel values can be moved by `epsilon`, or it is 0."""
    if problem := beyond("epsilon", epsilon, norm, values):
        raise RobustError(f"{problem}; write grey levels as a share of 255")
