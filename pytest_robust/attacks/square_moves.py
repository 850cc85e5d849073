"""What the square attack tries next on one canvas, in L-infinity and in L2 (arXiv 1912.00049, algorithms 2 and 3)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.attacks import rounding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits

_WORDS = 8
"""Random words that one query may use: two corners of two numbers each, three signs, one orientation."""

_HALF = 1 << 15


class _Draws:
    """The random numbers of every query, drawn at once."""

    def __init__(self, bits: Bits, queries: int) -> None:
        self._words = bits.uint16(queries * _WORDS, lane=1).reshape(queries, _WORDS).astype(np.int64)

    def corner(self, query: int, which: int, room: tuple[int, int]) -> tuple[int, int]:
        """A corner uniform in 0 to `room`, both ends included."""
        row, column = self._words[query, 2 * which : 2 * which + 2].tolist()
        return row * (room[0] + 1) >> 16, column * (room[1] + 1) >> 16

    def signs(self, query: int) -> NDArray[np.int64]:
        """One sign per channel, shape (3,)."""
        return np.where(self._words[query, 4:7] < _HALF, -1, 1)

    def turned(self, query: int) -> bool:
        """A fair coin."""
        return bool(self._words[query, 7] < _HALF)


class Signs:
    """L-infinity: every value is moved by the whole budget, up or down; a square of one colour is turned at a time."""

    def __init__(self, canvas: NDArray[np.uint8], epsilon: float, bits: Bits, queries: int) -> None:
        self._canvas = canvas.astype(np.int64)
        self._levels = int(rounding.most_levels(epsilon))
        self._draws = _Draws(bits, queries)
        stripes = bits.uint16(canvas.shape[1] * 3).reshape(1, -1, 3)
        self._signs = np.broadcast_to(np.where(stripes < _HALF, -1, 1), canvas.shape).copy()
        self._tried = self._signs

    def propose(self, query: int, side: int) -> NDArray[np.uint8]:
        """The canvas to ask for: vertical stripes first, then the best one with one square of other signs."""
        self._tried = self._signs.copy()
        if query:
            height, width = self._canvas.shape[:2]
            row, column = self._draws.corner(query, 0, (height - side, width - side))
            self._tried[row : row + side, column : column + side] = self._draws.signs(query)
        canvas: NDArray[np.uint8] = np.clip(self._canvas + self._levels * self._tried, 0, 255).astype(np.uint8)
        return canvas

    def accept(self) -> None:
        """Go on from what was proposed."""
        self._signs = self._tried


class Patches:
    """L2: two opposed bumps are put in one square, paid for by the budget of another that becomes clean."""

    def __init__(self, canvas: NDArray[np.uint8], epsilon: float, bits: Bits, queries: int) -> None:
        self._clean = canvas
        self._pixels = canvas / 255
        self._epsilon = epsilon
        self._draws = _Draws(bits, queries)
        self._delta = self._tried = self._first(bits)

    def _first(self, bits: Bits) -> NDArray[np.float64]:
        """Bumps side by side over the whole canvas."""
        height, width = self._clean.shape[:2]
        side = max(3, min(height, width) // 5)
        delta = np.zeros(self._clean.shape)
        rows, columns = -(-height // side), -(-width // side)
        words = bits.uint16(rows * columns * 4).reshape(rows, columns, 4)
        for row in range(rows):
            for column in range(columns):
                bump = bumps(side, bool(words[row, column, 3] < _HALF))[..., None]
                signed = bump * np.where(words[row, column, :3] < _HALF, -1, 1)
                part = delta[row * side : (row + 1) * side, column * side : (column + 1) * side]
                part += signed[: part.shape[0], : part.shape[1]]
        return self._scaled(delta)

    def propose(self, query: int, side: int) -> NDArray[np.uint8]:
        """The canvas to ask for: bumps all over first, then the best one with one square's budget moved."""
        self._tried = self._moved(query, side) if query else self._delta
        change = np.clip(self._pixels + self._tried, 0, 1) - self._pixels
        canvas: NDArray[np.uint8] = rounding.within(
            self._clean[None], change[None].astype(np.float32), "l2", self._epsilon
        )[0]
        return canvas

    def accept(self) -> None:
        """Go on from what was proposed."""
        self._delta = self._tried

    def _moved(self, query: int, side: int) -> NDArray[np.float64]:
        height, width = self._clean.shape[:2]
        side = min(max(side, 3) | 1, height, width)
        room = (height - side, width - side)
        (row, column), (row2, column2) = (self._draws.corner(query, which, room) for which in (0, 1))
        new, old = np.s_[row : row + side, column : column + side], np.s_[row2 : row2 + side, column2 : column2 + side]
        delta = self._delta.copy()
        real = np.clip(self._pixels + delta, 0, 1) - self._pixels
        either = np.zeros((height, width), np.bool_)
        either[new] = either[old] = True
        # What the clip to [0, 1] left unused is spent too; each channel gets an equal share.
        unused = max(self._epsilon**2 - float((real**2).sum()), 0) / 3
        budget = np.sqrt(unused + (real[either] ** 2).sum(axis=0))
        before = real[new] / (np.sqrt((real[new] ** 2).sum(axis=(0, 1))) + 1e-10)
        shape = bumps(side, self._draws.turned(query))[..., None] * self._draws.signs(query) + before
        delta[old] = 0
        delta[new] = shape / (np.sqrt((shape**2).sum(axis=(0, 1))) + 1e-10) * budget
        return self._scaled(delta)

    def _scaled(self, delta: NDArray[np.float64]) -> NDArray[np.float64]:
        return delta * (self._epsilon / max(float(np.sqrt((delta**2).sum())), 1e-10))


@lru_cache(maxsize=256)
def bumps(side: int, turned: bool) -> NDArray[np.float64]:
    """A bump and its negative side by side, of L2 norm 1, shape (side, side); read-only.

    Each bump is a sum of centred rectangles of falling weight 1/k^2, so a value depends on how many rings it is away
    from the middle.
    """
    made = np.concatenate([_bump(side // 2, side), -_bump(side - side // 2, side)])
    made /= np.sqrt((made**2).sum())
    made = made.T if turned else made
    made.setflags(write=False)
    return made


def _bump(height: int, width: int) -> NDArray[np.float64]:
    rows, columns = np.abs(np.arange(height) - height // 2), np.abs(np.arange(width) - width // 2)
    rings = np.maximum(rows[:, None], columns[None, :])
    weights = 1 / np.arange(1, max(height, width) // 2 + 2) ** 2
    values: NDArray[np.float64] = np.cumsum(weights[::-1])[::-1][rings]
    return values / max(float(np.sqrt((values**2).sum())), 1e-10)
