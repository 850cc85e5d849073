"""The judge of aggregates: a value and its limits, or a change split over images, in; verdicts with sentences out.

Limits on a measured value are plain comparisons, but of a comparison of two models: there a limit inside the interval
of the value leaves it open (INCONCLUSIVE). A change for the worse since the golden fails as a cell's drop does: only
if it is above its limit and significant at alpha/m, by exchanging golden and candidate image by image in place of
McNemar's test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pytest_robust.verdict import wording
from pytest_robust.verdict.evidence import Role, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_robust.spec.plan import Gate

_ROUNDING = 1e-12
"""What sums of floats may be off by: 0.8 - 0.7 keeps a limit of 0.1."""


class Change(Protocol):
    """A change of an aggregate since its golden, as `Images` and `Exchanged` measure it; positive is worse."""

    @property
    def total(self) -> float:
        """The change."""

    def p_worse(self) -> float:
        """One-sided p of a change for the worse, where golden and candidate are exchangeable on every image."""

    def p_better(self) -> float:
        """The same for a change for the better."""

    def upper(self, alpha: float) -> float | None:
        """Upper bound of the change, wrong with probability about `alpha`; None where none is known."""

    def wanted(self, level: float) -> int:
        """Images that would make the observed change for the worse significant at `level`."""


@dataclass(frozen=True, slots=True)
class Held:
    """One limit held against its value: what it alone would make of the aggregate, and the numbers."""

    verdict: Verdict
    sentence: str


def number(value: float, digits: int = 4) -> str:
    """0.767 -> ``0.7670``."""
    return f"{value:.{digits}f}"


def signs(value: float, digits: int = 4) -> str:
    """0.02 -> ``+0.0200``, 0 -> ``0.0000``."""
    value = 0.0 if abs(value) <= _ROUNDING else value
    return f"{value:{'+' if value else ''}.{digits}f}"


def bounded(
    label: str,
    value: float | None,
    limit: float,
    *,
    at_most: bool,
    show: Callable[[float, int], str] = number,
    undefined: str = "",
) -> Held:
    """Compare a measured value with its limit.

    Args:
        label: the value in words.
        value: None where it is undefined, which leaves the limit open.
        limit: the highest (`at_most`) or lowest value allowed; it is itself allowed.
        at_most: which of the two.
        show: how a value is printed, with so many decimals.
        undefined: why the value may be undefined.
    """
    if value is None:
        return Held(Verdict.INCONCLUSIVE, f"{label} is undefined: {undefined}")
    beyond = value - limit if at_most else limit - value
    fails = beyond > _ROUNDING
    sign = (">" if fails else "<=") if at_most else ("<" if fails else ">=")
    shown, allowed = told_apart(value, limit, show)
    return Held(Verdict.BELOW_FLOOR if fails else Verdict.PASS, f"{label} {shown} {sign} {allowed}")


def bounded_surely(
    label: str,
    value: float,
    bounds: tuple[float, float],
    limit: float,
    *,
    at_most: bool,
    alpha: float,
    show: Callable[[float, int], str] = wording.points,
) -> Held:
    """Compare a value that has an interval with its limit: outside FAIL, limit within the interval INCONCLUSIVE.

    Args:
        label: the value in words.
        value: as measured.
        bounds: its interval.
        limit: as in `bounded`.
        at_most: as in `bounded`.
        alpha: the chance of either bound to be wrong.
        show: as in `bounded`; percentage points unless given.
    """
    held = bounded(label, value, limit, at_most=at_most, show=show)
    low, high = (show(bound, 2) for bound in bounds)
    open_ = bounds[1] - limit > _ROUNDING if at_most else limit - bounds[0] > _ROUNDING
    within = f"{100 * (1 - 2 * alpha):.4g}% interval {low} to {high}"
    if held.verdict is Verdict.PASS and open_:
        shown, allowed = told_apart(value, limit, show)
        side = "at most" if at_most else "at least"
        sentence = f"{label} {shown} ({within}) is not surely {side} {allowed}"
        return Held(Verdict.INCONCLUSIVE, sentence)
    return Held(held.verdict, f"{held.sentence} ({within})")


def against_golden(
    label: str,
    value: float,
    change: Change,
    firm: Change | None,
    limit: float,
    *,
    family: int,
    gate: Gate,
    role: Role = "latest",
    larger_is_worse: bool = True,
) -> Held:
    """Judge the change of an aggregate since its golden.

    Args:
        label: the aggregate in words.
        value: as measured now.
        change: the change for the worse since the golden.
        firm: the same with near-tie samples counted as unchanged, where numeric noise may have made the change.
        limit: the largest change for the worse allowed.
        family: declared golden tests of the model; 0 counts as 1.
        gate: how verdicts are reached.
        role: which golden.
        larger_is_worse: whether the value became worse by rising, or by falling.
    """
    level = gate.alpha / max(1, family)
    worse = change.total
    p = change.p_worse()

    def signed(amount: float, digits: int = 4) -> str:
        return signs(amount if larger_is_worse else -amount, digits)

    moved, bound = told_apart(worse, limit, signed)
    before = value - worse if larger_is_worse else value + worse
    first = f"{label} {number(value)}, {moved} vs {'anchor ' * (role == 'anchor')}golden {number(before)}"
    allowed = f"allowed {bound}"
    if worse - limit > _ROUNDING:
        if p > level:
            wanted = wording.about(change.wanted(level))
            beyond = f"{wording.p_text(p)} > {level:.2g}"
            text = f"({allowed}) is not significant ({beyond}): about {wanted} images would decide"
            return Held(Verdict.INCONCLUSIVE, f"{first} {text}")
        if firm is not None and (firm.total - limit <= _ROUNDING or firm.p_worse() > level):
            text = f"({allowed}) rests on near ties: {signed(firm.total)} without them"
            return Held(Verdict.INCONCLUSIVE, f"{first} {text}")
        return Held(Verdict.REGRESSED, f"{first} ({allowed}, {wording.p_text(p)})")
    every = [each for each in (change, firm) if each is not None]
    if gate.require == "proven" and (doubt := _not_proven(every, limit, gate.alpha, signed)):
        return Held(Verdict.INCONCLUSIVE, f"{first} ({allowed}) is not proven: {doubt}")
    if worse < 0 and (better := max(each.p_better() for each in every)) <= level:
        return Held(Verdict.IMPROVED, f"{first} ({wording.p_text(better)}): the golden is stale")
    return Held(Verdict.PASS, f"{first} ({allowed})")


def _not_proven(
    changes: Sequence[Change], limit: float, alpha: float, signed: Callable[[float, int], str]
) -> str | None:
    """Why the change may be above its limit for all that is known; None where it is not."""
    bounds = [change.upper(alpha) for change in changes]
    known = [bound for bound in bounds if bound is not None]
    if len(known) < len(bounds):
        return "no bound is known for a value of this kind"
    highest = max(known)
    return f"{signed(highest, 4)} is possible (alpha {alpha:g})" if highest - limit > _ROUNDING else None


def told_apart(value: float, limit: float, show: Callable[[float, int], str]) -> tuple[str, str]:
    """Both as text, with as many decimals as it takes to tell them apart where they differ."""
    usual = 2 if show in (wording.points, wording.percent) else 4
    if abs(value - limit) <= _ROUNDING:
        return show(limit, usual), show(limit, usual)
    digits = next((d for d in range(usual, 13) if show(value, d) != show(limit, d)), usual)
    return show(value, digits), show(limit, digits)
