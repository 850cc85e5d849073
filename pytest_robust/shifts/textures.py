"""The frost photographs of ImageNet-C, from a folder of the user's: they cannot be made anew, nor shipped here."""

from __future__ import annotations

import hashlib
import io
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PUBLISHED = 6
"""ImageNet-C comes with six textures, and draws among the first five."""

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm")

_folders: dict[str, tuple[tuple[Path, bytes], ...]] = {}
"""What `digest_of` has read, by digest."""


def digest_of(folder: str) -> str:
    """Read the textures of a folder: its images in the order of their names, of six the first five.

    Args:
        folder: a path; a relative one begins at the current folder.

    Returns:
        sha256 over their names and bytes, 16 hexadecimal digits; `scaled` knows the textures by it.

    Raises:
        RobustError: the folder cannot be read, or holds no image.
    """
    try:
        files = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in _SUFFIXES)
        used = files[: PUBLISHED - 1] if len(files) == PUBLISHED else files
        read = tuple((path, path.read_bytes()) for path in used)
    except OSError as error:
        raise RobustError(
            f"the frost textures in {folder} cannot be read ({error.strerror}); textures names a folder of images"
        ) from None
    if not read:
        raise RobustError(f"the folder {folder} holds no frost texture; put {', '.join(_SUFFIXES)} images there")
    digest = hashlib.sha256()
    for path, content in read:
        digest.update(path.name.encode("utf-8", "surrogateescape") + b"\0" + hashlib.sha256(content).digest())
    name = digest.hexdigest()[:16]
    _folders[name] = read
    return name


@lru_cache(maxsize=8)
def scaled(digest: str, scale: float, height: int, width: int) -> tuple[NDArray[np.uint8], ...]:
    """The textures at `scale`, and larger where they would not leave room to move a canvas of this size.

    Args:
        digest: what `digest_of` gave in this process, where it keeps the files it has read.
        scale: 1 leaves them as they are.
        height: rows of the canvas.
        width: columns of the canvas.

    Returns:
        uint8 (H', W', 3) each, RGB, at least one pixel larger than the canvas on both sides.

    Raises:
        RobustError: a texture is no image.
    """
    return tuple(fitted(_decoded(*file), scale, height, width) for file in _folders[digest])


def _decoded(path: Path, content: bytes) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as image:
            # alpha is dropped, not blended, as OpenCV does it
            return np.asarray(image.convert("RGBA").convert("RGB"))
    except (UnidentifiedImageError, OSError):
        raise RobustError(f"the frost texture {path} cannot be read as an image; remove it or replace it") from None


def fitted(texture: NDArray[np.uint8], scale: float, height: int, width: int) -> NDArray[np.uint8]:
    """A texture (H', W', 3) at `scale`, or as large as a canvas needs that must find several places in it."""
    rows, columns = (max(1, int(side * scale)) for side in texture.shape[:2])
    short = max((height + 1) / rows, (width + 1) / columns)
    if short > 1:
        # a tenth larger than it must be
        scale *= 1.1 * short
    if scale == 1:
        return texture
    for _ in range(2):
        texture = _resized(texture, scale).swapaxes(0, 1)
    return np.ascontiguousarray(texture)


def _resized(texture: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """Rows between the rows: linear interpolation from pixel centres, without averaging, as OpenCV's resize."""
    last, one = len(texture) - 1, 1 << 11
    places = (np.arange(round(len(texture) * scale)) + 0.5) / scale - 0.5
    steps = np.clip(np.rint(places * one), 0, last * one).astype(np.int64)
    before, weight = steps // one, (steps % one)[:, None, None]
    mixed = texture[before] * (one - weight) + texture[np.minimum(before + 1, last)] * weight
    return np.asarray((mixed + one // 2) // one, np.uint8)
