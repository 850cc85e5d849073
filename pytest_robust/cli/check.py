"""`pytest-robust check`: are these specs valid?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

NAME = "check"
HELP = "validate specs; opens no model and no image"
DESCRIPTION = """\
Validate specs and print every mistake as file:line:column. Opens no model and no image.
What a conftest registers is known here as it is in a run.

For each threshold row with max_regression, and as far as the number of samples is known
without the data, one line says what it can see: the smallest drop from the golden that can
be significant."""
EPILOG = """\
exit codes: 0 valid, 1 mistakes, 2 no such file

examples:
  pytest-robust check specs/net.yaml
  pytest-robust check specs/*.yaml nightly/*.yaml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("specs", nargs="+", metavar="SPEC", type=Path, help="a .yaml file")


def run(asked: argparse.Namespace) -> int:
    """Collect the specs as pytest would."""
    from pytest_robust.cli.specs import check_file
    from pytest_robust.in_process import collect
    from pytest_robust.report.foresight import foresight
    from pytest_robust.report.notes import mixed_angles

    for path in asked.specs:
        check_file(path)
    found = collect(asked.specs)
    for name, plan in found.plans.items():
        counts = (
            (len(plan.models), "model"),
            (len(plan.shifts), "shift"),
            (len(plan.cells), "cell"),
            (len(plan.aggregates), "aggregate"),
        )
        told = ", ".join(f"{count} {word}{'s' * (count != 1)}" for count, word in counts if count)
        print(f"{name}: ok, {told}")
        for line in (*foresight(plan), *mixed_angles(plan)):
            print(f"  {line}")
    for mistake in found.mistakes:
        print(mistake, file=sys.stderr)
    return 1 if found.mistakes else 0
