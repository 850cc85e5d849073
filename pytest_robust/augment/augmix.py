"""AugMix (Hendrycks et al. 2020, arXiv 1912.02781)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pytest_robust.augment.base import Transform, generator, is_number, is_whole
from pytest_robust.augment.operations import NINE, OPERATIONS, augmented, check_severity
from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.rng import Stream

_MOST_ALPHA = 1_000_000
"""All chains weigh the same long before."""


@dataclass(frozen=True, kw_only=True)
class AugMix(Transform):
    """The image, mixed with a mixture of chains of operations upon it.

    ``(1 - m) * x + m * sum_i w_i * chain_i(x)`` with w ~ Dirichlet(alpha, ..., alpha) and m ~ Beta(alpha, alpha),
    rounded to the nearest grey level. Without the paper's consistency loss, which is the training's and not the
    images'.

    Attributes:
        width: how many chains.
        depth: least and most operations of a chain, each number equally likely.
        severity: bound of an operation's level, above 0.1 and up to 10.
        alpha: of the Dirichlet and the Beta distribution, above 0 and up to a million.
        all_operations: all 13 operations, as DynTTA (arXiv 2212.04681) trains without sight of the corruptions; False
            leaves out colour, contrast, brightness and sharpness, which ImageNet-C's resemble, as the paper does.
    """

    width: int = 3
    depth: tuple[int, int] = (1, 3)
    severity: float = 5
    alpha: float = 1.0
    all_operations: bool = True
    name: ClassVar[str] = "augmix"

    def __post_init__(self) -> None:
        """Refuse numbers out of range; see `Transform`."""
        super().__post_init__()
        if not is_whole(self.width) or self.width < 1:
            raise RobustError(f"AugMix takes a whole number of 1 or more as width, not {self.width!r}")
        pair = isinstance(self.depth, (tuple, list)) and len(self.depth) == 2 and all(map(is_whole, self.depth))
        if not pair or not 1 <= self.depth[0] <= self.depth[1]:
            raise RobustError(
                f"AugMix takes the least and the most operations of a chain as depth, as in (1, 3), not {self.depth!r}"
            )
        if not is_number(self.alpha) or not 0 < self.alpha <= _MOST_ALPHA:
            raise RobustError(f"AugMix takes an alpha above 0 and up to {_MOST_ALPHA:,}, not {self.alpha!r}")
        check_severity("AugMix", self.severity)

    def on_host(self, images: NDArray[np.uint8], bits: Sequence[Stream]) -> NDArray[np.uint8]:
        """See `Transform.on_host`."""
        names = tuple(OPERATIONS) if self.all_operations else NINE
        out = np.empty_like(images)
        for target, image, one in zip(out, images, bits, strict=True):
            random = generator(one)
            weights, share = self.weights(random)
            mixed = (1 - share) * image
            for weight in weights:
                depth = int(random.integers(self.depth[0], self.depth[1] + 1))
                mixed += share * weight * augmented(image, random, self.severity, names, depth)
            target[...] = np.rint(mixed)
        return out

    def weights(self, random: np.random.Generator) -> tuple[NDArray[np.float64], float]:
        """The chains' weights, (width,), which sum to 1, and the share of their mixture."""
        return random.dirichlet([self.alpha] * self.width), random.beta(self.alpha, self.alpha)
