"""The 13 image operations of AugMix (arXiv 1912.02781), on Pillow.

Each takes a canvas and draws how strongly it acts: ``level`` is uniform between 0.1 and the severity, of 10, and the
strength is that share of the operation's largest one. Where an image moves, black comes in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.augment.base import is_number
from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from PIL.Image import Image

    Operation = Callable[[Image, float, int], Image]

LARGEST = 10
"""The severity at which an operation may act with its full strength."""

_LEAST = 0.1


def check_severity(owner: str, severity: float) -> None:
    """Refuse a severity that no level can be drawn for.

    Raises:
        RobustError: it is not above 0.1 and up to `LARGEST`.
    """
    if not is_number(severity) or not _LEAST < severity <= LARGEST:
        raise RobustError(f"{owner} takes a severity above {_LEAST} and up to {LARGEST}, not {severity!r}")


def augmented(
    image: NDArray[np.uint8], random: np.random.Generator, severity: float, names: Sequence[str], depth: int = 1
) -> NDArray[np.uint8]:
    """The image after `depth` operations, each drawn from `names` with a level and a sign of its own.

    Args:
        image: uint8 (H, W, 3).
        random: the sample's random numbers.
        severity: above 0.1 and up to `LARGEST`.
        names: what to draw from, of `OPERATIONS`.
        depth: how many, one after the other.

    Returns:
        uint8 (H, W, 3).
    """
    from PIL import Image

    made = Image.fromarray(image)
    for _ in range(depth):
        operation = OPERATIONS[names[int(random.integers(len(names)))]]
        level = random.uniform(_LEAST, severity)
        made = operation(made, level / LARGEST, 1 - 2 * int(random.integers(2)))
    return np.asarray(made)


def autocontrast(image: Image, share: float, sign: int) -> Image:
    """Stretch each channel to the full range."""
    from PIL import ImageOps

    return ImageOps.autocontrast(image)


def equalize(image: Image, share: float, sign: int) -> Image:
    """Equalise each channel's histogram."""
    from PIL import ImageOps

    return ImageOps.equalize(image)


def posterize(image: Image, share: float, sign: int) -> Image:
    """Keep 4 to 0 bits of each value."""
    from PIL import ImageOps

    return ImageOps.posterize(image, 4 - int(share * 4))


def solarize(image: Image, share: float, sign: int) -> Image:
    """Invert what is not below a threshold, which falls from 256 to 0."""
    from PIL import ImageOps

    return ImageOps.solarize(image, 256 - int(share * 256))


def rotate(image: Image, share: float, sign: int) -> Image:
    """Turn by whole degrees, up to 30 either way."""
    from PIL.Image import Resampling

    return image.rotate(sign * int(share * 30), resample=Resampling.BILINEAR)


def shear_x(image: Image, share: float, sign: int) -> Image:
    """Shift each row by up to 0.3 of its height in the image."""
    return _affine(image, (1, sign * share * 0.3, 0, 0, 1, 0))


def shear_y(image: Image, share: float, sign: int) -> Image:
    """Shift each column by up to 0.3 of its place in the image."""
    return _affine(image, (1, 0, 0, sign * share * 0.3, 1, 0))


def translate_x(image: Image, share: float, sign: int) -> Image:
    """Move by whole pixels, up to a third of the width."""
    return _affine(image, (1, 0, sign * int(share * image.width / 3), 0, 1, 0))


def translate_y(image: Image, share: float, sign: int) -> Image:
    """Move by whole pixels, up to a third of the height."""
    return _affine(image, (1, 0, 0, 0, 1, sign * int(share * image.height / 3)))


def color(image: Image, share: float, sign: int) -> Image:
    """Saturation times 0.1 to 1.9."""
    from PIL import ImageEnhance

    return ImageEnhance.Color(image).enhance(_factor(share))


def contrast(image: Image, share: float, sign: int) -> Image:
    """Distance to the mean grey times 0.1 to 1.9."""
    from PIL import ImageEnhance

    return ImageEnhance.Contrast(image).enhance(_factor(share))


def brightness(image: Image, share: float, sign: int) -> Image:
    """Values times 0.1 to 1.9."""
    from PIL import ImageEnhance

    return ImageEnhance.Brightness(image).enhance(_factor(share))


def sharpness(image: Image, share: float, sign: int) -> Image:
    """Distance to the smoothed image times 0.1 to 1.9."""
    from PIL import ImageEnhance

    return ImageEnhance.Sharpness(image).enhance(_factor(share))


def _factor(share: float) -> float:
    return share * 1.8 + 0.1


def _affine(image: Image, matrix: tuple[float, ...]) -> Image:
    from PIL.Image import Resampling, Transform

    return image.transform(image.size, Transform.AFFINE, matrix, resample=Resampling.BILINEAR)


_GEOMETRIC_AND_TONAL: tuple[Operation, ...] = (
    autocontrast,
    equalize,
    posterize,
    rotate,
    solarize,
    shear_x,
    shear_y,
    translate_x,
    translate_y,
)
_LIKE_CORRUPTIONS: tuple[Operation, ...] = (color, contrast, brightness, sharpness)

OPERATIONS: dict[str, Operation] = {one.__name__: one for one in (*_GEOMETRIC_AND_TONAL, *_LIKE_CORRUPTIONS)}
"""All 13, in the paper's order."""

NINE = tuple(one.__name__ for one in _GEOMETRIC_AND_TONAL)
"""Those that no corruption of ImageNet-C resembles: what the paper trains with."""
