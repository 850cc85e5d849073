"""How each net of `specs/claims.yaml` is trained: its architecture, its share of the data, its augmentation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pytest_robust.augment import AmplitudePhaseSingle, AugMix, RandomLp, Transform
from pytest_robust.augment.base import generator
from pytest_robust.augment.operations import OPERATIONS, augmented
from pytest_robust.augment.random_lp import TRAINING_SETS
from specs.claims import nets
from specs.claims.dyntta import estimated
from specs.claims.normalizer_free import NormalizerFree
from specs.claims.resnet_rs import resnet_rs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    from pytest_robust.shifts.rng import Stream

EPOCHS = 30

CONTRAST = 4
"""Factor on the epsilons of arXiv 2305.05400. Digits are ink on black: at the paper's own epsilons for images of this
size a net that never saw noise (`specs/resnet_worse.onnx`) loses next to nothing but under the most L0 noise; at four
times those it does."""

C1 = {name: tuple(CONTRAST * one for one in epsilons) for name, epsilons in TRAINING_SETS["C1"]["cifar"].items()}
L0 = {"l0": (CONTRAST * 0.01, CONTRAST * 0.03)}
L2 = {"l2": (CONTRAST * 1.0, CONTRAST * 2.5)}


@dataclass(frozen=True, kw_only=True)
class RandAugment(Transform):
    """Two operations of `AugMix` one after the other (Cubuk et al. 2020), as ResNet-RS is trained."""

    name: ClassVar[str] = "randaugment"

    def on_host(self, images: NDArray[np.uint8], bits: Sequence[Stream]) -> NDArray[np.uint8]:
        """See `Transform.on_host`."""
        random = [generator(one) for one in bits]
        made = [augmented(image, one, 5, tuple(OPERATIONS), 2) for image, one in zip(images, random, strict=True)]
        return np.stack(made)


@dataclass(frozen=True)
class Recipe:
    """One variant of the family.

    Attributes:
        net: builds it.
        augment: from the seed, and the folder of the nets trained before, to what every image goes through; None trains
            on the images as they are.
        pair: APR-P: as a second loss, the images with the amplitudes of others.
        every: train on every n-th image, for about as many steps.
        decay: weight decay.
        smoothing: of the labels.
        clip: the largest norm of a step's gradient; without normalisation one bad batch can end the training.
        seeds: how many nets there are of it.
    """

    net: Callable[[], nn.Module] = nets.resnet
    augment: Callable[[int, Path], Transform] | None = None
    pair: bool = False
    every: int = 1
    decay: float = 5e-4
    smoothing: float = 0.0
    clip: float | None = None
    seeds: int = 3


RECIPES = {
    "plain": Recipe(),
    "quarter": Recipe(every=4),
    "large": Recipe(lambda: nets.resnet((12, 18, 24))),
    "c1": Recipe(augment=lambda seed, _: RandomLp(seed=seed, noise=C1)),
    "l0": Recipe(augment=lambda seed, _: RandomLp(seed=seed, noise=L0)),
    "l2": Recipe(augment=lambda seed, _: RandomLp(seed=seed, noise=L2)),
    # width 3, depth 1 to 3 and severity 3, without the operations that ImageNet-C has too: the paper's
    "augmix": Recipe(augment=lambda seed, _: AugMix(seed=seed, severity=3, all_operations=False)),
    "apr": Recipe(augment=lambda seed, _: AmplitudePhaseSingle(seed=seed), pair=True),
    "coresnet": Recipe(nets.coresnet, seeds=1),
    "dacnn": Recipe(nets.dacnn, seeds=1),
    "vgg": Recipe(nets.vgg, seeds=1),
    "nf": Recipe(NormalizerFree, clip=1.0),
    "rs": Recipe(resnet_rs, augment=lambda seed, _: RandAugment(seed=seed), decay=4e-5, smoothing=0.1),
    "estimated": Recipe(augment=lambda seed, folder: replace(estimated(folder), seed=seed)),
}
"""The variants by name; the last one needs an enhancer, which needs the first one."""
