"""`pytest-robust diff`: what changed between two goldens or reports?"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from pytest_robust.report.sides import Difference

NAME = "diff"
HELP = "compare two goldens or reports, cell by cell"
DESCRIPTION = """\
Compare two sides cell by cell and sample by sample. A side is a golden (resnet.json),
a folder of goldens, or a report (report.json with report.npz beside it).

Printed per cell: accuracy of both sides and the change in points, how many samples were
lost (right in OLD, wrong in NEW) and won, and what that amounts to:
  same                         every sample has the same predicted label
  worse, better (p=...)        more than chance explains (paired test, p <= 0.01)
  ... within chance (p=...)    not more than chance explains
  other labels, same accuracy  as many samples won as lost
  other samples, other images, other shift parameters
                               nothing to compare: the two were measured on different things
Thresholds play no part here; a run judges them."""
EPILOG = """\
exit codes: 0 the sides are the same, 1 they differ, 2 a side cannot be read

examples:
  pytest-robust diff golden/resnet report.json
  pytest-robust diff golden/resnet/release-2.3 golden/resnet --changed
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("old", metavar="OLD", type=Path, help="a golden, a folder of goldens, or a report")
    parser.add_argument("new", metavar="NEW", type=Path, help="likewise")
    parser.add_argument("--changed", action="store_true", help="leave out cells that are the same")


def run(asked: argparse.Namespace) -> int:
    """Print the table."""
    from pytest_robust.cli.columns import columns
    from pytest_robust.report.counted import counted
    from pytest_robust.report.sides import differences, open_side

    found = list(differences(open_side(asked.old), open_side(asked.new)))
    shown = [cell for cell in found if not (asked.changed and cell.words == "same")]
    several = [len({cell.name[position] for cell in found}) > 1 for position in (0, 2)]
    if shown:
        heads = ["cell", "old %", "new %", "change", "lost", "won", "verdict"]
        for line in columns(heads, [_line(cell, *several) for cell in shown], left=(0, 6)):
            print(line)
    differing = sum(cell.words != "same" for cell in found)
    print(f"{counted(found, 'cell')}: {len(found) - differing} same, {differing} different")
    return 1 if differing else 0


def _line(cell: Difference, several_specs: bool, several_classes: bool) -> list[str]:
    spec, model, device_class, key = cell.name
    # goldens name a spec by its path from their folder, of which the way up tells a reader nothing
    shown = re.sub(r"^(\.\./)+", "", spec)
    name = f"{shown}::{model}::{key}" if several_specs else f"{model}::{key}"
    if several_classes or " -> " in device_class:
        name += f" [{device_class}]"
    old, new = cell.old, cell.new
    return [
        name,
        "-" if old is None else f"{100 * old:.2f}",
        "-" if new is None else f"{100 * new:.2f}",
        "-" if old is None or new is None else f"{100 * (new - old):+.2f}" if new != old else "0.00",
        "-" if cell.lost is None else str(cell.lost),
        "-" if cell.won is None else str(cell.won),
        cell.words,
    ]
