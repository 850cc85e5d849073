"""AugMix's operations: against Pillow by hand, and against arithmetic where it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from pytest_robust.augment.operations import NINE, OPERATIONS, augmented

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEXTURE = np.random.default_rng(3).integers(0, 256, (24, 30, 3), np.uint8)
PICTURE = Image.fromarray(TEXTURE)
AFFINE, BILINEAR = Image.Transform.AFFINE, Image.Resampling.BILINEAR

BY_HAND = {
    "autocontrast": ImageOps.autocontrast(PICTURE),
    "equalize": ImageOps.equalize(PICTURE),
    "posterize": ImageOps.posterize(PICTURE, 2),
    "solarize": ImageOps.solarize(PICTURE, 128),
    "rotate": PICTURE.rotate(-15, resample=BILINEAR),
    "shear_x": PICTURE.transform((30, 24), AFFINE, (1, -0.15, 0, 0, 1, 0), BILINEAR),
    "shear_y": PICTURE.transform((30, 24), AFFINE, (1, 0, 0, -0.15, 1, 0), BILINEAR),
    "translate_x": PICTURE.transform((30, 24), AFFINE, (1, 0, -5, 0, 1, 0), BILINEAR),
    "translate_y": PICTURE.transform((30, 24), AFFINE, (1, 0, 0, 0, 1, -4), BILINEAR),
    "color": ImageEnhance.Color(PICTURE).enhance(1.0),
    "contrast": ImageEnhance.Contrast(PICTURE).enhance(1.0),
    "brightness": ImageEnhance.Brightness(PICTURE).enhance(1.0),
    "sharpness": ImageEnhance.Sharpness(PICTURE).enhance(1.0),
}
"""Half of the full strength, downwards: the numbers are the paper's ranges, halved."""


def run(name: str, share: float, sign: int = 1, image: NDArray[np.uint8] = TEXTURE) -> NDArray[np.uint8]:
    return np.asarray(OPERATIONS[name](Image.fromarray(image), share, sign))


def test_they_are_the_papers_13() -> None:
    assert set(OPERATIONS) == set(BY_HAND)
    assert len(OPERATIONS) == 13
    assert set(OPERATIONS) - set(NINE) == {"color", "contrast", "brightness", "sharpness"}


@pytest.mark.parametrize("name", BY_HAND)
def test_half_strength_is_pillows(name: str) -> None:
    assert np.array_equal(run(name, 0.5, -1), np.asarray(BY_HAND[name]))


def test_they_do_what_they_say() -> None:
    share, level = 0.3, TEXTURE.astype(int)
    assert np.array_equal(run("posterize", share), TEXTURE & 0b11100000), "4 - int(1.2) = 3 bits"
    assert np.array_equal(run("solarize", share), np.where(level < 256 - 76, level, 255 - level))
    moved = run("translate_x", share)
    assert np.array_equal(moved[:, :-3], TEXTURE[:, 3:])
    assert not moved[:, -3:].any()
    moved = run("translate_y", share, -1)
    assert np.array_equal(moved[2:], TEXTURE[:-2])
    assert not moved[:2].any()
    assert np.array_equal(run("brightness", share), (level * (0.3 * 1.8 + 0.1)).astype(np.uint8))
    mean = int(np.asarray(PICTURE.convert("L")).mean() + 0.5)
    assert np.abs(run("contrast", share) - (mean + 0.64 * (level - mean))).max() <= 1
    grey = np.asarray(PICTURE.convert("L"))[..., None]
    assert np.abs(run("color", share) - (grey + 0.64 * (level - grey))).max() <= 1


@pytest.mark.parametrize("name", ["rotate", "shear_x", "shear_y", "translate_x", "translate_y"])
def test_moves_by_nothing_change_nothing_and_signs_turn_them_round(name: str) -> None:
    assert np.array_equal(run(name, 0.0), TEXTURE)
    axis = 0 if name.endswith("y") else 1
    mirrored = np.ascontiguousarray(np.flip(TEXTURE, axis))
    ahead = np.flip(run(name, 0.4, 1, mirrored), axis).astype(int)
    if name.startswith("shear"):
        # mirrored about the middle, a shear starts at another edge: only the direction turns round
        assert not np.array_equal(run(name, 0.4, 1), run(name, 0.4, -1))
    else:
        assert np.abs(ahead - run(name, 0.4, -1)).max() <= 1


def test_chains_draw_operations_levels_and_signs_evenly() -> None:
    """On an image with one white column the move shows both: its sign, and int(share * 30 / 3) pixels."""
    image = np.zeros((4, 60, 3), np.uint8)
    image[:, 30] = 255
    moves = []
    for seed in range(600):
        made = augmented(image, np.random.default_rng(seed), 5, ["translate_x"])
        (column,) = np.flatnonzero(made[0, :, 0])
        moves.append(30 - int(column))
    assert min(moves) == -9
    assert max(moves) == 9, "below 5 / 10 * 60 / 3"
    assert 240 < sum(move > 0 for move in moves) + sum(move == 0 for move in moves) / 2 < 360
    kinds = {bytes(augmented(image, np.random.default_rng(seed), 5, NINE)) for seed in range(200)}
    assert len(kinds) > 20
