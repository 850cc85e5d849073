"""What a DynTTA enhancer says of each image beside its pixels: a weight for each augmentation, summed exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.models.files import ModelFile

NETWORK = "network"
"""The last of them: a trained image-to-image network."""

NAMES = (
    *("rotate", "scale", "saturation", "contrast", "sharpness", "brightness"),
    *("autocontrast", "hue", "equalize", "invert", "gamma"),
    *(f"low_pass_{twentieths / 20:.2f}" for twentieths in range(1, 20)),
    *(f"high_pass_{twentieths / 20:.2f}" for twentieths in range(1, 20)),
    NETWORK,
)
"""All 50, in the order of an enhancer's outputs `magnitudes` and `weights`: the 49 rules, then the network."""

WEIGHTS, MAGNITUDES = "weights", "magnitudes"
"""What the outputs are called."""

_STEPS = 2**20
"""Weights are summed in whole steps of 2**-20, so that a sum is the same in any order of images and batches.

An image's weights have the same bits in a batch of any size where that was measured; where a machine's kernels differ
in their last bits, about 2**-26, a step that is so much larger leaves few roundings to differ. A mean is off by half a
step at most, far below the tenths of a percent that tables show.
"""


def gives_weights(outputs: Sequence[Any]) -> bool:
    """Whether a session's outputs are those of a file that `pytest-robust enhance train` writes."""
    return {WEIGHTS, MAGNITUDES} <= {one.name for one in outputs if len(one.shape) == 2}


def weight_sums(weights: NDArray[Any], file: ModelFile) -> NDArray[np.int64]:
    """The sum of each augmentation's weights over some images, in steps that `weight_means` knows.

    Args:
        weights: shares of 1, shape (B, 50).
        file: the enhancer, for the messages.

    Returns:
        Shape (50,).

    Raises:
        RobustError: they are of another shape, or no shares.
    """
    if weights.shape[1:] != (len(NAMES),):
        raise file.error(
            f"gave {WEIGHTS!r} of shape {weights.shape}, which beside {MAGNITUDES!r} are those of {len(NAMES)} "
            "augmentations: give the output another name"
        )
    steps = np.rint(weights.astype(np.float64) * _STEPS)
    if not (steps.min() >= 0 and steps.max() <= _STEPS):
        raise file.error(
            f"gave {WEIGHTS!r} from {weights.min():.3g} to {weights.max():.3g}: those of augmentations are shares of 1"
        )
    sums: NDArray[np.int64] = steps.astype(np.int64).sum(axis=0)
    return sums


def added(parts: Sequence[NDArray[np.int64] | None]) -> NDArray[np.int64] | None:
    """The sums over several sets of images as one; None where the enhancer gives none."""
    known = [part for part in parts if part is not None]
    return np.sum(known, axis=0) if known else None


def weight_means(sums: NDArray[np.int64], images: int) -> dict[str, float]:
    """Mean weight of each augmentation by its name.

    Args:
        sums: of `weight_sums`, added up over all images.
        images: how many they are, at least 1.
    """
    return dict(zip(NAMES, (sums / (images * _STEPS)).tolist(), strict=True))
