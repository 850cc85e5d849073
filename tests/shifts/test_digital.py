"""Pixelate and JPEG compression."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pytest_robust.registry import pixel_shift
from pytest_robust.shifts.digital import jpeg_compression, pixelate


@pytest.mark.parametrize(("scale", "block"), [(0.5, 2), (0.25, 4)])
def test_pixelate_averages_whole_blocks(pictures: NDArray[np.uint8], scale: float, block: int) -> None:
    count, height, width, _ = pictures.shape
    blocks = pictures.reshape(count, height // block, block, width // block, block, 3).mean(axis=(2, 4))
    expected = blocks.repeat(block, axis=1).repeat(block, axis=2)
    # Pillow rounds once per direction
    assert np.abs(pixelate(pictures, [], scale=scale) - expected).max() <= 1


def test_pixelate_truncates_the_small_side(pictures: NDArray[np.uint8]) -> None:
    small = Image.fromarray(pictures[2]).resize((int(56 * 0.6), int(40 * 0.6)), Image.Resampling.BOX)
    assert small.size == (33, 24)
    expected = np.asarray(small.resize((56, 40), Image.Resampling.BOX))
    assert np.array_equal(pixelate(pictures, [], scale=0.6)[2], expected)


def test_jpeg_is_what_a_file_of_that_quality_holds(pictures: NDArray[np.uint8]) -> None:
    made = jpeg_compression(pictures, [], quality=10)
    for image, out in zip(pictures, made, strict=True):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=10)
        with Image.open(file) as opened:
            assert opened.layer[0][1:3] == (2, 2), "the authors' files have chroma at half resolution"
            assert np.array_equal(np.asarray(opened), out)


@pytest.mark.parametrize("name", ["pixelate", "jpeg_compression"])
@pytest.mark.parametrize("table", [224, 64, 32])
def test_the_damage_grows_with_severity(pictures: NDArray[np.uint8], name: str, table: int) -> None:
    shift = pixel_shift("imagenet-c", name)
    damage = [
        np.abs(
            shift.apply(pictures, [], **shift.resolve({"severity": s, "table": table}, 40, 56)).astype(int) - pictures
        ).mean()
        for s in range(1, 6)
    ]
    # 32's pixelate draws 38, 36, 34, 30 and 26 of 40 rows, whose alias with the blocks is not monotone
    assert damage[-1] > 1.1 * damage[0]
