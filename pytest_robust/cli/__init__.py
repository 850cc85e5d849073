"""The command line `pytest-robust`: what one does with specs, goldens and reports beside running them."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from pytest_robust.cli import (
    accept,
    check,
    craft,
    diff,
    doctor,
    enhance,
    fingerprint,
    init,
    matrix,
    merge,
    preview,
    schema,
)
from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIGINT, _SIGPIPE = 128 + 2, 128 + 13
"""What a shell reports of a tool that Ctrl-C, or a closed pipe, ended."""

_COMMANDS = (init, check, preview, craft, diff, accept, merge, matrix, fingerprint, enhance, doctor, schema)
_EPILOG = """\
A spec is run by pytest itself; these commands do the rest. From a model to a gate:

  pytest-robust init models/net.onnx --data images/val      a first spec: specs/net.yaml
  pytest-robust check specs/net.yaml                        mistakes, and what the gate can see
  pytest-robust preview specs/net.yaml --out sheet.png      look at what will be measured
  pytest --robust-spec=specs/net.yaml --robust-update-new   record the goldens; commit them
  pytest --robust-spec=specs/net.yaml                       the gate, from now on

A new model is judged in the old one's place first. Once the spec names it, it is recorded, or
what CI has measured and kept as a report is:

  pytest --robust-spec=specs/net.yaml --robust-model=net=new.onnx --robust-report=report.json
  pytest-robust diff golden/net report.json --changed
  pytest --robust-spec=specs/net.yaml --robust-update --robust-reason="retrained"
  pytest-robust accept report-of-ci.json --reason="retrained"

`pytest --help` lists the options of a run under "robustness regression testing", and
`pytest-robust COMMAND --help` explains a command, with examples.

exit codes of every command:
  0  all is well
  1  the answer is no: a spec has mistakes, two sides differ, an update is refused,
     shards are incomplete or a case failed, the installation is broken
  2  the command line is wrong, or a file that it names cannot be read or written

exit codes of a run are pytest's own:
  0  every case passed, or failed as a waiver expects
  1  a case failed, goldens or reports could not be written, a waiver excuses nothing,
     or the gate is incomplete and that counts as a failure (always in CI)
  2  a spec has mistakes (with -n pytest-xdist makes it 1), or the run was interrupted
  4  an option cannot be     5  no case was selected
"""


def _with_room(prog: str) -> argparse.HelpFormatter:
    """A formatter that knows of the indent of the longest command: argparse counts them all without theirs."""
    made = argparse.RawDescriptionHelpFormatter(prog)
    made._action_max_length = 4 + max(len(command.NAME) for command in _COMMANDS)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="pytest-robust",
        description="Robustness regression testing for image classifiers.",
        epilog=_EPILOG,
        formatter_class=_with_room,
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
        sys.stdout.flush()
    except RobustError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return _SIGINT
    except BrokenPipeError:
        # the reader (head, less) has seen enough; Python writes what is left once more when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _SIGPIPE
    return code
