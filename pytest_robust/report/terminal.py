"""The summary at the end of a run, drawn with rich."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pytest_robust.report import chosen
from pytest_robust.report.table import Row, change, headings, percent, scores_text, verdict_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_GAP = 3
"""Columns of text between two of a table."""


def draw(table: Sequence[Row], width: int, color: bool) -> str:
    """The table and a line of verdicts, and of scores where asked for, per model, as text of at most `width` columns.

    Entries stand as rows beside few models and as columns beside many. Without `color` there is no escape code.
    """
    names = headings(table)
    several = len({row.spec for row in table}) > 1
    titles = [f"{row.spec}::{row.model}" if several else row.model for row in table]
    columns = [
        [percent(row.clean), *(percent(row.entries.get(name)) for name in names), change(row.worst)] for row in table
    ]
    labels = ["clean", *names, "worst vs golden"]
    if len(table) > len(labels):
        heads, lines = labels, [[title, *cells] for title, cells in zip(titles, columns, strict=True)]
    else:
        heads, lines = titles, [[label, *cells] for label, *cells in zip(labels, *columns, strict=True)]
    parts: list[Table | Text] = list(_grids(["accuracy %", *heads], lines, width))
    for title, row in zip(titles, table, strict=True):
        parts.append(Text(f"{title}: {verdict_text(row.verdicts)}", style="red" if row.failed else "green"))
        if row.scores:
            parts.append(Text(f"{title}: {scores_text(row.scores)}"))
    return _printed(parts, width, color)


def draw_chosen(cells: Sequence[Mapping[str, Any]], width: int, color: bool) -> str:
    """A table per model whose enhancer gives weights, of the augmentations it chose, as `draw`; empty for none.

    Args:
        cells: as in the report.
        width: see `draw`.
        color: see `draw`.
    """
    parts: list[Table | Text] = []
    for model, shifts in chosen.by_model(cells).items():
        parts += [Text(f"{model}: mean weights of its enhancer"), *_grids(chosen.HEADS, shifts, width)]
    return _printed(parts, width, color)


def _printed(parts: Sequence[Table | Text], width: int, color: bool) -> str:
    buffer = StringIO()
    console = Console(
        file=buffer, width=width, force_terminal=color, no_color=not color, highlight=False, legacy_windows=False
    )
    for part in parts:
        console.print(part)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines() if line.strip())


def _grids(heads: Sequence[str], lines: Sequence[Sequence[str]], width: int) -> Iterator[Table]:
    """A table in as many pieces as the width demands, the first column in each; a column is never cut to fit."""
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    first = 1
    while first < len(heads):
        last, taken = first + 1, widths[0] + _GAP + widths[first]
        while last < len(heads) and taken + _GAP + widths[last] <= width:
            taken += _GAP + widths[last]
            last += 1
        yield _grid([heads[0], *heads[first:last]], [[line[0], *line[first:last]] for line in lines])
        first = last


def _grid(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> Table:
    grid = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    for position, head in enumerate(heads):
        grid.add_column(head, justify="right" if position else "left")
    for line in lines:
        grid.add_row(*(Text(cell) for cell in line))
    return grid
