"""Frost: a picture of ice over the image, a photograph of the user's or one made by rule."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.shifts import ice, textures
from pytest_robust.shifts.draws import Draws
from pytest_robust.shifts.pixels import FIXED_GUARD, FRACTION, fixed
from pytest_robust.shifts.severity import IMAGENET_C, check_options, corruption

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits, PixelShift
    from pytest_robust.spec.plan import Json


def frost(
    images: NDArray[np.uint8], bits: Sequence[Bits], keep: float, add: float, scale: float, digest: str
) -> NDArray[np.uint8]:
    """``keep * x + add * texture`` for a random part of a random texture, of those that `digest` stands for."""
    return _blended(images, bits, keep, add, textures.scaled(digest, scale, *images.shape[1:3]))


def frost_procedural(
    images: NDArray[np.uint8], bits: Sequence[Bits], keep: float, add: float, scale: float
) -> NDArray[np.uint8]:
    """The rule of frost with the pictures of `ice` for textures."""
    return _blended(images, bits, keep, add, procedural(scale, *images.shape[1:3]))


@lru_cache(maxsize=4)
def procedural(scale: float, height: int, width: int) -> tuple[NDArray[np.uint8], ...]:
    """The pictures of `ice` as the textures of a canvas of this size; see `textures.scaled`."""
    return tuple(textures.fitted(picture, scale, height, width) for picture in ice.pictures())


def _blended(
    images: NDArray[np.uint8], bits: Sequence[Bits], keep: float, add: float, choices: Sequence[NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    height, width = images.shape[1:3]
    own, other = int(fixed(keep)), int(fixed(add))
    levels, part = (np.empty(images.shape[1:], np.int32) for _ in range(2))
    out = np.empty(images.shape, np.uint8)
    for target, image, one in zip(out, images, bits, strict=True):
        number, top, left = place(one, choices, height, width)
        chosen = choices[number]
        np.multiply(image, own, out=levels, dtype=np.int32)
        np.multiply(chosen[top : top + height, left : left + width], other, out=part, dtype=np.int32)
        levels += part
        levels += FIXED_GUARD
        levels >>= FRACTION
        np.minimum(levels, 255, out=levels)
        np.copyto(target, levels, casting="unsafe")
    return out


def place(bits: Bits, choices: Sequence[NDArray[np.uint8]], height: int, width: int) -> tuple[int, int, int]:
    """Which texture an image gets, and from which row and column of it on."""
    draws = Draws(bits)
    number = draws.below(len(choices))
    rows, columns = choices[number].shape[:2]
    return number, draws.below(rows - height), draws.below(columns - width)


def _from_folder(shift: PixelShift) -> PixelShift:
    """The shift with the option `textures`: a folder, of which the digest of its textures is kept."""
    options: dict[str, Json] = {**shift.options, "textures": None}

    def resolve(parameters: Mapping[str, Json], height: int, width: int) -> dict[str, Any]:
        check_options(shift.name, parameters, options)
        folder = parameters.get("textures")
        rest = {key: value for key, value in parameters.items() if key != "textures"}
        numbers = shift.resolve(rest, height, width)
        if not numbers:
            return numbers
        if not isinstance(folder, str) or not folder:
            raise ValueError(
                f"{shift.name} needs textures, the folder of its photographs, not {folder!r}; "
                f"{frost_procedural.__name__} makes its own"
            )
        return {**numbers, "digest": textures.digest_of(folder)}

    return replace(shift, resolve=resolve, options=options)


def _rows(scale: float, *rows: tuple[float, float]) -> tuple[tuple[float, ...], ...]:
    return tuple((*row, scale) for row in rows)


_KEYS = ["keep", "add", "scale"]
_TABLES = {
    224: _rows(1, (1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
    64: _rows(0.3, (1, 0.3), (0.9, 0.4), (0.8, 0.45), (0.75, 0.5), (0.7, 0.55)),
    32: _rows(0.2, (1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
}

SHIFTS = (
    _from_folder(
        corruption(
            frost,
            suite="imagenet-c",
            source=f"{IMAGENET_C}; with its photographs, the first five of the six, from a folder of yours",
            keys=_KEYS,
            tables=_TABLES,
        )
    ),
    corruption(
        frost_procedural,
        suite="imagenet-c",
        source="ours: the rule and the weights of frost with pictures of ice that are made by rule",
        keys=_KEYS,
        tables=_TABLES,
    ),
)
