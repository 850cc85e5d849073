"""The command line `pytest-robust`: what one does with specs, goldens and reports beside running them."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from pytest_robust.cli import accept, check, diff, doctor, init, merge, schema
from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMANDS = (init, check, diff, accept, merge, doctor, schema)
_EPILOG = """\
A spec is run by pytest itself:

  pytest --robust-spec specs/resnet.yaml

and `pytest --help` lists the options of a run under "robustness regression testing".

exit codes of every command:
  0  all is well
  1  the answer is no: a spec has mistakes, two sides differ, an update is refused,
     shards are incomplete or a case failed, the installation is broken
  2  the command line is wrong, or a file that it names cannot be read or written
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="pytest-robust",
        description="Robustness regression testing for image classifiers.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        made = commands.add_parser(
            command.NAME,
            help=command.HELP,
            description=command.DESCRIPTION,
            epilog=command.EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(made)
        made.set_defaults(run=command.run)
    asked = parser.parse_args(arguments)
    try:
        code: int = asked.run(asked)
    except RobustError as error:
        print(error, file=sys.stderr)
        return 2
    return code
