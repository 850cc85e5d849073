"""Finds specs: one that is named, and one that a report speaks of, which was written on another machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from pytest_robust.in_process import Kept
    from pytest_robust.report.reading import StoredReport
    from pytest_robust.spec.plan import Plan


def collected(spec: Path, kept: Kept | None = None) -> Plan | None:
    """A spec's plan, with what its conftest registers; None after its mistakes have been printed.

    Args:
        spec: its file.
        kept: as of `in_process.collect`.

    Raises:
        RobustError: there is no such file.
    """
    from pytest_robust.in_process import collect

    check_file(spec)
    found = collect([spec], kept=kept)
    for mistake in found.mistakes:
        print(mistake, file=sys.stderr)
    if found.mistakes:
        return None
    (plan,) = found.plans.values()
    return plan


def check_file(spec: Path) -> None:
    """Find out whether a spec is there.

    Raises:
        RobustError: it is not, or it is a folder.
    """
    if spec.is_dir():
        raise RobustError(f"{spec} is a folder, not a spec; name the .yaml file")
    if not spec.is_file():
        raise RobustError(f"there is no file {spec}")


def find_spec(report: StoredReport, spec: str) -> Path:
    """The spec's file in this checkout: below the current folder or one above it, as it was when it was run.

    Raises:
        RobustError: it is not there, or it was changed since.
    """
    import hashlib

    here = Path.cwd()
    path = next((folder / spec for folder in (here, *here.parents) if (folder / spec).is_file()), None)
    if path is None:
        raise RobustError(
            f"{spec}, which {report.path} speaks of, is not below {here} or a folder above it; "
            "run this in a checkout of the commit that was measured"
        )
    if hashlib.sha256(path.read_bytes()).hexdigest() != report.run["spec_sha256"][spec]:
        raise RobustError(
            f"{path} is not the spec that was run (its sha256 differs); check out the commit that was measured, "
            "or run the changed spec"
        )
    return path


def golden_folder(report: StoredReport, spec: str, override: Path | None) -> Path:
    """Where the goldens of a spec lie in this checkout.

    Raises:
        RobustError: the spec names no folder, or see `find_spec`.
    """
    if override is not None:
        return override
    named: str | None = report.run["specs"][spec]["golden"]
    if named is None:
        raise RobustError(f"{spec} names no golden folder; add `golden: PATH` to it, or use --golden")
    return (find_spec(report, spec).parent / named).resolve()
