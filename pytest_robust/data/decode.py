"""Image file -> RGB, 8 bit: one rule per kind of file.

| file holds | becomes |
|---|---|
| EXIF orientation | applied: the image is turned upright; EXIF that cannot be read is ignored |
| RGB, 8 bit | as it is; ICC profiles are ignored |
| grey, 1 or 8 bit | the grey value in all three channels; 1 bit gives 0 and 255 |
| grey, 16 bit (PNG, TIFF, PGM) | ``v / 257`` rounded, so that 0 -> 0 and 65535 -> 255; then as grey |
| colour or grey with alpha, 16 bit | the high byte of each value, as Pillow gives it |
| palette | the palette's colours |
| alpha, transparent palette entries | dropped, not composited, as ``convert("RGB")`` does in training |
| CMYK, YCCK | Pillow's plain conversion to RGB; inks in JPEG are taken as inverted, as Adobe has it |
| several frames (GIF, WebP, APNG, TIFF, MPO) | the first frame |
| float pixels, 32-bit integers, Lab | error: their range says nothing about brightness |
| cut short, damaged, empty, no image, over 89,478,485 pixels | error naming the file |

Read are AVIF, BMP, GIF, JPEG, JPEG 2000, PNG, PNM, TIFF and WebP, recognised by content and not by name.
Formats that run another program (EPS) or that accept nearly any bytes (TGA) are not read.
"""

from __future__ import annotations

import io
import re
import warnings
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

MAX_PIXELS = 89_478_485
"""Larger images are taken for decompression bombs: 256 MiB of RGB, the size from which Pillow warns."""

_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
_ORIENTATION = 0x0112
_PILLOW = re.compile(r"PIL\.")
_ATTEMPTS = 16


def read_bytes(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        RobustError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise RobustError(f"{path} cannot be read: {error.strerror or error}; mend or remove the file") from error


def decode(path: Path) -> NDArray[np.uint8]:
    """Decode an image file by the rules above: RGB, uint8 (H, W, 3), contiguous.

    Raises:
        RobustError: the file cannot be read, is no image, is damaged, or has pixels that are no 8- or 16-bit
            colours.
    """
    return decode_bytes(read_bytes(path), str(path))


def decode_cutout(path: Path) -> NDArray[np.uint8]:
    """Decode an image file with its alpha channel: RGBA, uint8 (H, W, 4), contiguous.

    Raises:
        RobustError: as `decode`, or the image has no transparency.
    """
    return decode_bytes(read_bytes(path), str(path), alpha=True)


def decode_bytes(data: bytes, where: str, *, alpha: bool = False) -> NDArray[np.uint8]:
    """Decode the bytes of an image file; `where` names it in errors. See `decode`, and `decode_cutout` for alpha."""
    from PIL import ImageFile, UnidentifiedImageError

    if not data:
        raise RobustError(f"{where} is an empty file; replace or remove it")
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise RobustError(
            "PIL.ImageFile.LOAD_TRUNCATED_IMAGES is set in this process, so a damaged image would pass "
            "for a whole one; leave it False"
        )
    try:
        return _load_quietly(data, alpha)
    except RobustError as error:
        raise RobustError(f"{where} {error}") from None
    except UnidentifiedImageError:
        raise RobustError(
            f"{where} is not an image in a known format ({', '.join(_formats())}); replace or remove it"
        ) from None
    except Exception as error:  # on damaged files Pillow raises nearly anything, from struct.error to KeyError
        reason = str(error) or type(error).__name__
        raise RobustError(f"{where} cannot be decoded: {reason}; replace or remove it") from error


@cache
def _formats() -> tuple[str, ...]:
    from PIL import Image

    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _load_quietly(data: bytes, alpha: bool) -> NDArray[np.uint8]:
    """Load an image without letting Pillow's warnings out, whatever filters are set.

    `warnings.catch_warnings` swaps the filters of the whole process and would, called from decoding threads,
    undo the swaps of the main thread. A filter for Pillow's own modules is put in front of the list in force
    instead. The main thread may swap the list in between, so a warning that came as an error is tried again.
    """
    for _ in range(_ATTEMPTS):
        if not warnings.filters or warnings.filters[0] != ("ignore", None, Warning, _PILLOW, 0):
            warnings.filterwarnings("ignore", module=_PILLOW.pattern)
        try:
            return _load(data, alpha)
        except Warning as warning:
            last = warning
    raise last


def _load(data: bytes, alpha: bool) -> NDArray[np.uint8]:
    """The first frame, turned upright, as RGB or RGBA."""
    from PIL import Image

    image = Image.open(io.BytesIO(data), formats=_formats())
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise RobustError(f"has {width} x {height} pixels, more than {MAX_PIXELS:,} are refused; scale it down")
    image.load()
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(_orientation(image))
    upright = image if turn is None else image.transpose(turn)
    if not alpha:
        return _to_rgb(upright, image.format)
    if not image.has_transparency_data:
        raise RobustError("has no transparency; a cut-out needs an alpha channel that says where the object is")
    return np.array(upright.convert("RGBA"))


def _orientation(image: Image.Image) -> int:
    # ImageOps.exif_transpose also writes the EXIF anew, which fails for files that are otherwise sound.
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Warning:
        raise
    except Exception:  # damaged EXIF says nothing about the pixels, and Pillow raises nearly anything on it
        return 1
    return value if isinstance(value, int) else 1


def _to_rgb(image: Image.Image, kind: str | None) -> NDArray[np.uint8]:
    wide_grey = image.mode.startswith("I;16") or (image.mode == "I" and kind in ("PNG", "PPM"))
    if wide_grey:
        grey = ((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode in ("I", "F", "LAB"):
        kinds = {"I": "32-bit integer", "F": "floating-point", "LAB": "Lab"}
        raise RobustError(f"has {kinds[image.mode]} pixels; store it as 8- or 16-bit RGB or grey")
    return np.array(image.convert("RGB"))
