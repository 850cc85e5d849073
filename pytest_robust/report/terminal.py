"""The summary at the end of a run, drawn with rich."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pytest_robust.report.table import Row, change, headings, percent, verdict_text

if TYPE_CHECKING:
    from collections.abc import Sequence


def draw(table: Sequence[Row], width: int, color: bool) -> str:
    """The table as text of at most `width` columns, with ANSI colours or without any escape code."""
    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    several = len({row.spec for row in table}) > 1
    if several:
        drawn.add_column("spec")
    drawn.add_column("model", no_wrap=True)
    names = headings(table)
    for name in ["clean", *names, "vs golden"]:
        drawn.add_column(name, justify="right")
    drawn.add_column("verdicts")
    for row in table:
        cells = [row.spec] if several else []
        cells += [row.model, percent(row.clean)]
        cells += [percent(row.entries.get(name)) for name in names]
        cells += [change(row.worst), verdict_text(row.verdicts)]
        drawn.add_row(*(Text(cell) for cell in cells), style="red" if row.failed else None)
    buffer = StringIO()
    console = Console(
        file=buffer,
        width=width,
        force_terminal=color,
        no_color=not color,
        highlight=False,
        legacy_windows=False,
    )
    console.print(drawn)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines() if line.strip())
