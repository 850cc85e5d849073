"""How a decoded image becomes the canvas, as torchvision's ``Resize`` and ``CenterCrop`` do on PIL images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_robust.spec.plan import Geometry


def canvas(image: NDArray[np.uint8], geometry: Geometry, where: str) -> NDArray[np.uint8]:
    """Resize the short side with Pillow (antialiased), then cut out the centre square.

    By default the long side becomes ``int(resize * long / short)`` and the crop begins at
    ``round((side - crop) / 2)``, halves to even, both as in torchvision; with `rounding: nearest` the long side is
    rounded and the crop begins at ``(side - crop) // 2``. Where torchvision pads an image that is smaller than the
    crop with black, this is an error: a black frame would be a shift that nobody asked for. Without `resize` and `crop`
    the image stays as it is.

    Args:
        image: RGB, uint8 (H, W, 3); never changed.
        geometry: sides in pixels.
        where: names the image in errors.

    Returns:
        uint8 (h, w, 3), contiguous; ``h == w == crop`` where a crop is given.

    Raises:
        RobustError: the image is smaller than the crop.
    """
    if geometry.resize is not None and min(image.shape[:2]) != geometry.resize:
        image = _resize_short_side(image, geometry.resize, geometry)
    if geometry.crop is not None:
        height, width = image.shape[:2]
        side = geometry.crop
        if min(height, width) < side:
            resized = "" if geometry.resize is None else " after the resize"
            raise RobustError(
                f"{where} is {width} x {height} pixels{resized}, smaller than the crop of {side}; "
                f"set geometry {{resize: {side}, crop: {side}}} or a larger resize"
            )
        top, left = (_half(room, geometry) for room in (height - side, width - side))
        image = image[top : top + side, left : left + side]
    return np.ascontiguousarray(image)


def _half(room: int, geometry: Geometry) -> int:
    return room // 2 if geometry.rounding == "nearest" else round(room / 2)


def _resize_short_side(image: NDArray[np.uint8], side: int, geometry: Geometry) -> NDArray[np.uint8]:
    from PIL import Image

    height, width = image.shape[:2]
    exact = side * max(height, width) / min(height, width)
    long_side = round(exact) if geometry.rounding == "nearest" else int(exact)
    size = (side, long_side) if width <= height else (long_side, side)
    resample = Image.Resampling.BICUBIC if geometry.interpolation == "bicubic" else Image.Resampling.BILINEAR
    return np.array(Image.fromarray(np.ascontiguousarray(image)).resize(size, resample))
