"""The transfer matrix as a picture: one square per source and target, its colour and its number the rate."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
    Colour = tuple[int, int, int]

FONT = 15
"""Height of the text in pixels."""

_GAP = 12
_CELL = 58
_SCALE = 18
_PAPER, _INK, _FRAME, _GREY = (255, 255, 255), (25, 25, 25), (150, 150, 150), (236, 236, 236)
_SHADES = np.array([(255, 250, 240), (253, 212, 158), (252, 141, 89), (215, 48, 31), (127, 0, 0)], np.float64)

_CAPTIONS = {
    "untargeted": "that the column's model takes for another class",
    "top1": "that the column's model takes for their target class",
    "top5": "whose target class is among the column's model's five most probable",
}


def draw_matrix(matrix: Mapping[str, Any], title: str) -> bytes:
    """Draw a matrix; rows are sources, columns targets.

    The diagonal is no transfer: it is hatched and shows the white-box rate, if there is one. A pair of which nothing is
    known is grey with a dash.

    Args:
        matrix: the entry `matrix` of an aggregate of the report.
        title: what stands above.

    Returns:
        A PNG file, RGB.
    """
    font = ImageFont.load_default(FONT)
    sources, targets = matrix["sources"], matrix["targets"]
    heads = [_upright(name, font) for name in targets]
    crafted = "% of images crafted on the row's model"
    notes = [title, f"{crafted} {_CAPTIONS[matrix['match']]}"]
    left = _GAP + int(max(font.getlength(name) for name in (*sources, "from"))) + _GAP
    top = _GAP + (FONT + 6) * len(notes) + _GAP + max(head.height for head in heads) + 6
    right = left + _CELL * len(targets)
    bottom = top + _CELL * len(sources)
    width = max(right + _GAP * 3 + _SCALE + 44, int(max(font.getlength(note) for note in notes)) + 2 * _GAP)
    legend = "hatched: the model itself (white box)" if set(sources) & set(targets) else ""
    width = max(width, left + int(font.getlength(legend)) + _GAP)
    picture = Image.new("RGB", (width, bottom + FONT + 3 * _GAP), _PAPER)
    pen = ImageDraw.Draw(picture)
    for line, note in enumerate(notes):
        pen.text((_GAP, _GAP + line * (FONT + 6)), note, _INK, font)
    pen.text((left - _GAP, top - 6), "from", _INK, font, anchor="rs")
    for column, head in enumerate(heads):
        picture.paste(head, (left + column * _CELL + (_CELL - head.width) // 2, top - 6 - head.height))
    for row, source in enumerate(sources):
        pen.text((left - _GAP, top + row * _CELL + _CELL // 2), source, _INK, font, anchor="rm")
        for column, target in enumerate(targets):
            box = (left + column * _CELL, top + row * _CELL)
            if target == source:
                _own(pen, box, matrix["white_box"][row], font)
            else:
                _rate(pen, box, matrix["rates"][row][column], font)
    pen.text((left, bottom + _GAP), legend, _INK, font)
    _legend(pen, (right + 2 * _GAP, top), max(bottom - top, 2 * FONT), font)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def shade(rate: float) -> Colour:
    """The colour of a rate: pale at 0, dark red at 1."""
    at = rate * (len(_SHADES) - 1)
    low = min(int(at), len(_SHADES) - 2)
    red, green, blue = (_SHADES[low] + (at - low) * (_SHADES[low + 1] - _SHADES[low])).round().astype(int).tolist()
    return red, green, blue


def _rate(pen: ImageDraw.ImageDraw, corner: tuple[int, int], rate: float | None, font: Font) -> None:
    colour = _GREY if rate is None else shade(rate)
    pen.rectangle(_square(corner), colour, _FRAME)
    pen.text(_centre(corner), "-" if rate is None else _percent(rate), _readable(colour), font, anchor="mm")


def _own(pen: ImageDraw.ImageDraw, corner: tuple[int, int], rate: float | None, font: Font) -> None:
    """A hatched square with the number on paper, so that no colour of it is taken for a transfer."""
    pen.rectangle(_square(corner), _PAPER, _FRAME)
    x, y = corner
    for step in range(8, 2 * _CELL, 8):
        start, end = max(0, step - _CELL), min(step, _CELL)
        pen.line((x + start, y + step - start, x + end, y + step - end), _FRAME)
    if rate is not None:
        text = _percent(rate)
        middle = _centre(corner)
        reach = font.getlength(text) / 2 + 4
        pen.rectangle((middle[0] - reach, middle[1] - FONT * 0.7, middle[0] + reach, middle[1] + FONT * 0.7), _PAPER)
        pen.text(middle, text, _INK, font, anchor="mm")


def _legend(pen: ImageDraw.ImageDraw, corner: tuple[int, int], height: int, font: Font) -> None:
    x, y = corner
    for line in range(height):
        pen.line((x, y + line, x + _SCALE, y + line), shade(1 - line / max(1, height - 1)))
    pen.rectangle((x, y, x + _SCALE, y + height - 1), None, _FRAME)
    pen.text((x + _SCALE + 6, y), "100", _INK, font, anchor="lt")
    pen.text((x + _SCALE + 6, y + height), "0", _INK, font, anchor="lb")


def _upright(text: str, font: Font) -> Image.Image:
    """A name written from bottom to top."""
    strip = Image.new("RGB", (int(font.getlength(text)) + 2, FONT + 8), _PAPER)
    ImageDraw.Draw(strip).text((1, (FONT + 8) // 2), text, _INK, font, anchor="lm")
    return strip.transpose(Image.Transpose.ROTATE_90)


def _square(corner: tuple[int, int]) -> Sequence[int]:
    return corner[0], corner[1], corner[0] + _CELL, corner[1] + _CELL


def _centre(corner: tuple[int, int]) -> tuple[float, float]:
    return corner[0] + _CELL / 2, corner[1] + _CELL / 2


def _readable(colour: Colour) -> Colour:
    """Dark text on light squares, light text on dark ones."""
    red, green, blue = colour
    return _INK if 0.299 * red + 0.587 * green + 0.114 * blue > 130 else _PAPER


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f}"
