"""What an enhancer's file says of images, and training images that follow it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pytest_robust.data import digits_arrays
from pytest_robust.enhance import NAMES, EstimatedAugmentation, Estimator, export
from pytest_robust.errors import RobustError
from tests.enhance.conftest import RESNET, awake
from tests.models.opening import sentence, text_of

IMAGES = digits_arrays("train")[0][:40]
IDS = [str(one) for one in range(40)]
WHERE = {name: place for place, name in enumerate(NAMES)}


def row(**weights: float) -> np.ndarray:
    made = np.zeros(len(NAMES), np.float32)
    for name, value in weights.items():
        made[WHERE[name]] = value
    return made


def test_estimates_are_those_of_the_module(tmp_path: Path) -> None:
    enhancer = awake()
    pixels = torch.from_numpy(IMAGES.transpose(0, 3, 1, 2)).float() / 255
    export(enhancer, tmp_path / "made.onnx", pixels[:2])
    weights, magnitudes = Estimator(text_of(tmp_path / "made.onnx"))(IMAGES)
    with torch.no_grad():
        _, expected, shares = enhancer(pixels)
    np.testing.assert_allclose(weights, shares.numpy(), atol=1e-5)
    np.testing.assert_allclose(magnitudes, expected.numpy(), atol=1e-4)


def test_a_file_without_weights_is_named() -> None:
    with pytest.raises(RobustError) as caught:
        Estimator(text_of(RESNET))
    assert sentence(caught, RESNET).startswith("has no outputs `weights` and `magnitudes`")


def test_a_single_augmentation_is_applied_at_its_magnitude() -> None:
    augment = EstimatedAugmentation(weights=row(brightness=0.2, network=0.8), magnitudes=row(brightness=0.2))
    made = augment(IMAGES, IDS)
    np.testing.assert_array_equal(made, np.minimum(IMAGES.astype(int) + 51, 255))


def test_augmentations_appear_as_often_as_their_weights_say() -> None:
    dark = np.full((3000, 4, 4, 3), 100, np.uint8)
    weights = np.stack([row(brightness=0.5, invert=0.25, network=0.25), row(brightness=1)])
    magnitudes = np.stack([row(brightness=0.2), row(brightness=-0.2)])
    made = EstimatedAugmentation(weights=weights, magnitudes=magnitudes)(dark, range(3000))
    levels, counts = np.unique(made[:, 0, 0, 0], return_counts=True)
    assert levels.tolist() == [0, 49, 151], "inverted, darker, brighter"
    np.testing.assert_allclose(counts / 3000, [1 / 6, 1 / 2, 1 / 3], atol=0.03)


def test_an_image_hangs_on_seed_id_and_epoch_alone() -> None:
    weights = np.full(len(NAMES), 1 / len(NAMES), np.float32)
    magnitudes = row(rotate=20, scale=0.8, saturation=2, contrast=2, sharpness=5, brightness=0.3, hue=1, gamma=2)
    augment = EstimatedAugmentation(weights=weights, magnitudes=magnitudes, seed=3)
    made = augment(IMAGES, IDS, epoch=2)
    np.testing.assert_array_equal(augment(IMAGES[7:9], IDS[7:9], epoch=2), made[7:9])
    assert (made != augment(IMAGES, IDS, epoch=3)).any()
    tensor = augment(torch.from_numpy(IMAGES), IDS, epoch=2)
    np.testing.assert_array_equal(tensor.numpy(), made)


@pytest.mark.parametrize(
    ("weights", "magnitudes", "said"),
    [
        (np.ones(49), np.ones(49), r"must both be of shape \(M, 50\), not \(1, 49\) and \(1, 49\)"),
        (np.ones((2, 50)), np.ones((3, 50)), r"must both be of shape"),
        (row(network=1), row(), "with some of it on an augmentation"),
        (row(rotate=-1, scale=2), row(), "must be 0 or more"),
    ],
)
def test_no_estimate_is_refused(weights: np.ndarray, magnitudes: np.ndarray, said: str) -> None:
    with pytest.raises(RobustError, match=said):
        EstimatedAugmentation(weights=weights, magnitudes=magnitudes)
