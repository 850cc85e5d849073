"""The sentences of a verdict: numbers first, signs as the reader expects (a loss is negative)."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from pytest_robust.verdict.evidence import BREACHED, Evidence, Finding, GoldenEvidence, Verdict
from pytest_robust.verdict.power import decisive_flips, smallest_decisive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_robust.spec.plan import Gate
    from pytest_robust.verdict.paired import Flips


def percent(share: Fraction | float, digits: int = 2) -> str:
    """0.612 -> ``61.20%``."""
    return f"{float(share * 100):.{digits}f}%"


def points(change: Fraction | float, digits: int = 2) -> str:
    """A change in percentage points: -0.029 -> ``-2.90 pp``, 0.004 -> ``+0.40 pp``, 0 -> ``0.00 pp``."""
    return f"{float(change * 100):{'+' if change else ''}.{digits}f} pp"


def p_text(p: float) -> str:
    """``p=0.12``, ``p=1e-13``, ``p<1e-300`` where a float cannot hold it."""
    if p < 1e-300:
        return "p<1e-300"
    if p >= 0.001:
        return f"p={p:.2g}"
    digits, exponent = f"{p:.0e}".split("e")
    return f"p={digits}e{int(exponent)}"


def about(samples: int) -> str:
    """A number of samples rounded up to two digits: 5848 -> ``5,900``."""
    unit = 10 ** max(0, len(str(samples)) - 2)
    return f"{-(-samples // unit) * unit:,}"


def below_floor(accuracy: Fraction, floor: Fraction) -> str:
    """The accuracy is under `min_accuracy`."""
    digits = _telling(accuracy, floor)
    return f"accuracy {percent(accuracy, digits)} < floor {percent(floor, digits)}"


def matches(same: int, n: int, most: Fraction) -> str:
    """The match rate with a fingerprint and `max_match`, be it over it or not."""
    share = Fraction(same, n)
    digits = _telling(share, most)
    rate = f"match rate {percent(share, digits)} ({same:,} of {n:,})"
    return f"{rate} with the fingerprint {'>' if share > most else '<='} allowed {percent(most, digits)}"


def below_floor_in_smoke(accuracy: Fraction, upper: float, floor: Fraction) -> str:
    """Even the upper bound of the accuracy is under `min_accuracy`."""
    digits = _telling(Fraction(upper), floor)
    bound = f"at most {percent(upper, digits)} at 99% confidence"
    return f"accuracy {percent(accuracy)} ({bound}) < floor {percent(floor, digits)}"


def dropped_from_clean(drop: Fraction, clean: Fraction, limit: Fraction) -> str:
    """The drop from clean and `max_drop`, be it over it or not."""
    digits = _telling(drop, limit)
    return f"{points(-drop, digits)} from clean {percent(clean)} (allowed {points(-limit, digits)})"


def no_clean() -> str:
    """A row limits the drop from clean and clean was not measured."""
    return "the drop from clean cannot be judged: this model's accuracy on clean images is not known"


def regressed(golden: GoldenEvidence, limit: Fraction, p: float) -> str:
    """The drop is over `max_regression` and significant."""
    return f"{_change(golden, limit)} ({_allowed(golden, limit)}, {p_text(p)}, {_counts(golden.flips)})"


def within(golden: GoldenEvidence, limit: Fraction) -> str:
    """The drop is within `max_regression`."""
    return f"{_change(golden, limit)} ({_allowed(golden, limit)}, {_counts(golden.flips)})"


def not_significant(golden: GoldenEvidence, limit: Fraction, p: float, level: float, samples: int) -> str:
    """The drop is over `max_regression` but may be chance: its p is above the level, alpha over the golden tests."""
    return (
        f"{_change(golden, limit)} ({_allowed(golden, limit)}) is not significant "
        f"({p_text(p)} > {level:.2g}, {_counts(golden.flips)}): about {about(samples)} samples would decide"
    )


def regression_in_near_ties(golden: GoldenEvidence, limit: Fraction, firm: Flips) -> str:
    """The drop is over `max_regression` and significant, but not without near-tie samples."""
    return f"{_change(golden, limit)} ({_allowed(golden, limit)}) {_near_ties(golden, firm)}"


def not_proven(golden: GoldenEvidence, limit: Fraction, upper: float, alpha: float, samples: int | None) -> str:
    """The drop is within `max_regression` but its upper bound is not."""
    digits = _telling(Fraction(upper), limit)
    wanted = "" if samples is None else f"; about {about(samples)} samples would prove it"
    change = f"{points(-_drop(golden.flips))} vs {_name(golden)} (allowed {points(-limit, digits)})"
    possible = f"down to {points(-upper, digits)} is possible (alpha {alpha:g}, {_counts(golden.flips)})"
    return f"{change} is not proven: {possible}{wanted}"


def negative_flips(golden: GoldenEvidence, limit: Fraction) -> str:
    """The rate of negative flips and `max_negative_flips`, be it over it or not."""
    return f"{_flip_rate(golden, limit)}, {_counts(golden.flips)})"


def flips_in_near_ties(golden: GoldenEvidence, limit: Fraction, firm: Flips) -> str:
    """The rate of negative flips is over `max_negative_flips`, but not without near-tie samples."""
    return f"{_flip_rate(golden, limit)}) {_near_ties(golden, firm)}"


def no_golden(role: str, why: str) -> str:
    """A row needs a golden and there is no comparable one."""
    return f"no comparable {'anchor ' if role == 'anchor' else ''}golden: {why}"


def improved(golden: GoldenEvidence, p: float) -> str:
    """The gain over the golden is significant."""
    change = f"{points(-_drop(golden.flips))} vs {_name(golden)}"
    return f"{change} ({p_text(p)}, {_counts(golden.flips)}): the golden is stale"


def smoke_note(left_out: Sequence[str]) -> str:
    """What a smoke run leaves unjudged: the keys of its thresholds."""
    return f"SMOKE: {', '.join(left_out)} not judged"


def what_n_can_see(n: int, family: int, gate: Gate, limit: float | None = None) -> str:
    """One line, before any sample is read: the smallest drop that could reach significance on n samples.

    Args:
        n: samples of a cell.
        family: declared golden tests of its model; 0 counts as 1.
        gate: the spec's gate.
        limit: the row's `max_regression`; drops beyond it that can not be significant are named.
    """
    tests = max(1, family)
    level = gate.alpha / tests
    given = f"{_of(n, 'sample')}, {_of(tests, 'golden test')} at alpha {gate.alpha:g}"
    found = smallest_decisive(n, level)
    if found is None:
        return f"{given}: no drop can be significant, at least {_of(decisive_flips(level), 'sample')} needed"
    # Two digits that say something: on a million samples the drop is 0.0011 points, not 0.00.
    digits = max(2, 1 - math.floor(math.log10(100 * found.drop)))
    smallest = f"{points(-found.drop, digits)} ({found.flips:,} lost, none won)"
    told = f"{given}: the smallest drop that can be significant is {smallest}"
    if limit is None or Fraction(found.flips - 1, n) <= (allowed := Fraction(str(limit))):
        return told
    return f"{told}; a smaller one beyond {points(-allowed, digits)} is INCONCLUSIVE"


def _of(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'s' * (count != 1)}"


def headline(
    verdict: Verdict,
    findings: Sequence[Finding],
    evidence: Evidence,
    p_gain: float | None,
    proven: bool | None,
) -> str:
    """The first line: the numbers that led to `verdict`.

    Args:
        verdict: the cell's.
        findings: those of the level that decided.
        evidence: what the cell was judged from.
        p_gain: mid-p that the cell is better than the latest golden.
        proven: as in `Judgement`.
    """
    if verdict.rank <= Verdict.INCONCLUSIVE.rank:
        wanted = BREACHED if verdict in BREACHED else (verdict,)
        numbers = " and ".join(finding.sentence for finding in _furthest(findings, wanted))
        return numbers if verdict is Verdict.ERROR else _smoke_prefix(evidence) + numbers
    accuracy = f"accuracy {percent(Fraction(evidence.correct, evidence.n))}"
    latest = evidence.goldens.get("latest")
    if verdict is Verdict.IMPROVED and latest is not None and p_gain is not None:
        return improved(latest, p_gain)
    if verdict is Verdict.UPDATED:
        if latest is None:
            return f"{accuracy} recorded as a new golden"
        change = f"{points(-_drop(latest.flips))}, {_counts(latest.flips)}"
        return f"{accuracy} recorded in place of {_name(latest)} ({change})"
    golden = latest or evidence.goldens.get("anchor")
    if golden is None or evidence.smoke:
        return _smoke_prefix(evidence) + accuracy
    shown = ", proven" if proven else ""
    return f"{accuracy}, {points(-_drop(golden.flips))} vs {_name(golden)} ({_counts(golden.flips)}{shown})"


def _smoke_prefix(evidence: Evidence) -> str:
    return f"SMOKE, {evidence.n:,} samples: " if evidence.smoke else ""


def _furthest(findings: Sequence[Finding], wanted: Sequence[Verdict]) -> list[Finding]:
    """Of the findings on one subject the one furthest beyond its limit, in the order of precedence."""
    chosen: dict[tuple[int, str], Finding] = {}
    for finding in findings:
        key = (finding.verdict.rank, finding.subject)
        if finding.verdict in wanted and (key not in chosen or finding.excess > chosen[key].excess):
            chosen[key] = finding
    return sorted(chosen.values(), key=lambda finding: finding.verdict.rank)


def _telling(value: Fraction, limit: Fraction) -> int:
    """Decimals of a percentage, 2 or as many more as the value needs to be told from its limit."""
    return next((digits for digits in range(2, 12) if percent(value, digits) != percent(limit, digits)), 2)


def _drop(flips: Flips) -> Fraction:
    return Fraction(flips.b - flips.c, flips.n)


def _name(golden: GoldenEvidence) -> str:
    kind = "anchor golden" if golden.role == "anchor" else "golden"
    return f"{kind} {percent(Fraction(golden.correct, golden.n))}"


def _change(golden: GoldenEvidence, limit: Fraction) -> str:
    drop = _drop(golden.flips)
    return f"{points(-drop, _telling(drop, limit))} vs {_name(golden)}"


def _allowed(golden: GoldenEvidence, limit: Fraction) -> str:
    return f"allowed {points(-limit, _telling(_drop(golden.flips), limit))}"


def _counts(flips: Flips) -> str:
    return f"{flips.b:,} lost, {flips.c:,} won"


def _flip_rate(golden: GoldenEvidence, limit: Fraction) -> str:
    """The rate and its limit, with the bracket left open."""
    rate = Fraction(golden.flips.b, golden.n)
    digits = _telling(rate, limit)
    return f"negative flips {percent(rate, digits)} vs {_name(golden)} (allowed {percent(limit, digits)}"


def _near_ties(golden: GoldenEvidence, firm: Flips) -> str:
    flips = golden.flips
    lost, won = f"{flips.b - firm.b:,} of {flips.b:,} lost", f"{flips.c - firm.c:,} of {flips.c:,} won"
    recorded = f"{golden.device_class} with onnxruntime {golden.onnxruntime}"
    return f"rests on near ties: {lost} and {won} may be numeric noise (the golden is of {recorded})"
