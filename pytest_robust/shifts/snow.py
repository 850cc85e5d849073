"""Snow: enlarged noise, cut off, blurred along its fall, over a paler image."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.shifts.draws import Draws
from pytest_robust.shifts.motion import Motion
from pytest_robust.shifts.pixels import FIXED_GUARD, FRACTION, GUARD, fixed
from pytest_robust.shifts.quantiles import normal
from pytest_robust.shifts.severity import IMAGENET_C, corruption
from pytest_robust.shifts.zoom import Axis, enlarged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits

SHARE = 1 << 16


def snow(
    images: NDArray[np.uint8],
    bits: Sequence[Bits],
    mean: float,
    std: float,
    zoom: float,
    threshold: float,
    radius: int,
    sigma: float,
    keep: float,
) -> NDArray[np.uint8]:
    """``keep * x + (1 - keep) * max(x, 1.5 grey + 0.5)`` plus a layer of flakes and the layer turned by 180 degrees.

    The layer is noise N(mean, std) enlarged by `zoom`, 0 below `threshold`, clipped to [0, 1], truncated to a grey
    level and blurred along a line (`radius`, `sigma`) at an angle in -135..-45 degrees.
    """
    import cv2

    height, width = images.shape[1:3]
    flakes = Flakes(height, width, mean, std, zoom, threshold)
    blur = Motion((height, width), radius, sigma)
    own, other = int(fixed(keep)), grey(1 - keep)
    pale = int(fixed(127.5 * (1 - keep))) + FIXED_GUARD
    out = np.empty(images.shape, np.uint8)
    layer = np.empty((height, width), np.uint8)
    for target, image, one in zip(out, images, bits, strict=True):
        flakes(one, layer)
        blur(layer, Draws(one).uniform(-135, -45), layer)
        fall: NDArray[np.int32] = np.add(layer, layer[::-1, ::-1], dtype=np.int32)
        fall <<= FRACTION
        planes = [np.ascontiguousarray(image[..., channel], np.int32) for channel in range(3)]
        haze: Any = sum(plane * weight for plane, weight in zip(planes, other, strict=True))
        haze += fall
        haze += pale
        fall += FIXED_GUARD
        for plane in planes:
            # keep * x + (1 - keep) * max(x, y) is max(x, keep * x + (1 - keep) * y)
            paler = plane * own
            paler += haze
            plane <<= FRACTION
            plane += fall
            np.maximum(plane, paler, out=plane)
            plane >>= FRACTION
            np.minimum(plane, 255, out=plane)
        target[...] = cv2.merge([plane.astype(np.uint8) for plane in planes]).reshape(image.shape)
    return out


class Flakes:
    """Makes the layer before its blur: noise, enlarged and cut off."""

    def __init__(self, height: int, width: int, mean: float, std: float, zoom: float, threshold: float) -> None:
        self.crops = tuple(int(np.ceil(side / zoom)) for side in (height, width))
        self.down, self.across = (
            enlarged(side, crop, round(crop * zoom), SHARE)
            for side, crop in zip((height, width), self.crops, strict=True)
        )
        self._noise = noise(mean, std)
        self._threshold = np.float32(threshold)

    def __call__(self, bits: Bits, out: NDArray[np.uint8]) -> None:
        """Write the layer of one image; only the noise that is enlarged is drawn, from lane 1."""
        rows, columns = self.crops
        drawn = self._noise.take(bits.uint16(rows * columns, lane=1)).reshape(rows, columns)
        layer = _between(_between(drawn, self.down).T, self.across).T
        layer = layer * (layer >= self._threshold)
        np.clip(layer, 0, 1, out=layer)
        layer *= np.float32(255)
        layer += np.float32(GUARD)
        np.copyto(out, layer, casting="unsafe")


def _between(grid: NDArray[np.float32], axis: Axis) -> NDArray[np.float32]:
    """Rows between the rows of a grid; single float32 operations, which IEEE 754 defines to the last bit."""
    weight = (axis.share / SHARE).astype(np.float32)[:, None]
    made = grid[axis.before] * (np.float32(1) - weight)
    made += grid[axis.after] * weight
    return made


@lru_cache(maxsize=16)
def noise(mean: float, std: float) -> NDArray[np.float32]:
    """Word -> noise, (65536,)."""
    return (mean + std * normal().astype(np.float64)).astype(np.float32)


def grey(share: float) -> list[int]:
    """Weights of red, green and blue in one and a half times the grey, of which `share` is taken; fixed point."""
    return [int(fixed(1.5 * share * weight)) for weight in (0.299, 0.587, 0.114)]


SHIFTS = (
    corruption(
        snow,
        suite="imagenet-c",
        source=f"{IMAGENET_C}; motion blur as in ImageMagick 6, noise by a table of 65,536 quantiles",
        keys=["mean", "std", "zoom", "threshold", "radius", "sigma", "keep"],
        tables={
            224: (
                (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
                (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
                (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
                (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
                (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
            ),
            64: (
                (0.1, 0.2, 1, 0.6, 8, 3, 0.8),
                (0.1, 0.2, 1, 0.5, 10, 4, 0.8),
                (0.15, 0.3, 1.75, 0.55, 10, 4, 0.7),
                (0.25, 0.3, 2.25, 0.6, 12, 6, 0.65),
                (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6),
            ),
            32: (
                (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
                (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
                (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
                (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
                (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
            ),
        },
    ),
)
