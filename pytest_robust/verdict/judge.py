"""The judge: evidence and thresholds in, one judgement out.

A cell is judged from its own evidence alone. Floors are plain comparisons of what was measured, made on
exact fractions of the decimals in the spec, so that 7 right of 10 meet a floor of 0.7. A drop from golden
fails only where it is over its limit and significant at alpha/m, m being the model's declared golden tests (1
where it declares none). The claim that a cell stays within its limit (`proven`) is made for each cell alone,
at alpha. A golden is stale (IMPROVED) only if it is the latest one and gated by a row: an anchor is frozen on
purpose.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from pytest_robust.spec.plan import ATTACK_LIMITS
from pytest_robust.verdict import wording
from pytest_robust.verdict.attack_limits import attack_findings, attack_notes
from pytest_robust.verdict.deciding import decide, expected_by
from pytest_robust.verdict.evidence import Evidence, Finding, GoldenEvidence, Judgement, Role, Verdict
from pytest_robust.verdict.expected import as_expected
from pytest_robust.verdict.intervals import clopper_pearson_upper, tango_upper, wilson
from pytest_robust.verdict.paired import mcnemar_midp
from pytest_robust.verdict.power import minimum_detectable_drop, samples_to_decide, samples_to_prove

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_robust.spec.plan import Gate, Level, Threshold
    from pytest_robust.verdict.paired import Flips

_SMOKE_ALPHA = 0.01


@dataclass(frozen=True, slots=True)
class _Compared:
    """A golden comparison with its statistics.

    Where near-ties make two comparisons, `p_gain` and `upper` are of the one that claims less; `widest` is
    the one that `upper` belongs to.
    """

    golden: GoldenEvidence
    level: float
    p: float
    p_firm: float
    p_gain: float
    upper: float
    widest: Flips
    mdd: float | None


def judge(evidence: Evidence, thresholds: Sequence[Threshold], gate: Gate) -> Judgement:
    """Judge one cell against every threshold row that matches it.

    Args:
        evidence: what was measured, and the goldens it was compared with.
        thresholds: the rows, in the order of the spec.
        gate: how verdicts are reached; its alpha is in (0, 0.5].

    Returns:
        The judgement; UPDATED is never given here, `updated` turns a judgement into it.

    Raises:
        ValueError: alpha is out of range.
    """
    compared = {role: _compare(golden, evidence.family, gate) for role, golden in evidence.goldens.items()}
    findings: tuple[Finding, ...]
    notes: list[str] = []
    gain, proven = False, None
    if evidence.error is not None or evidence.n == 0:
        findings = (Finding(Verdict.ERROR, "block", evidence.error or "no samples", None, "run"),)
    elif evidence.smoke:
        findings = tuple(_smoke(evidence, thresholds))
        if left_out := _not_in_smoke(thresholds):
            notes.append(wording.smoke_note(left_out))
    else:
        findings = tuple(
            finding
            for row in thresholds
            for finding in as_expected(row, [*_broken(evidence, compared, row, gate)], evidence)
        )
        notes += attack_notes(evidence.attack, thresholds)
        latest = compared.get("latest")
        gated = any(row.needs_golden and "latest" in row.against for row in thresholds)
        if gated and latest is not None and latest.p_gain <= latest.level:
            gain = True
            notes.append(wording.improved(latest.golden, latest.p_gain))
        proven = _proven(thresholds, compared)
    role: Role | None = "latest" if "latest" in compared else "anchor" if "anchor" in compared else None
    shown = compared[role] if role else None
    verdict, level, deciding = decide(findings, Verdict.IMPROVED if gain else Verdict.PASS)
    ordered = sorted(findings, key=lambda finding: (finding.level, finding.verdict.rank))
    return Judgement(
        verdict=verdict,
        level=level,
        reasons=tuple(dict.fromkeys([*(finding.sentence for finding in ordered), *notes])),
        headline=wording.headline(verdict, deciding, evidence, shown.p_gain if shown else None, proven),
        findings=findings,
        proven=proven,
        role=role,
        p=shown.p if shown else None,
        drop_upper=shown.upper if shown else None,
        mdd=shown.mdd if shown else None,
        clean_drop=_clean_drop(evidence),
        interval=wilson(evidence.correct, evidence.n),
        expected=expected_by(deciding),
    )


def updated(judgement: Judgement, evidence: Evidence) -> Judgement:
    """The judgement after an update has put this measurement in place of the latest golden.

    What was found against the latest golden is accepted and stays among the reasons. What was found against a
    floor, clean or a frozen anchor stands: the update changes none of them.
    """
    standing = tuple(finding for finding in judgement.findings if finding.subject != "latest")
    verdict, level, deciding = decide(standing, Verdict.UPDATED)
    headline = wording.headline(verdict, deciding, evidence, None, judgement.proven)
    expected = expected_by(deciding)
    return replace(judgement, verdict=verdict, level=level, headline=headline, findings=standing, expected=expected)


def fails(judgement: Judgement, gate: Gate) -> bool:
    """Whether the cell's pytest item fails."""
    if judgement.level == "warn":
        return False
    if judgement.verdict is Verdict.INCONCLUSIVE:
        return gate.inconclusive == "fail"
    return judgement.verdict.rank < Verdict.INCONCLUSIVE.rank


def _broken(evidence: Evidence, compared: Mapping[Role, _Compared], row: Threshold, gate: Gate) -> Iterator[Finding]:
    """What does not hold of one row, whatever it expects."""
    yield from _floors(evidence, row)
    yield from attack_findings(evidence.attack, row)
    yield from _against_goldens(evidence, compared, row, gate)


def _floors(evidence: Evidence, row: Threshold) -> Iterator[Finding]:
    accuracy = Fraction(evidence.correct, evidence.n)
    if row.min_accuracy is not None:
        floor = _written(row.min_accuracy)
        if accuracy < floor:
            sentence = wording.below_floor(accuracy, floor)
            yield Finding(Verdict.BELOW_FLOOR, row.level, sentence, row.mark, "floor", float(floor - accuracy))
    if row.max_match is not None and accuracy > (most := _written(row.max_match)):
        sentence = wording.matches(evidence.correct, evidence.n, most)
        yield Finding(Verdict.BELOW_FLOOR, row.level, sentence, row.mark, "floor", float(accuracy - most))
    if row.max_drop is not None:
        limit = _written(row.max_drop)
        if evidence.clean is None or evidence.clean[1] == 0:
            yield Finding(Verdict.ERROR, row.level, wording.no_clean(), row.mark, "clean")
        elif (drop := (clean := Fraction(*evidence.clean)) - accuracy) > limit:
            sentence = wording.dropped_from_clean(drop, clean, limit)
            yield Finding(Verdict.BELOW_FLOOR, row.level, sentence, row.mark, "clean", float(drop - limit))


def _smoke(evidence: Evidence, thresholds: Sequence[Threshold]) -> Iterator[Finding]:
    """Floors that the model cannot be expected to reach on all samples either."""
    accuracy = Fraction(evidence.correct, evidence.n)
    upper = clopper_pearson_upper(evidence.correct, evidence.n, _SMOKE_ALPHA)
    for row in thresholds:
        if row.min_accuracy is not None and upper < (floor := _written(row.min_accuracy)):
            sentence = wording.below_floor_in_smoke(accuracy, upper, floor)
            beyond = float(floor) - upper
            yield Finding(Verdict.BELOW_FLOOR, row.level, sentence, row.mark, "floor", beyond, row.expect)


def _not_in_smoke(thresholds: Sequence[Threshold]) -> list[str]:
    keys = ("max_drop", "max_match", *ATTACK_LIMITS, "max_regression", "max_negative_flips")
    return [key for key in keys if any(getattr(row, key) is not None for row in thresholds)]


def _compare(golden: GoldenEvidence, family: int, gate: Gate) -> _Compared:
    flips, firm = golden.flips, golden.firm or golden.flips
    level = gate.alpha / max(1, family)
    upper, widest = max(
        ((tango_upper(each.b, each.c, each.n, gate.alpha), each) for each in (flips, firm)),
        key=lambda bound: bound[0],
    )
    return _Compared(
        golden=golden,
        level=level,
        p=mcnemar_midp(flips.b, flips.c),
        p_firm=mcnemar_midp(firm.b, firm.c),
        p_gain=max(mcnemar_midp(flips.c, flips.b), mcnemar_midp(firm.c, firm.b)),
        upper=upper,
        widest=widest,
        mdd=minimum_detectable_drop(flips.n, flips.discordance, level),
    )


def _against_goldens(
    evidence: Evidence, compared: Mapping[Role, _Compared], row: Threshold, gate: Gate
) -> Iterator[Finding]:
    if not row.needs_golden:
        return
    for role in row.against:
        seen = compared.get(role)
        if seen is None:
            sentence = wording.no_golden(role, evidence.missing.get(role, "none is recorded"))
            yield Finding(Verdict.NO_GOLDEN, row.level, sentence, row.mark, role)
            continue
        if row.max_regression is not None:
            yield from _regression(seen, row, _written(row.max_regression), gate)
        if row.max_negative_flips is not None:
            yield from _negative_flips(seen, row, _written(row.max_negative_flips))


def _regression(seen: _Compared, row: Threshold, limit: Fraction, gate: Gate) -> Iterator[Finding]:
    golden, flips, firm = seen.golden, seen.golden.flips, seen.golden.firm
    drop = Fraction(flips.b - flips.c, flips.n)
    if drop > limit:
        verdict = Verdict.INCONCLUSIVE
        if seen.p > seen.level:
            samples = samples_to_decide(flips.b, flips.c, flips.n, seen.level)
            sentence = wording.not_significant(golden, limit, seen.p, seen.level, samples)
        elif firm and (Fraction(firm.b - firm.c, firm.n) <= limit or seen.p_firm > seen.level):
            sentence = wording.regression_in_near_ties(golden, limit, firm)
        else:
            verdict, sentence = Verdict.REGRESSED, wording.regressed(golden, limit, seen.p)
        yield Finding(verdict, row.level, sentence, row.mark, golden.role, float(drop - limit))
    elif gate.require == "proven" and seen.upper > float(limit):
        wanted = samples_to_prove(seen.widest.b, seen.widest.c, flips.n, float(limit), gate.alpha)
        sentence = wording.not_proven(golden, limit, seen.upper, gate.alpha, wanted)
        yield Finding(Verdict.INCONCLUSIVE, row.level, sentence, row.mark, golden.role, float(drop - limit))


def _negative_flips(seen: _Compared, row: Threshold, limit: Fraction) -> Iterator[Finding]:
    golden, flips, firm = seen.golden, seen.golden.flips, seen.golden.firm
    rate = Fraction(flips.b, flips.n)
    if rate <= limit:
        return
    if firm and Fraction(firm.b, firm.n) <= limit:
        verdict, sentence = Verdict.INCONCLUSIVE, wording.flips_in_near_ties(golden, limit, firm)
    else:
        verdict, sentence = Verdict.TOO_MANY_FLIPS, wording.negative_flips(golden, limit)
    yield Finding(verdict, row.level, sentence, row.mark, golden.role, float(rate - limit))


def _proven(thresholds: Sequence[Threshold], compared: Mapping[Role, _Compared]) -> bool | None:
    limits: dict[Level, list[tuple[float, Role]]] = {"block": [], "warn": []}
    for row in thresholds:
        if row.max_regression is not None:
            limits[row.level] += [(row.max_regression, role) for role in row.against]
    wanted = limits["block"] or limits["warn"]
    if not wanted or any(role not in compared for _, role in wanted):
        return None
    return all(compared[role].upper <= limit for limit, role in wanted)


def _clean_drop(evidence: Evidence) -> float | None:
    if not evidence.clean or evidence.clean[1] == 0 or evidence.n == 0:
        return None
    return float(Fraction(*evidence.clean) - Fraction(evidence.correct, evidence.n))


def _written(limit: float) -> Fraction:
    """The limit as the decimal that the spec shows, free of the binary rounding of its float."""
    return Fraction(str(limit))
