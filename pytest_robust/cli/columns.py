"""Text in columns, for tables that may go into a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def columns(heads: Sequence[str], lines: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> Iterator[str]:
    """The table, line by line; columns whose position is in `left` begin at the left, numbers end at the right."""
    widths = [max(len(line[position]) for line in (heads, *lines)) for position in range(len(heads))]
    for line in (heads, *lines):
        cells = (
            cell.ljust(width) if position in left else cell.rjust(width)
            for position, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()
