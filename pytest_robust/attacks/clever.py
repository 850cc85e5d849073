"""CLEVER: a score of robustness from the gradients around an image (Weng et al., arXiv 1801.10578).

For the true class c and another class j, ``g(x) = z_c(x) - z_j(x)`` cannot fall to 0 within ``g(x0) / L`` of the image
x0, if L is the largest slope of g around it. L is estimated from the dual norms of gradients at random points: their
maxima over many batches follow a reverse Weibull law, whose upper end it is. The score is an estimate of a lower bound
of the least distortion, no proof of it. The sampling is that of the survey arXiv 1808.01688.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from pytest_robust.attacks.goal import slope
from pytest_robust.attacks.norms import Norm, check_norm, size
from pytest_robust.attacks.reverse_weibull import upper_end
from pytest_robust.attacks.victim import as_pixels
from pytest_robust.errors import RobustError
from pytest_robust.models.portions import Portions
from pytest_robust.shifts.quantiles import SIZE, normal
from pytest_robust.shifts.rng import Streams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from pytest_robust.attacks.victim import Victim
    from pytest_robust.shifts.base import Bits

RADIUS: dict[Norm, float] = {"linf": 0.1, "l2": 3.0, "l1": 30.0}
"""How far the points are drawn, and the largest score, unless told otherwise."""

_DUAL: dict[Norm, Norm] = {"linf": "l1", "l2": "l2", "l1": "linf"}
_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Clever:
    """How the score is estimated; part of every score's provenance.

    Attributes:
        norm: of the distortion.
        batches: how many maxima.
        points: random points of each maximum.
        radius: see `RADIUS`. In l2 and l1 a point's distance is a uniform share of it, in linf the points are uniform
            in the whole ball, as in the released code.
    """

    norm: Norm = "l2"
    batches: int = 500
    points: int = 1024
    radius: float | None = None

    @property
    def reach(self) -> float:
        """The radius."""
        return RADIUS[self.norm] if self.radius is None else self.radius


@dataclass(frozen=True, slots=True, eq=False)
class CleverScores:
    """Scores of a batch; every array is of shape (N, targets).

    Attributes:
        scores: in the norm's units with pixels from 0 to 1, at most the radius; NaN for an image that the victim has
            wrong and for a target that is its label.
        slopes: the estimates of L.
        fitted: whether L is the end of a fitted law; else it is the largest slope met.
        config: how they were estimated.
    """

    scores: NDArray[np.float64]
    slopes: NDArray[np.float64]
    fitted: NDArray[np.bool_]
    config: Clever

    @property
    def untargeted(self) -> NDArray[np.float64]:
        """The least over the targets, shape (N,), which must have been all classes; NaN where none has a score."""
        least = np.where(np.isnan(self.scores), np.inf, self.scores).min(axis=1, initial=np.inf)
        return np.where(np.isinf(least), np.nan, least)

    @property
    def flat(self) -> NDArray[np.bool_]:
        """The images with scores of which every slope is 0, shape (N,): nothing changes the model within the radius."""
        known = ~np.isnan(self.scores)
        found: NDArray[np.bool_] = known.any(axis=1) & (~known | (self.slopes == 0)).all(axis=1)
        return found


def clever(
    config: Clever,
    victim: Victim,
    canvases: NDArray[np.uint8],
    labels: NDArray[np.integer],
    ids: Sequence[str],
    targets: NDArray[np.integer],
    *,
    seed: int = 0,
) -> CleverScores:
    """Score images.

    Args:
        config: how.
        victim: the model's torch twin.
        canvases: uint8 (N, H, W, 3).
        labels: true classes, shape (N,).
        ids: the samples' ids; a sample's points depend on its id and the seed alone.
        targets: classes, shape (N, targets); `other_classes` gives all that the untargeted score needs.
        seed: the spec's seed.

    Raises:
        RobustError: an unknown norm, no batches or points, a radius that is not positive, a victim without gradient
            or with one that is no finite number, or too little memory for one point.
    """
    check_norm(config.norm)
    if config.batches < 1 or config.points < 1 or not config.reach > 0:
        raise RobustError(
            f"CLEVER was given {config.batches} batches of {config.points} points within {config.reach:g}: all must be "
            "positive"
        )
    streams = Streams(seed, "clever", {"norm": config.norm, "points": config.points, "radius": config.reach})
    device = next(victim.buffers()).device
    scores, slopes = np.full(targets.shape, np.nan), np.full(targets.shape, np.nan)
    fitted, portions = np.zeros(targets.shape, np.bool_), Portions(_AT_ONCE)
    for i, pixels in enumerate(as_pixels(canvases, device)):
        own = int(labels[i]) + victim.offset
        wanted = np.flatnonzero(targets[i] != labels[i])
        columns = torch.from_numpy(targets[i, wanted].astype(np.int64) + victim.offset).to(device)
        with torch.no_grad():
            logits = victim(pixels[None])[0]
        if int(logits.argmax()) != own or not len(wanted):
            continue
        gaps = (logits[own] - logits[columns]).double().cpu().numpy()
        maxima = _maxima(config, victim, pixels, own, columns, streams.for_id(ids[i]), portions)
        if not np.isfinite(maxima).all():
            raise RobustError(
                f"the gradient around the image {ids[i]} is no finite number, so there is no score: mend the operator "
                "that makes it, such as a square root at 0"
            )
        for place, gap, column in zip(wanted, gaps, maxima.T, strict=True):
            end = upper_end(column)
            slopes[i, place], fitted[i, place] = end.value, end.fitted
            scores[i, place] = min(gap / end.value, config.reach) if end.value > 0 else config.reach
    return CleverScores(scores, slopes, fitted, config)


def other_classes(labels: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """Every class but the own one, shape (N, classes - 1)."""
    rest = np.arange(classes - 1)[None, :]
    return rest + (rest >= labels.astype(np.int64)[:, None])


def _maxima(
    config: Clever, victim: Victim, pixels: Tensor, own: int, columns: Tensor, bits: Bits, portions: Portions
) -> NDArray[np.float64]:
    """The largest slope of every batch, shape (batches, targets)."""
    dual = _DUAL[config.norm]
    found = np.zeros((config.batches, len(columns)))
    lane = 0
    for batch in range(config.batches):
        for start in range(0, config.points, _AT_ONCE):
            count = min(_AT_ONCE, config.points - start)
            moves = _moves(bits, count, pixels.numel(), config, lane)
            points = (pixels + torch.from_numpy(moves).to(pixels).view(count, *pixels.shape)).clamp_(0, 1)
            slopes = portions(count, partial(_slopes, victim, points, own, columns, dual))
            found[batch] = np.max([found[batch], *slopes], axis=0)
            lane += 1
    return found


def _slopes(victim: Victim, every: Tensor, own: int, columns: Tensor, dual: Norm, here: slice) -> NDArray[np.float64]:
    """The largest gradient's norm among some of the points, by target."""
    points = every[here].detach().requires_grad_()
    scores = victim(points)
    made = []
    for column in columns:
        gradient = slope(scores[:, own] - scores[:, column], points, again=True)
        made.append(float(size(gradient, dual).max()))
    return np.array(made)


def _moves(bits: Bits, count: int, values: int, config: Clever, lane: int) -> NDArray[np.float32]:
    """Random perturbations, shape (count, values)."""
    words = bits.uint16(count * (values + 2), lane=lane).reshape(count, values + 2)
    main = words[:, 2:]
    uniform = (main.astype(np.float32) + np.float32(0.5)) / np.float32(SIZE)
    if config.norm == "linf":
        return (2 * uniform - 1) * np.float32(config.reach)
    if config.norm == "l2":
        directions = normal()[main]
        lengths = np.sqrt((directions**2).sum(axis=1))
    else:
        # Laplace's law: its direction is uniform on the hull of the L1 ball.
        directions = np.sign(uniform - 0.5) * -np.log(1 - np.abs(2 * uniform - 1))
        lengths = np.abs(directions).sum(axis=1)
    shares = (words[:, :2] + 0.5) / SIZE
    radii = config.reach * shares[:, 0] * shares[:, 1] ** (1 / values)
    moves: NDArray[np.float32] = directions * (radii / np.maximum(lengths, 1e-30)).astype(np.float32)[:, None]
    return moves
