"""What holds of a row, in words: the quantity that it limits, and the limit."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from pytest_robust.verdict import wording
from pytest_robust.verdict.attack_limits import attack_holding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_robust.spec.plan import Threshold
    from pytest_robust.verdict.evidence import Evidence


def holding(evidence: Evidence, row: Threshold) -> str:
    """The sentences of the limits of a row, none of which is breached or could not be judged."""
    return " and ".join(_sentences(evidence, row))


def _sentences(evidence: Evidence, row: Threshold) -> Iterator[str]:
    accuracy = Fraction(evidence.correct, evidence.n)
    if row.min_accuracy is not None:
        yield f"accuracy {wording.percent(accuracy)}"
    if row.max_match is not None:
        yield wording.matches(evidence.correct, evidence.n, _written(row.max_match))
    if row.max_drop is not None and evidence.clean is not None:
        clean = Fraction(*evidence.clean)
        yield wording.dropped_from_clean(clean - accuracy, clean, _written(row.max_drop))
    if evidence.attack is not None:
        yield from attack_holding(evidence.attack, row)
    for golden in (evidence.goldens[role] for role in row.against if role in evidence.goldens):
        if row.max_regression is not None:
            yield wording.within(golden, _written(row.max_regression))
        if row.max_negative_flips is not None:
            yield wording.negative_flips(golden, _written(row.max_negative_flips))


def _written(limit: float) -> Fraction:
    return Fraction(str(limit))
