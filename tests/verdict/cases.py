"""Evidence made of counts, for the tests of the judge."""

from typing import Any

from pytest_robust.errors import Mark
from pytest_robust.spec.plan import Gate, Threshold
from pytest_robust.verdict import Evidence, Flips, GoldenEvidence, Judgement, Role, judge

GATE = Gate()


def row(line: int = 1, **limits: Any) -> Threshold:
    return Threshold(Mark("specs/resnet.yaml", line, 5), **limits)


def flips(n: int, golden: int, b: int, c: int) -> Flips:
    """The table of n samples with `golden` right before, b lost and c won; churn as small as it can be."""
    return Flips(n, golden - b, b, c, n - golden - c, (b + c) / n)


def golden(table: Flips, role: Role = "latest", firm: tuple[int, int] | None = None) -> GoldenEvidence:
    was = table.a + table.b
    kept = None if firm is None else flips(table.n, was, *firm)
    return GoldenEvidence(role, table, kept, table.n, was, "2026-10-02", "cuda-sm90", "1.31.1", "release 2.3")


def compared(
    n: int, was: int, b: int, c: int, *, firm: tuple[int, int] | None = None, role: Role = "latest", **more: Any
) -> Evidence:
    """A cell of n samples against one golden with `was` right."""
    return Evidence(n=n, correct=was - b + c, goldens={role: golden(flips(n, was, b, c), role, firm)}, **more)


def measured(correct: int, n: int, **more: Any) -> Evidence:
    """A cell without a golden."""
    return Evidence(n=n, correct=correct, **more)


def judged(evidence: Evidence, *rows: Threshold, gate: Gate = GATE) -> Judgement:
    return judge(evidence, rows, gate)
