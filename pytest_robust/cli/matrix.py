"""`pytest-robust matrix`: which model's adversarial images turn which other one?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    import argparse

NAME = "matrix"
HELP = "draw the transfer matrix of a report as a picture"
DESCRIPTION = """\
Draw the transfer matrix that an aggregate `transfer` measured: a row per model that images
were crafted on, a column per model that was shown them. The number and the colour of a square
are the share, in percent, that turns the column's model, of the images whose clean versions
both models have right, whether or not they turn the row's own.

A model's own images are no transfer: their squares are hatched and show the white-box rate.
A dash stands where no image counts. The report's JSON and markdown hold the same numbers, with
the distortions."""
EPILOG = """\
exit codes: 0 the picture is written,
            2 the report cannot be read or has no matrix, or the picture not be written

examples:
  pytest --robust-spec=specs/net.yaml --robust-report=report.json
  pytest-robust matrix report.json --out transfer.png
  pytest-robust matrix report.json --out cw.png --select cw.transfer
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("report", metavar="REPORT.json", type=Path, help="the report of a run")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="PICTURE.png", help="where to; replaced if it exists"
    )
    parser.add_argument(
        "--select", metavar="TEXT", help="the aggregate whose id contains this, where there are several"
    )


def run(asked: argparse.Namespace) -> int:
    """Read the report, draw."""
    from pytest_robust.report.heatmap import draw_matrix
    from pytest_robust.whole_file import check, replace

    if asked.out.suffix != ".png":
        raise RobustError(f"--out {asked.out}: a picture is a .png file")
    check(asked.out, "heat map")
    found = _chosen(asked.report, asked.select)
    matrix = found["matrix"]
    replace(asked.out, draw_matrix(matrix, found["id"]), "heat map")
    print(f"{asked.out} written: {len(matrix['sources'])} x {len(matrix['targets'])} models of {found['id']}")
    return 0


def _chosen(path: Path, wanted: str | None) -> dict[str, Any]:
    """The aggregate to draw.

    Raises:
        RobustError: there is none, or several.
    """
    from pytest_robust.report.reading import is_report, read_json

    document = read_json(path)
    if not is_report(document):
        raise RobustError(f"{path} is not a report of pytest-robust; make one with --robust-report={path}")
    known: dict[str, dict[str, Any]] = {one["id"]: one for one in document["aggregates"] if one.get("matrix")}
    if not known:
        raise RobustError(
            f"{path} has no transfer matrix; ask for one by `aggregates: [{{transfer: {{}}}}]` in the spec"
        )
    matched = [one for name, one in known.items() if wanted is None or wanted in name]
    if len(matched) != 1:
        which = "several matrices" if wanted is None else f"{len(matched)} matrices whose id contains '{wanted}'"
        raise RobustError(f"{path} has {which}; choose one of {', '.join(known)} by --select")
    return matched[0]
