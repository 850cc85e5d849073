"""Limits that a spec expects to be breached: strict, so that one which holds after all is a failure of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_robust.verdict.aggregate import Held
from pytest_robust.verdict.evidence import BREACHED, Finding, Verdict
from pytest_robust.verdict.holding import holding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_robust.spec.plan import Gate, Threshold
    from pytest_robust.verdict.evidence import Evidence, Judgement


def as_expected(row: Threshold, findings: Sequence[Finding], evidence: Evidence) -> Sequence[Finding]:
    """What a row's findings come to where it may say `expect`.

    A breach is marked as expected. That there is none is a finding; a limit that is left open, lacks its golden or
    could not be judged is what it is without `expect`.

    Args:
        row: the row.
        findings: what does not hold of it.
        evidence: what was measured, for the sentence.
    """
    if row.expect is None:
        return findings
    if not findings:
        sentence = _holds(holding(evidence, row), row.expect)
        return (Finding(Verdict.UNEXPECTED_PASS, row.level, sentence, row.mark, "expect"),)
    return [replace(one, expected=row.expect) if one.verdict in BREACHED else one for one in findings]


def held_as_expected(expect: str, held: Sequence[Held]) -> list[Held]:
    """The same for an aggregate, whose row has one limit: that it holds is `UNEXPECTED_PASS`.

    Args:
        expect: the reason that the row gives.
        held: the limit held against the value, with what else was found.
    """
    if all(one.verdict in (Verdict.PASS, Verdict.IMPROVED) for one in held):
        return [Held(Verdict.UNEXPECTED_PASS, _holds(one.sentence, expect)) for one in held]
    return list(held)


def excused(judgement: Judgement, gate: Gate) -> str | None:
    """The reasons why a cell was expected to fail; None where it fails for another reason, or does not fail."""
    others = (one for one in judgement.findings if one.level == "block" and one.expected is None)
    if gate.inconclusive == "fail" and any(one.verdict is Verdict.INCONCLUSIVE for one in others):
        return None
    return judgement.expected


def _holds(measured: str, reason: str) -> str:
    return f"{measured}: expected to fail ({reason}), but holds now: remove `expect`"
