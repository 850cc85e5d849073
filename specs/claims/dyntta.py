"""DynTTA in front of plain-0, and the augmentations that it chooses for the training images under corruptions."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from pytest_robust.attacks.victim import Victim
from pytest_robust.augment import RandomCorruption
from pytest_robust.data import digits_arrays
from pytest_robust.enhance.estimate import EstimatedAugmentation, Estimator
from pytest_robust.enhance.settings import for_size
from pytest_robust.enhance.training import train
from pytest_robust.errors import Mark
from pytest_robust.gradients import load
from pytest_robust.spec.plan import PathText, Preprocess

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

EPOCHS = 30

CORRUPTED = RandomCorruption(
    corruptions=(
        "gaussian_noise",
        "shot_noise",
        "impulse_noise",
        "defocus_blur",
        "glass_blur",
        "motion_blur",
        "zoom_blur",
        "snow",
        "frost_procedural",
        "fog",
        "brightness",
        "contrast",
        "pixelate",
        "jpeg_compression",
    ),
    table=224,
)
"""The corruptions that the spec judges by, at all severities."""

_NAME = "dyntta-0.onnx"


def train_enhancer(
    folder: Path, epochs: int, images: NDArray[np.uint8], labels: NDArray[np.uint16], ids: Sequence[str]
) -> Path:
    """Train an enhancer in front of the plain-0 of a folder and write it there.

    Args:
        folder: where ``plain-0.onnx`` is.
        epochs: passes over the images.
        images: uint8 (N, H, W, 3).
        labels: (N,).
        ids: of the images, N of them.
    """
    half = (0.5, 0.5, 0.5)
    classifier = Victim(load(folder / "plain-0.onnx"), Preprocess(mean=half, std=half)).eval()
    out = folder / _NAME
    settings = replace(for_size("small"), epochs=epochs)
    train(classifier, images, labels.tolist(), out, augment=CORRUPTED, settings=settings, ids=ids)
    return out


@cache
def estimated(folder: Path) -> EstimatedAugmentation:
    """The augmentations that a folder's enhancer chooses for every fourth training image under corruptions."""
    images, _, ids = digits_arrays("train")
    path = PathText(_NAME, folder.absolute(), Mark("specs/claims/dyntta.py", 0, 0))
    weights, magnitudes = Estimator(path)(CORRUPTED(images[::4], ids[::4]))
    return EstimatedAugmentation(weights=weights, magnitudes=magnitudes)
