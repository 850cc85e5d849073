"""Objects pasted over backgrounds as SI-Score does it (arXiv 2007.08558, google-research/si-score)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where an object stands, and how.

    Attributes:
        x: the object's centre as a fraction of the background's width, from the left.
        y: the same of its height, from the top.
        area: the cut-out's rectangle as a fraction of the background's area, before the rotation.
        rotation: degrees, counter-clockwise.
    """

    x: float = 0.5
    y: float = 0.5
    area: float = 0.5
    rotation: int = 0


def resized(cutout: Size, area: float, side: int) -> Size:
    """Size of a cut-out that takes `area` of a square background; both sides are truncated to whole pixels."""
    width, height = cutout
    factor = sqrt(area / (width * height / (side * side)))
    return max(1, int(width * factor)), max(1, int(height * factor))


def placed(rotated: Size, scene: Scene, side: int) -> tuple[int, int]:
    """Left and top edge of an object: its centre is truncated to a whole pixel, then its edge, both towards 0."""
    width, height = rotated
    return int(int(scene.x * side) - width / 2), int(int(scene.y * side) - height / 2)


def inside(cutout: Size, scene: Scene, side: int) -> float:
    """The share of the rotated object's rectangle that lies on the background, 0 to 1."""
    width, height = rotated = _rotated(resized(cutout, scene.area, side), scene.rotation)
    left, top = placed(rotated, scene, side)
    seen = [min(start + length, side) - max(start, 0) for start, length in ((left, width), (top, height))]
    return max(0, seen[0]) * max(0, seen[1]) / (width * height)


@lru_cache(maxsize=4096)
def _rotated(size: Size, rotation: int) -> Size:
    from PIL import Image

    return Image.new("1", size).rotate(rotation, expand=True).size


def square(background: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The largest square of a background at its top left corner, resized: uint8 (side, side, 3)."""
    from PIL import Image

    short = min(background.shape[:2])
    cut = Image.fromarray(np.ascontiguousarray(background[:short, :short]))
    return np.array(cut if short == side else cut.resize((side, side), Image.Resampling.BILINEAR))


def compose(cutout: NDArray[np.uint8], background: NDArray[np.uint8], scene: Scene) -> NDArray[np.uint8]:
    """Paste a cut-out over a background with its own alpha: resize, then rotate, then place.

    Args:
        cutout: RGBA, uint8 (h, w, 4).
        background: RGB, uint8 (side, side, 3); never changed.
        scene: where and how.

    Returns:
        uint8 (side, side, 3).
    """
    from PIL import Image

    side = len(background)
    made = Image.fromarray(background)
    shown = _object(cutout, scene, side)
    made.paste(shown, placed(shown.size, scene, side), shown)
    return np.array(made)


def mask_of(cutout: NDArray[np.uint8], scene: Scene, side: int) -> NDArray[np.bool_]:
    """Where the object covers at least half of the background: bool (side, side)."""
    from PIL import Image

    made = Image.new("L", (side, side))
    shown = _object(cutout, scene, side)
    made.paste(shown.getchannel("A"), placed(shown.size, scene, side))
    return np.asarray(made) >= 128


def _object(cutout: NDArray[np.uint8], scene: Scene, side: int) -> Image.Image:
    from PIL import Image

    size = resized((cutout.shape[1], cutout.shape[0]), scene.area, side)
    small = Image.fromarray(cutout).resize(size, Image.Resampling.BILINEAR)
    return small.rotate(scene.rotation, Image.Resampling.BICUBIC, expand=True)
