"""What became of a case whose limits do not hold: failed, waived until a date, or expected to fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Outcome = Literal["passed", "failed", "waived", "expected"]


def outcome(report: Mapping[str, Any]) -> Outcome:
    """Of an item's report; what is expected needs no waiver."""
    if not report["fails"]:
        return "passed"
    if report["expected"]:
        return "expected"
    return "waived" if report["waiver"] else "failed"


def told(report: Mapping[str, Any]) -> str:
    """The first line of a case that fails, with what excuses it."""
    headline: str = report["headline"]
    excuse = {"waived": report["waiver"], "expected": report["expected"]}.get(outcome(report))
    return f"{headline} ({outcome(report)}: {excuse})" if excuse else headline


def by_outcome(reports: Iterable[Mapping[str, Any]]) -> dict[Outcome, dict[str, str]]:
    """`failed`, `waived` and `expected`: first lines by id."""
    found: dict[Outcome, dict[str, str]] = {"failed": {}, "waived": {}, "expected": {}}
    for report in reports:
        if report["fails"]:
            found[outcome(report)][report["id"]] = told(report)
    return found
