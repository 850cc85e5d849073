"""What an update does to a golden, in the lines that a run and `pytest-robust accept` print."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_robust.report.counted import counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_robust.golden import Proposal

_SHOWN = 10


def change_lines(proposal: Proposal, model: str, folder: Path, written: bool) -> Iterator[str]:
    """One line per changed cell (at most ten), the notes, and what it amounts to."""
    changes = [change for change in proposal.changes if change.kind != "="]
    same = len(proposal.changes) - len(changes)
    for change in changes[:_SHOWN]:
        values = [f"{100 * value:.2f}" for value in (change.old_accuracy, change.new_accuracy) if value is not None]
        yield f"  {change.kind} {model}::{change.key}   {' -> '.join(values)}"
    if len(changes) > _SHOWN:
        yield f"  ... and {len(changes) - _SHOWN} more"
    for note in proposal.notes:
        yield f"  {note}"
    if written:
        yield (
            f"Golden of {model} updated: {len(changes)} changed, {same} unchanged; review with git diff {shown(folder)}"
        )
    else:
        yield f"Golden of {model} is up to date: {counted(same, 'cell')} unchanged"


def shown(path: Path) -> str:
    """A path as the user would type it."""
    full = os.path.normpath(path)
    near = os.path.relpath(full)
    return full if near.startswith("..") else near
