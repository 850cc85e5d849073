"""How an enhancer is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pytest_robust.augment.base import is_whole
from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from pytest_robust.enhance.enhancer import Size

Optimiser = Literal["sgd", "adam"]

_MOST_SEED = 2**63
"""The least whole number that is no seed to torch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The numbers of a training; `for_size` has the defaults.

    Attributes:
        size: which networks.
        epochs: passes over the data.
        batch: images per step; what is left over of an epoch waits for another.
        optimiser: ``sgd`` with momentum 0.9, or ``adam``.
        rate: learning rate of the estimator.
        network_rate: learning rate of the image-to-image network.
        weight_decay: of all weights.
        halve_every: both rates are halved after so many epochs, again and again.
        flip: turn every second image left to right, at random.
        seed: of weights, order and flips.
    """

    size: Size
    epochs: int
    batch: int
    optimiser: Optimiser
    rate: float
    network_rate: float
    weight_decay: float
    halve_every: int
    flip: bool
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse numbers that train nothing.

        Raises:
            RobustError: one is out of range.
        """
        for name in ("epochs", "batch", "halve_every", "seed"):
            if not is_whole(getattr(self, name)):
                raise RobustError(f"{name.replace('_', ' ')} must be a whole number, not {getattr(self, name)!r}")
        for name in ("epochs", "batch", "halve_every", "rate", "network_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise RobustError(f"{name.replace('_', ' ')} must be above 0, not {getattr(self, name)}")
        for name in ("weight_decay", "seed"):
            if not 0 <= getattr(self, name) < _MOST_SEED:
                raise RobustError(
                    f"{name.replace('_', ' ')} must be 0 or more and below 2**63, not {getattr(self, name)}"
                )
        if self.batch < 2:
            raise RobustError("batch must be 2 or more: its statistics are taken in training")


def for_size(size: Size) -> Settings:
    """The defaults.

    Of ``resnet18`` they are the paper's, which begins at pretrained weights; of ``small`` they suit networks of that
    size that begin at random, on small images.
    """
    if size == "resnet18":
        return Settings(
            size=size,
            epochs=60,
            batch=64,
            optimiser="sgd",
            rate=1e-4,
            network_rate=1e-3,
            weight_decay=1e-3,
            halve_every=10,
            flip=True,
        )
    return Settings(
        size=size,
        epochs=30,
        batch=64,
        optimiser="adam",
        rate=2e-3,
        network_rate=2e-3,
        weight_decay=0,
        halve_every=10,
        flip=False,
    )
