"""A contact sheet: labelled pictures in strips, drawn into one image."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

COLUMNS = 12
"""Pictures beside each other; a longer strip goes on below."""

FONT = 14
"""Height of the text in pixels."""

_LINE = FONT + 5
_GAP = 8
_NARROWEST = 144
_PAPER, _INK, _FRAME = (244, 244, 244), (20, 20, 20), (160, 160, 160)


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One picture and what stands below it.

    Attributes:
        caption: its beginning is cut off where the tile is too narrow for it.
        picture: uint8 (H, W, 3), as `thumbnail` gives it; None draws an empty frame.
    """

    caption: str
    picture: NDArray[np.uint8] | None


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """Pictures that belong together, and what stands above them."""

    title: str
    tiles: Sequence[Tile]


def thumbnail(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A picture of at most `side` x `side` pixels.

    A small image is enlarged by a whole factor, so that each of its pixels is a square; a large one is averaged
    down; one that fits stays as it is.

    Args:
        image: uint8 (H, W, 3).
        side: pixels.
    """
    height, width = image.shape[:2]
    longest = max(height, width)
    if longest <= side:
        return image.repeat(side // longest, axis=0).repeat(side // longest, axis=1)
    size = tuple(max(1, round(length * side / longest)) for length in (width, height))
    return np.asarray(Image.fromarray(image).resize((size[0], size[1]), Image.Resampling.BOX))


def draw_sheet(head: Sequence[str], strips: Sequence[Strip], side: int) -> bytes:
    """Draw the strips below each other.

    Args:
        head: lines of text above all.
        strips: at least one tile each.
        side: room for each picture, in pixels both ways.

    Returns:
        A PNG file, RGB.
    """
    font = ImageFont.load_default(FONT)
    pitch = max(side, _NARROWEST) + _GAP
    columns = min(COLUMNS, max(len(strip.tiles) for strip in strips))
    widest = max(font.getlength(text) for text in (*head, *(strip.title for strip in strips)))
    lines = [-(-len(strip.tiles) // COLUMNS) for strip in strips]
    row = side + _LINE + _GAP
    height = _GAP + _LINE * (len(head) + len(strips)) + _GAP * len(strips) + row * sum(lines)
    sheet = Image.new("RGB", (max(columns * pitch, int(widest) + 1 + _GAP) + _GAP, height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    y = _GAP
    for text in head:
        pen.text((_GAP, y), text, _INK, font)
        y += _LINE
    for strip, count in zip(strips, lines, strict=True):
        y += _GAP
        pen.text((_GAP, y), strip.title, _INK, font)
        y += _LINE
        for position, tile in enumerate(strip.tiles):
            corner = (_GAP + pitch * (position % COLUMNS), y + row * (position // COLUMNS))
            if tile.picture is None:
                pen.rectangle((*corner, corner[0] + side - 1, corner[1] + side - 1), outline=_FRAME)
            else:
                sheet.paste(Image.fromarray(tile.picture), corner)
            pen.text((corner[0], corner[1] + side + 1), _fitted(tile.caption, font, pitch - _GAP), _INK, font)
        y += row * count
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """The text, or as much of its end as there is room for: what tells neighbours apart stands there."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"...{text}") > width:
        text = text[1:]
    return f"...{text}"
