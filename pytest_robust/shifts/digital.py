"""Digital artefacts: pixelate and JPEG compression."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.shifts.pixels import each
from pytest_robust.shifts.severity import IMAGENET_C, corruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits


def pixelate(images: NDArray[np.uint8], bits: Sequence[Bits], scale: float) -> NDArray[np.uint8]:
    """Box-resize both sides to ``int(side * scale)``, at least 1 pixel, and back."""
    import cv2
    from PIL import Image

    height, width = images.shape[1:3]
    small = max(1, int(width * scale)), max(1, int(height * scale))
    # on the way back a box is one pixel: the one that holds the centre, in the arithmetic of Pillow
    columns, rows = (
        ((np.arange(side) + 0.5) * (less / side)).astype(np.intp)
        for side, less in zip((width, height), small, strict=True)
    )
    places = rows[:, None] * small[0] + columns

    def rule(image: NDArray[np.uint8]) -> Any:
        blocks = np.asarray(Image.fromarray(image).resize(small, Image.Resampling.BOX))
        pixels = cv2.cvtColor(blocks, cv2.COLOR_RGB2RGBA).view(np.uint32).reshape(-1).take(places)
        made = cv2.cvtColor(pixels.view(np.uint8).reshape(height, width, 4), cv2.COLOR_RGBA2RGB)
        return np.asarray(made).reshape(image.shape)

    return each(images, rule)


def jpeg_compression(images: NDArray[np.uint8], bits: Sequence[Bits], quality: int) -> NDArray[np.uint8]:
    """Through a JPEG file of this quality, chroma at half resolution (Pillow's default)."""
    from PIL import Image

    def rule(image: NDArray[np.uint8]) -> Any:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        return Image.open(file, formats=["JPEG"])

    return each(images, rule)


SHIFTS = (
    corruption(
        pixelate,
        suite="imagenet-c",
        source=f"{IMAGENET_C}; resized by Pillow in integer arithmetic",
        keys=["scale"],
        tables={
            224: (0.6, 0.5, 0.4, 0.3, 0.25),
            64: (0.9, 0.8, 0.7, 0.6, 0.5),
            32: (0.95, 0.9, 0.85, 0.75, 0.65),
        },
    ),
    corruption(
        jpeg_compression,
        suite="imagenet-c",
        source=f"{IMAGENET_C}; the codec is Pillow's libjpeg-turbo, the same on all instruction sets",
        keys=["quality"],
        on_host=True,
        tables={224: (25, 18, 15, 10, 7), 64: (65, 58, 50, 40, 25), 32: (80, 65, 58, 50, 40)},
    ),
)
