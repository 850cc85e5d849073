"""The judge of aggregates: a value and its limits, or a change split over images, in; verdicts with sentences out.

Limits on a measured value are plain comparisons, but of a comparison of two models: there a limit inside the interval
of the value leaves it open (INCONCLUSIVE). A rise over the golden fails as a cell's drop does: only if it is above
its limit and significant at alpha/m, with the sign-flip test over images in place of McNemar's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_robust.verdict import wording
from pytest_robust.verdict.evidence import Verdict
from pytest_robust.verdict.images import images_to_decide, interval

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_robust.spec.plan import Gate
    from pytest_robust.verdict.images import Images

_ROUNDING = 1e-12
"""What sums of floats may be off by: 0.8 - 0.7 keeps a limit of 0.1."""


@dataclass(frozen=True, slots=True)
class Held:
    """One limit held against its value: what it alone would make of the aggregate, and the numbers."""

    verdict: Verdict
    sentence: str


def number(value: float, digits: int = 4) -> str:
    """0.767 -> ``0.7670``."""
    return f"{value:.{digits}f}"


def change(value: float, digits: int = 4) -> str:
    """0.02 -> ``+0.0200``, 0 -> ``0.0000``."""
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
) -> Held:
    """Compare a value that has an interval with its limit: outside FAIL, limit within the interval INCONCLUSIVE.

    Args:
        label: the value in words; it is a share, and printed in percentage points.
        value: as measured.
        bounds: its interval.
        limit: as in `bounded`.
        at_most: as in `bounded`.
        alpha: the chance of either bound to be wrong.
    """
    held = bounded(label, value, limit, at_most=at_most, show=wording.points)
    low, high = (wording.points(bound) for bound in bounds)
    open_ = bounds[1] - limit > _ROUNDING if at_most else limit - bounds[0] > _ROUNDING
    within = f"{100 * (1 - 2 * alpha):.4g}% interval {low} to {high}"
    if held.verdict is Verdict.PASS and open_:
        shown, allowed = told_apart(value, limit, wording.points)
        side = "at most" if at_most else "at least"
        sentence = f"{label} {shown} ({within}) is not surely {side} {allowed}"
        return Held(Verdict.INCONCLUSIVE, sentence)
    return Held(held.verdict, f"{held.sentence} ({within})")


def against_golden(
    label: str,
    value: float,
    images: Images,
    firm: Images | None,
    limit: float,
    *,
    family: int,
    gate: Gate,
) -> Held:
    """Judge the rise of an aggregate over its golden.

    Args:
        label: the aggregate in words; a larger value is worse.
        value: as measured now.
        images: the change since the golden, image by image; its total is the rise.
        firm: the same with near-tie samples counted as unchanged, where numeric noise may have made the change.
        limit: the largest rise allowed.
        family: declared golden tests of the model; 0 counts as 1.
        gate: how verdicts are reached.
    """
    level = gate.alpha / max(1, family)
    rise = images.total
    p = images.p_worse()
    moved, allowed = told_apart(rise, limit, change)
    golden = number(value - rise)
    first = f"{label} {number(value)}, {moved} vs golden {golden}"
    if rise - limit > _ROUNDING:
        if p > level:
            wanted = wording.about(images_to_decide(images, level))
            text = f"(allowed {allowed}) is not significant ({wording.p_text(p)}): about {wanted} images would decide"
            return Held(Verdict.INCONCLUSIVE, f"{first} {text}")
        if firm is not None and (firm.total - limit <= _ROUNDING or firm.p_worse() > level):
            text = f"(allowed {allowed}) rests on near ties: {change(firm.total)} without them"
            return Held(Verdict.INCONCLUSIVE, f"{first} {text}")
        return Held(Verdict.REGRESSED, f"{first} (allowed {allowed}, {wording.p_text(p)})")
    if gate.require == "proven":
        upper = max(interval(each, gate.alpha)[1] for each in (images, firm) if each is not None)
        if upper - limit > _ROUNDING:
            text = f"(allowed {allowed}) is not proven: {change(upper)} is possible (alpha {gate.alpha:g})"
            return Held(Verdict.INCONCLUSIVE, f"{first} {text}")
    better = max(each.p_better() for each in (images, firm) if each is not None)
    if rise < 0 and better <= level:
        return Held(Verdict.IMPROVED, f"{first} ({wording.p_text(better)}): the golden is stale")
    return Held(Verdict.PASS, f"{first} (allowed {allowed})")


def told_apart(value: float, limit: float, show: Callable[[float, int], str]) -> tuple[str, str]:
    """Both as text, with as many decimals as it takes to tell them apart where they differ."""
    usual = 2 if show in (wording.points, wording.percent) else 4
    if abs(value - limit) <= _ROUNDING:
        return show(limit, usual), show(limit, usual)
    digits = next((d for d in range(usual, 13) if show(value, d) != show(limit, d)), usual)
    return show(value, digits), show(limit, digits)
