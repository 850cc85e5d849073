"""Amplitude-phase recombination as augmentation (arXiv 2108.08487): classes are learnt from the phase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pytest_robust.augment.base import Transform, check_probability, generator
from pytest_robust.augment.operations import NINE, augmented, check_severity
from pytest_robust.shifts.swaps import amplitude_swap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.rng import Stream


@dataclass(frozen=True, kw_only=True)
class AmplitudePhasePair(Transform):
    """APR-P: each image keeps its phase, and so its label, and takes the amplitude of another image of the batch.

    The partners are the one thing that hangs on the batch: they form one circle through its images, drawn by their
    ids, so that an image never has itself unless it is alone. The paper sums the loss of the images as they are and
    of the recombined ones, both with the labels of the images.

    Attributes:
        probability: that an image is recombined; the paper draws it for the whole batch, 0.6 on CIFAR and 0.5 on
            ImageNet.
    """

    probability: float = 0.6
    name: ClassVar[str] = "amplitude_phase_pair"

    def __post_init__(self) -> None:
        """Refuse what is no probability; see `Transform`."""
        super().__post_init__()
        check_probability("AmplitudePhasePair", self.probability)

    def on_host(self, images: NDArray[np.uint8], bits: Sequence[Stream]) -> NDArray[np.uint8]:
        """See `Transform.on_host`."""
        lots = np.array([generator(one).random(2) for one in bits]).reshape(-1, 2)
        circle = np.argsort(lots[:, 0], kind="stable")
        partners = np.empty_like(circle)
        partners[circle] = np.roll(circle, -1)
        out = images.copy()
        for position in np.flatnonzero(lots[:, 1] < self.probability):
            out[position] = amplitude_swap(images[position], images[partners[position]])
        return out


@dataclass(frozen=True, kw_only=True)
class AmplitudePhaseSingle(Transform):
    """APR-S: each image under one operation of AugMix, half of them recombined with a second view of themselves.

    The second view is the first one under one more operation. One of the two gives the phase, the other the amplitude;
    which one does is drawn evenly.

    Attributes:
        severity: of the operations, see `AugMix`.
    """

    severity: float = 3
    name: ClassVar[str] = "amplitude_phase_single"

    def __post_init__(self) -> None:
        """Refuse a severity out of range; see `Transform`."""
        super().__post_init__()
        check_severity("AmplitudePhaseSingle", self.severity)

    def on_host(self, images: NDArray[np.uint8], bits: Sequence[Stream]) -> NDArray[np.uint8]:
        """See `Transform.on_host`."""
        out = np.empty_like(images)
        for target, image, one in zip(out, images, bits, strict=True):
            random = generator(one)
            first = augmented(image, random, self.severity, NINE)
            if random.random() < 0.5:
                target[...] = first
                continue
            second = augmented(first, random, self.severity, NINE)
            views = (first, second) if random.random() < 0.5 else (second, first)
            target[...] = amplitude_swap(*views)
        return out
