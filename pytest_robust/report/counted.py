"""Numbers of things in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def counted(things: Collection[object] | int, noun: str) -> str:
    """``1 cell``, ``3 cells``."""
    number = things if isinstance(things, int) else len(things)
    return f"{number} {noun}{'s' * (number != 1)}"
