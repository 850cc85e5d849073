"""`pytest-robust schema`: the JSON Schema of specs, or of reports."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

NAME = "schema"
HELP = "print the JSON Schema of specs, for editors, or of reports"
DESCRIPTION = """\
Print the JSON Schema of specs. Editors use it through the first line of a spec:
  # yaml-language-server: $schema=robust.schema.json"""
EPILOG = """\
exit codes: 0 written, 2 the file cannot be written

examples:
  pytest-robust schema --out specs/robust.schema.json
  pytest-robust schema --report
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--report", action="store_true", help="the schema of the JSON report instead")
    parser.add_argument("--out", type=Path, metavar="PATH", help="write it there instead")


def run(asked: argparse.Namespace) -> int:
    """Print or write the schema."""
    from pytest_robust.errors import RobustError
    from pytest_robust.registry import catalog
    from pytest_robust.report.schema import report_schema
    from pytest_robust.spec.schema import json_schema

    text = json.dumps(report_schema() if asked.report else json_schema(catalog()), indent=2) + "\n"
    if asked.out is None:
        sys.stdout.write(text)
        return 0
    try:
        asked.out.write_text(text)
    except OSError as error:
        raise RobustError(f"{asked.out} cannot be written ({error.strerror}); choose another place") from error
    return 0
