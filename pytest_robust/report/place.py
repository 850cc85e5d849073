"""Where a report goes: whether it can be written there, and whether that would cost the user a file of their own."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from pytest_robust.errors import RobustError
from pytest_robust.whole_file import check

if TYPE_CHECKING:
    from pathlib import Path

_ARRAYS = ("ids/", "labels/", "predicted/", "near_tie/", "attack_", "top5/", "confidence/", "nll/", "brier/")
"""How the names of all arrays of a report begin."""


def check_place(path: Path) -> None:
    """Find out before the run whether its report can be written; nothing is made.

    Raises:
        RobustError: it cannot, or see `check_beside`.
    """
    check(path, "report")
    if path.suffix == ".json":
        check(path.with_suffix(".npz"), "report")
        check_beside(path)


def check_beside(path: Path) -> None:
    """Find out whether the npz of a report would take the place of other arrays.

    A report's own, left alone by a process that was killed before it wrote the JSON, is no hindrance.

    Raises:
        RobustError: it would.
    """
    beside = path.with_suffix(".npz")
    if beside.exists() and not path.exists() and not _of_report(beside):
        raise RobustError(f"the report {path} would replace {beside}, which is no report's; choose another name")


def _of_report(path: Path) -> bool:
    """Whether an npz holds arrays of a report, if any."""
    try:
        with zipfile.ZipFile(path) as archive:
            return all(name.startswith(_ARRAYS) for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False
