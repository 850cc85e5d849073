"""What a reader must know beside the verdicts: notes on samples, and aggregates that a profile does not judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_robust.views.composed import MIXED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_robust.spec.plan import Plan

_MOST = 10


def cell_notes(cells: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The notes on cells, equal ones as one with their count; at most ten.

    Args:
        cells: as in the report.
    """
    holders: dict[str, list[str]] = {}
    for cell in cells:
        for note in cell["notes"]:
            holders.setdefault(note, []).append(cell["id"])
    for note, names in list(holders.items())[:_MOST]:
        yield f"{names[0] if len(names) == 1 else f'{len(names)} cells'}: {note}"
    if len(holders) > _MOST:
        yield f"... and {len(holders) - _MOST} more notes, in the JSON report"


def dropped(run: Mapping[str, Any]) -> Iterator[str]:
    """One sentence per spec of which a profile drops aggregates.

    Args:
        run: as in the report.
    """
    for spec in run["specs"].values():
        if names := spec["dropped"]:
            many, their = ("aggregates are", "their") if len(names) > 1 else ("aggregate is", "its")
            yield (
                f"{len(names)} {many} not judged under profile {spec['profile']}, which leaves out some of {their} "
                f"cells: {', '.join(names)}"
            )


def mixed_angles(plan: Plan) -> Iterator[str]:
    """One line per entry of a spec whose angles do not compare."""
    for mark in dict.fromkeys(shift.mark for shift in plan.shifts if shift.parameters.get("mixed")):
        yield f"{mark.file}:{mark.line}: {MIXED}"
