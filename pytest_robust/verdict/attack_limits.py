"""The limits on attacks, held against what was counted; plain comparisons, as floors are.

A success rate never stands alone: its sentence carries the distortions that it was paid with.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from pytest_robust.verdict.aggregate import number, told_apart
from pytest_robust.verdict.evidence import Finding, Verdict
from pytest_robust.verdict.wording import percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_robust.spec.plan import Threshold
    from pytest_robust.verdict.evidence import AttackEvidence

_UNTRIED = "no image was attacked, as there is none that the source has right when clean"
_FLOAT32 = 1e-6
"""Share of a distortion that its storage in 32 bits may be off by."""


def attack_findings(attack: AttackEvidence | None, row: Threshold) -> Iterator[Finding]:
    """What one row finds in an attack.

    Args:
        attack: what was counted; None where the cell was measured without an attack.
        row: may set none of the limits on attacks.
    """
    if not row.limits_attack:
        return
    if attack is None:
        yield Finding(Verdict.ERROR, row.level, "there is no attack to judge: none was measured", row.mark, "attack")
        return
    if row.max_success_rate is not None:
        yield from _success_rate(attack, row, row.max_success_rate)
    for norm, least in row.min_distortion or ():
        yield from _distortion(attack, row, norm, least)
    if row.max_transfer is not None:
        yield from _transfer(attack, row, row.max_transfer)


def attack_notes(attack: AttackEvidence | None, thresholds: Sequence[Threshold]) -> Iterator[str]:
    """What holds because nothing was there to break it, which a reader must know."""
    if attack and attack.attacked and not attack.successes and any(row.min_distortion for row in thresholds):
        yield (
            f"the attack turned none of {attack.attacked} images, so the distortion is undefined and min_distortion "
            "is met"
        )


def attack_holding(attack: AttackEvidence, row: Threshold) -> Iterator[str]:
    """What a row limits of an attack, each with its limit, where none of them is breached or undefined."""
    if row.max_success_rate is not None:
        yield _success_text(attack, row.max_success_rate)
    for norm, least in row.min_distortion or ():
        yield _distortion_text(attack, norm, least)
    if row.max_transfer is not None and attack.transfer is not None:
        yield _transfer_text(attack, attack.transfer, row.max_transfer)


def distortions_text(distortions: Mapping[str, float], digits: int = 4) -> str:
    """Means by norm: ``mean linf 0.0310, l2 0.4821``; ``distortion undefined`` where there is none."""
    if not distortions:
        return "distortion undefined"
    return "mean " + ", ".join(f"{norm} {value:.{digits}g}" for norm, value in distortions.items())


def _success_rate(attack: AttackEvidence, row: Threshold, limit: float) -> Iterator[Finding]:
    if not attack.attacked:
        yield _undefined(row, f"the success rate is undefined: {_UNTRIED}")
        return
    rate = Fraction(attack.successes, attack.attacked)
    if rate > (allowed := Fraction(str(limit))):
        sentence = _success_text(attack, limit)
        yield Finding(Verdict.BELOW_FLOOR, row.level, sentence, row.mark, "attack", float(rate - allowed))


def _success_text(attack: AttackEvidence, limit: float) -> str:
    rate = Fraction(attack.successes, attack.attacked)
    counts = f"{attack.successes:,} of {attack.attacked:,} attacked, {distortions_text(attack.distortions)}"
    return f"success rate {_at_most(rate, limit, counts)}"


def _at_most(rate: Fraction, limit: float, counts: str) -> str:
    shown, bound = told_apart(float(rate), limit, percent)
    return f"{shown} ({counts}) {'>' if rate > Fraction(str(limit)) else '<='} allowed {bound}"


def _distortion(attack: AttackEvidence, row: Threshold, norm: str, least: float) -> Iterator[Finding]:
    if not attack.attacked:
        yield _undefined(row, f"the distortion is undefined: {_UNTRIED}")
    elif _is_less(attack, norm, least):
        sentence, excess = _distortion_text(attack, norm, least), 1 - attack.distortions[norm] / least
        yield Finding(Verdict.BELOW_FLOOR, row.level, sentence, row.mark, "distortion", excess)


def _is_less(attack: AttackEvidence, norm: str, least: float) -> bool:
    return attack.successes > 0 and attack.distortions[norm] < least * (1 - _FLOAT32)


def _distortion_text(attack: AttackEvidence, norm: str, least: float) -> str:
    counts = f"{attack.successes:,} of {attack.attacked:,} attacked"
    if not attack.successes:
        return f"mean {norm} distortion undefined ({counts} turned), which meets {number(least)}"
    shown, bound = told_apart(attack.distortions[norm], least, number)
    rate = percent(Fraction(attack.successes, attack.attacked))
    sign = "<" if _is_less(attack, norm, least) else ">="
    return f"mean {norm} distortion {shown} (success rate {rate}, {counts}) {sign} required {bound}"


def _transfer(attack: AttackEvidence, row: Threshold, limit: float) -> Iterator[Finding]:
    hits, counted = attack.transfer or (0, 0)
    if not counted:
        text = "the transfer rate is undefined: no attacked image is one that this model has right when clean"
        yield _undefined(row, text)
    elif (rate := Fraction(hits, counted)) > (allowed := Fraction(str(limit))):
        sentence = _transfer_text(attack, (hits, counted), limit)
        yield Finding(Verdict.BELOW_FLOOR, row.level, sentence, row.mark, "transfer", float(rate - allowed))


def _transfer_text(attack: AttackEvidence, transfer: tuple[int, int], limit: float) -> str:
    hits, counted = transfer
    counts = f"{hits:,} of {counted:,} counted, {distortions_text(attack.distortions)}"
    return f"transfer rate {_at_most(Fraction(hits, counted), limit, counts)}"


def _undefined(row: Threshold, sentence: str) -> Finding:
    return Finding(Verdict.INCONCLUSIVE, row.level, sentence, row.mark, "attack")
