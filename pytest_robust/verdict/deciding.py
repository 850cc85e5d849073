"""Which of a cell's findings speak for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_robust.verdict.evidence import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_robust.spec.plan import Level


def decide(findings: Sequence[Finding], otherwise: Verdict) -> tuple[Verdict, Level, list[Finding]]:
    """The verdict, its level, and the findings that speak: blocking rows before warning ones.

    Of one level what fails unexpectedly speaks first, then what was expected, then what is left open.
    """
    for level in ("block", "warn"):
        if there := [finding for finding in findings if finding.level == level]:
            first = min(map(_turn, there))
            speaking = [finding for finding in there if _turn(finding) == first]
            worst = min(speaking, key=lambda finding: finding.verdict.rank)
            return worst.verdict, worst.level, speaking
    return otherwise, "block", []


def _turn(finding: Finding) -> int:
    if finding.expected is not None:
        return 1
    return 0 if finding.verdict.rank < Verdict.INCONCLUSIVE.rank else 2


def expected_by(deciding: Sequence[Finding]) -> str | None:
    """Why what decides was expected; None where anything that decides was not."""
    reasons = [finding.expected for finding in deciding if finding.expected is not None]
    return "; ".join(dict.fromkeys(reasons)) if reasons and len(reasons) == len(deciding) else None
