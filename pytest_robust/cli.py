"""The command line `pytest-robust`: what one does with a spec beside running it."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPILOG = """\
A spec is run by pytest itself:

  pytest --robust-spec specs/resnet.yaml

exit codes: 0 all is well, 1 a spec has mistakes, 2 the command line is wrong
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
    check = commands.add_parser(
        "check",
        help="validate specs; opens no model and no image",
        description="Validate specs and print every mistake as file:line:column. Opens no model and no image.",
    )
    check.add_argument("specs", nargs="+", metavar="SPEC", type=Path)
    schema = commands.add_parser(
        "schema",
        help="print the JSON Schema of specs, for editors",
        description="Print the JSON Schema of specs. Editors use it through the first line of a spec: "
        "# yaml-language-server: $schema=robust.schema.json",
    )
    schema.add_argument("--out", type=Path, metavar="PATH", help="write it there instead")
    asked = parser.parse_args(arguments)
    return _check(asked.specs) if asked.command == "check" else _schema(asked.out)


_COLLECT = ("--collect-only", "--assert=plain", "-p", "no:cacheprovider")


class _Collected:
    """A pytest plugin that keeps what collection found."""

    def __init__(self) -> None:
        self.mistakes: list[str] = []
        self.specs: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.mistakes.append(str(report.longrepr))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        from pytest_robust.collect import RobustItem

        plans = {item.spec.display: item.spec.plan for item in session.items if isinstance(item, RobustItem)}
        for name, plan in plans.items():
            counts = (
                (len(plan.models), "model"),
                (len(plan.shifts), "shift"),
                (len(plan.cells), "cell"),
                (len(plan.aggregates), "aggregate"),
            )
            told = ", ".join(f"{count} {word}{'s' * (count != 1)}" for count, word in counts if count)
            self.specs.append(f"{name}: ok, {told}")


def _check(specs: Sequence[Path]) -> int:
    """Collect the specs as pytest would, so that what a conftest registers is known."""
    for path in specs:
        if not path.is_file():
            print(f"there is no file {path}", file=sys.stderr)
            return 2
    found = _Collected()
    options = [f"--robust-spec={path}" for path in specs]
    with contextlib.redirect_stdout(io.StringIO()):  # pytest's own account of the collection
        code = pytest.main([*_COLLECT, *options], plugins=[found])
    for line in found.specs:
        print(line)
    for mistake in found.mistakes:
        print(mistake, file=sys.stderr)
    return 1 if found.mistakes or code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) else 0


def _schema(out: Path | None) -> int:
    from pytest_robust.shifts.registry import catalog
    from pytest_robust.spec.schema import json_schema

    text = json.dumps(json_schema(catalog()), indent=2) + "\n"
    if out is None:
        sys.stdout.write(text)
        return 0
    try:
        out.write_text(text)
    except OSError as error:
        print(f"{out} cannot be written ({error.strerror}); choose another place", file=sys.stderr)
        return 2
    return 0
