"""The 50 augmentations that DynTTA (arXiv 2212.04681) blends, 49 rules and one trained network, with their magnitudes.

Each is a function of float images (N, 3, H, W) in [0, 1], differentiable, and written so that its export to ONNX runs
the same. An estimator gives raw numbers; a `Magnitude` maps them into the augmentation's range.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import torch

from pytest_robust.enhance.augmentations import colour, frequency, geometry, histogram

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Magnitude:
    """How a raw number becomes a magnitude: ``offset + factor * tanh(raw)``, or the same with a sigmoid.

    Attributes:
        squash: which of the two.
        factor: see above.
        neutral: the magnitude that changes nothing.
        offset: see above.
    """

    squash: Literal["tanh", "sigmoid"]
    factor: float
    neutral: float
    offset: float = 0.0

    def __call__(self, raw: Tensor) -> Tensor:
        """Magnitudes of raw numbers of any shape."""
        squashed = torch.tanh(raw) if self.squash == "tanh" else torch.sigmoid(raw)
        return self.offset + self.factor * squashed

    @property
    def neutral_raw(self) -> float:
        """The raw number of the neutral magnitude."""
        share = (self.neutral - self.offset) / self.factor
        return math.atanh(share) if self.squash == "tanh" else math.log(share / (1 - share))


@dataclass(frozen=True, slots=True)
class Augmentation:
    """One of the rules.

    Attributes:
        name: what tables call it.
        rule: ``rule(images, magnitudes)``, with magnitudes (N,); ``rule(images)`` where there is none.
        magnitude: the map of its magnitude; None where there is none.
    """

    name: str
    rule: Callable[..., Tensor]
    magnitude: Magnitude | None = None

    def __call__(self, images: Tensor, magnitudes: Tensor) -> Tensor:
        """The augmented images; magnitudes (N,) are not looked at where the rule has none."""
        return self.rule(images) if self.magnitude is None else self.rule(images, magnitudes)


SINGLE = (
    Augmentation("rotate", geometry.rotate, Magnitude("tanh", 30, 0)),
    Augmentation("scale", geometry.scale, Magnitude("tanh", 0.3, 1, 1)),
    Augmentation("saturation", colour.saturation, Magnitude("sigmoid", 5, 1)),
    Augmentation("contrast", colour.contrast, Magnitude("sigmoid", 3, 1)),
    Augmentation("sharpness", colour.sharpness, Magnitude("sigmoid", 10, 1)),
    Augmentation("brightness", colour.brightness, Magnitude("tanh", 0.6, 0)),
    Augmentation("autocontrast", histogram.autocontrast),
    Augmentation("hue", colour.hue, Magnitude("tanh", 2, 0)),
    Augmentation("equalize", histogram.equalize),
    Augmentation("invert", colour.invert),
    Augmentation("gamma", colour.gamma, Magnitude("sigmoid", 3, 1)),
)
"""Those that are made one by one."""

LOW_PASS = tuple(
    Augmentation(f"low_pass_{radius / 20:.2f}", partial(frequency.low_pass, radius=radius))
    for radius in frequency.RADII
)
HIGH_PASS = tuple(
    Augmentation(f"high_pass_{radius / 20:.2f}", partial(frequency.high_pass, radius=radius))
    for radius in frequency.RADII
)
RULES = (*SINGLE, *LOW_PASS, *HIGH_PASS)
"""The 49 augmentations that are rules, in the paper's order; `models.augmentations.NAMES` names the network too."""
