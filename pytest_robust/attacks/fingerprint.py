"""Fingerprints of a model: characteristic examples after Wang et al. (IJCAI 2021, arXiv 2105.07078).

An image of noise is moved, inside a small L-infinity ball, until the model takes it for a class drawn at random. Copies
of the model answer most of such images in the same way and other models do not, so a set of them tells whether a file
still holds the model. Neither training data nor training is needed.

| kind | the gradient of a step is that of |
|---|---|
| ``vanilla`` | the model |
| ``rc`` (robust) | the model with noise on its weights, drawn anew for every step |
| ``ltrc`` (robust, of low transferability) | the same without its low spatial frequencies |

The paper's figures for its parameters could not be looked up: the meaning of each is stated here and the defaults are
ours. The noise is uniform in [-delta, delta] in the unit of the weights themselves, not a share of each: networks
whose weights are large are moved less by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch
from torch.func import functional_call

from pytest_robust.attacks import rounding
from pytest_robust.attacks.goal import Goal, Problem
from pytest_robust.attacks.projected import ProjectedGradient
from pytest_robust.attacks.targets import choose_targets
from pytest_robust.attacks.victim import as_pixels
from pytest_robust.errors import RobustError
from pytest_robust.models.portions import Portions
from pytest_robust.shifts.rng import Streams

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from pytest_robust.attacks.goal import Objective
    from pytest_robust.attacks.victim import Victim

Kind = Literal["vanilla", "rc", "ltrc"]

TRIES = 10
"""So many seed images per wanted example are tried before the search is given up."""

BATCH = 50
"""So many examples are made at once."""

_STEP = 2.5
"""The customary step, as a share of ``epsilon / iterations``."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How characteristic examples are made.

    Attributes:
        kind: see the module.
        epsilon: farthest that a pixel moves from its noise, pixels counting from 0 to 1.
        iterations: how many steps, each of ``2.5 * epsilon / iterations``.
        delta: bound of the noise on the weights, in their own unit; not for `vanilla`.
        draws: noises per step, over which the gradient is averaged (the paper's gradient mean); not for `vanilla`.
        radius: frequencies nearer to 0 than this share of the spectrum's corner are left out; for `ltrc` alone.
    """

    kind: Kind = "rc"
    epsilon: float = 16 / 255
    iterations: int = 20
    delta: float = 0.01
    draws: int = 4
    radius: float = 0.2

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise RobustError(f"the kind {self.kind!r} is unknown: a fingerprint is one of {', '.join(get_args(Kind))}")
        if not 0 < self.epsilon <= 1 or not self.delta >= 0 or not 0 <= self.radius < 1:
            raise RobustError(
                f"a fingerprint was asked for with epsilon {self.epsilon:g}, delta {self.delta:g} and radius "
                f"{self.radius:g}: take an epsilon above 0 and up to 1, since pixels count from 0 to 1, a delta of "
                "0 or more, and a radius from 0 to below 1"
            )
        if self.iterations < 1 or self.draws < 1:
            raise RobustError(
                f"a fingerprint was asked for with {self.iterations} iterations and {self.draws} draws: take 1 or more "
                "of both"
            )

    @property
    def parameters(self) -> dict[str, float]:
        """What the kind makes use of, by name."""
        every = {"epsilon": self.epsilon, "iterations": self.iterations, "delta": self.delta, "draws": self.draws}
        if self.kind == "vanilla":
            return {"epsilon": self.epsilon, "iterations": self.iterations}
        return {**every, "radius": self.radius} if self.kind == "ltrc" else every


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """Characteristic examples that ONNX Runtime confirms.

    Attributes:
        images: uint8 (N, H, W, 3).
        labels: what the model takes each of them for, uint16 (N,).
        tried: how many noise images it took.
        notes: sentences on how they were made that their owner must know.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint16]
    tried: int
    notes: tuple[str, ...] = ()


def make_fingerprint(
    recipe: Recipe,
    victim: Victim,
    predict: Callable[[NDArray[np.uint8]], NDArray[np.uint16]],
    sides: tuple[int, int],
    *,
    count: int = 100,
    classes: int | None = None,
    seed: int = 0,
    batch_size: int = BATCH,
) -> Fingerprint:
    """Make the fingerprint of a model.

    Seed image and target of a try depend on its number and the seed alone, and so does the noise of a step; the batch
    size changes no more than the last bits of floats.

    Args:
        recipe: how.
        victim: the model's torch twin.
        predict: canvases (N, H, W, 3) -> classes, uint16 (N,), by ONNX Runtime.
        sides: height and width of the images in pixels.
        count: how many examples.
        classes: targets are drawn from so many first classes, and are never what the model says of the noise itself;
            None takes all outputs.
        seed: of the noise images, the targets and the noise on the weights.
        batch_size: examples made at once.

    Raises:
        RobustError: fewer than `count` of 10 times as many tries are confirmed; the model has fewer than two classes,
            or fewer than `classes`; it lets no gradient through; noise is asked for and it has no float weights; or
            memory runs out for one example.
    """
    weights = {} if recipe.kind == "vanilla" else _weights(victim)
    classes = _classes(victim, sides, classes)
    images: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    portions = Portions(min(batch_size, TRIES * count))
    for first in range(0, TRIES * count, batch_size):
        tries = range(first, min(first + batch_size, TRIES * count))
        ids = [f"{one:06d}" for one in tries]
        seeds = seed_images(ids, sides, seed)
        targets = choose_targets("random", np.empty((len(ids), classes)), predict(seeds), ids, seed)
        parts = portions(len(ids), partial(_crafted, recipe, victim, weights, seeds, targets, seed))
        made = np.concatenate(parts)
        for one, image, wanted, said in zip(tries, made, targets.tolist(), predict(made).tolist(), strict=True):
            if said == wanted:
                images.append(image)
                labels.append(wanted)
            if len(images) == count:
                notes = portions.note("making")
                return Fingerprint(np.stack(images), np.array(labels, np.uint16), one + 1, notes)
    raise RobustError(
        f"ONNX Runtime confirms {len(images)} of {TRIES * count} tried examples, and {count} are wanted: raise epsilon "
        "or the iterations, or lower delta or the radius"
    )


def seed_images(ids: Sequence[str], sides: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    """Uniform noise, every image by its own id: uint8 (N, height, width, 3)."""
    streams = Streams(seed, "fingerprint", {})
    noise = np.stack([streams.for_id(one).uint16(3 * sides[0] * sides[1]) >> 8 for one in ids])
    return noise.astype(np.uint8).reshape(-1, *sides, 3)


@dataclass(frozen=True, slots=True, eq=False)
class _Hardened(Problem):
    """A problem whose slope is that of the victim with noisy weights.

    Attributes:
        recipe: how.
        weights: the victim's, by name.
        draw: gives the noise; every call goes on from the last.
    """

    recipe: Recipe
    weights: Mapping[str, Tensor]
    draw: torch.Generator

    def climb(self, pixels: Tensor, objective: Objective) -> tuple[Tensor, Tensor]:
        """The mean gradient over the draws, and where all of them reach the goal; see `Problem.climb`."""
        every = [
            Problem(self._noisy(), self.pixels, self.goal, self.bits).climb(pixels, objective)
            for _ in range(self.recipe.draws)
        ]
        gradient = torch.stack([one for one, _ in every]).mean(0)
        if self.recipe.kind == "ltrc":
            gradient = high_pass(gradient, self.recipe.radius)
        return gradient, torch.stack([reached for _, reached in every]).all(0)

    def _noisy(self) -> Callable[[Tensor], Tensor]:
        moved = {name: noisy(value, self.recipe.delta, self.draw) for name, value in self.weights.items()}
        victim: Any = self.victim
        return lambda pixels: functional_call(victim, moved, (pixels,))


def noisy(weights: Tensor, delta: float, draw: torch.Generator) -> Tensor:
    """The weights with noise uniform in [-delta, delta]; the draws are made on the CPU, whatever the device.

    Weights of which none is negative, such as the variances of a batch normalisation, lose at most half of their size.
    """
    noise = (torch.rand(weights.shape, generator=draw) * 2 - 1).to(weights) * delta
    return weights + (noise if bool((weights < 0).any()) else torch.maximum(noise, -weights / 2))


def high_pass(images: Tensor, radius: float) -> Tensor:
    """Remove the frequencies within `radius` times the distance of the spectrum's corner, channel by channel.

    Args:
        images: shape (N, C, H, W).
        radius: from 0, which removes the mean alone, to 1, which leaves nothing.
    """
    height, width = images.shape[2:]
    down, right = (torch.fft.fftfreq(side, 0.5, device=images.device) for side in (height, width))
    distance = (down[:, None].square() + right.square()).div(2).sqrt()
    kept: Tensor = torch.fft.ifft2(torch.fft.fft2(images) * (distance > radius)).real
    return kept


def _crafted(
    recipe: Recipe,
    victim: Victim,
    weights: Mapping[str, Tensor],
    seeds: NDArray[np.uint8],
    targets: NDArray[np.int64],
    seed: int,
    here: slice,
) -> NDArray[np.uint8]:
    """Some examples of a batch, uint8 (N, H, W, 3), before anyone has confirmed them."""
    seeds, targets = seeds[here], targets[here]
    pixels = as_pixels(seeds, next(victim.buffers()).device)
    goal = Goal(torch.from_numpy(targets + victim.offset).to(pixels.device), targeted=True)
    problem = Problem(victim, pixels, goal, ())
    if recipe.kind != "vanilla":
        draw = torch.Generator().manual_seed(seed)
        problem = _Hardened(victim, pixels, goal, (), recipe, weights, draw)
    step = _STEP * recipe.epsilon / recipe.iterations
    attack = ProjectedGradient(recipe.epsilon, iterations=recipe.iterations, step=step)
    change = (attack(problem).pixels - pixels).permute(0, 2, 3, 1).cpu().numpy()
    return rounding.within(seeds, change, "linf", recipe.epsilon)


def _classes(victim: Victim, sides: tuple[int, int], asked: int | None) -> int:
    with torch.no_grad():
        blank = np.zeros((1, *sides, 3), np.uint8)
        having = victim(as_pixels(blank, next(victim.buffers()).device)).shape[1] - victim.offset
    if having < 2:
        raise RobustError(f"a fingerprint needs two classes or more, and the model has {having}")
    if asked is not None and not 2 <= asked <= having:
        raise RobustError(
            f"a fingerprint over the first {asked} classes was asked for: take 2 to {having}, for which the model has "
            "outputs"
        )
    return having if asked is None else asked


def _weights(victim: Victim) -> dict[str, Tensor]:
    """The victim's float weights.

    Raises:
        RobustError: there are none but biases and scales, as in a graph that computes with integers.
    """
    every = victim.weights
    if not any(value.ndim > 1 for value in every.values()):
        raise RobustError(
            "the model is quantized and keeps its weights as integers, to which noise of a size delta says nothing: "
            "make a vanilla fingerprint, or one of the float model that it was quantized from"
        )
    return every
