"""What the judge is given and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_robust.errors import Mark
    from pytest_robust.spec.plan import Level
    from pytest_robust.verdict.paired import Flips

Role = Literal["latest", "anchor"]
Subject = Literal["run", "floor", "clean", "attack", "distortion", "transfer", "latest", "anchor", "expect"]


class Verdict(StrEnum):
    """The judgement on a cell, highest precedence first."""

    ERROR = "ERROR"
    BELOW_FLOOR = "BELOW_FLOOR"
    REGRESSED = "REGRESSED"
    TOO_MANY_FLIPS = "TOO_MANY_FLIPS"
    UNEXPECTED_PASS = "UNEXPECTED_PASS"
    NO_GOLDEN = "NO_GOLDEN"
    INCONCLUSIVE = "INCONCLUSIVE"
    IMPROVED = "IMPROVED"
    UPDATED = "UPDATED"
    PASS = "PASS"

    @property
    def rank(self) -> int:
        """0 for the verdict that comes before all others."""
        return list(Verdict).index(self)


BREACHED = (Verdict.BELOW_FLOOR, Verdict.REGRESSED, Verdict.TOO_MANY_FLIPS)
"""A limit was measured and does not hold: what a row can expect, and nothing else."""


@dataclass(frozen=True, slots=True)
class GoldenEvidence:
    """A comparable golden and what changed against it.

    Attributes:
        role: the latest golden, or the frozen anchor of a release.
        flips: the comparison of all samples.
        firm: the same comparison with near-tie samples counted as unchanged (`compare(..., near_tie=...)`);
            given only where the golden's device class or onnxruntime version differs from this run's.
        n: samples of the golden, the same as the cell's.
        correct: how many of them the golden has right.
        recorded: ISO date.
        device_class: the class it was recorded on.
        onnxruntime: the version it was recorded with.
        reason: why it was recorded, as the user said.
    """

    role: Role
    flips: Flips
    firm: Flips | None
    n: int
    correct: int
    recorded: str
    device_class: str
    onnxruntime: str
    reason: str


@dataclass(frozen=True, slots=True)
class AttackEvidence:
    """What an attack came to.

    Attributes:
        attacked: samples that were attacked.
        successes: how many of them turned the source.
        distortions: mean over the successes, by norm; empty where there are none.
        transfer: of a source other than the measured model, how many examples turn the latter and how many count; None
            where the model itself was attacked.

    Raises:
        ValueError: the counts contradict each other.
    """

    attacked: int
    successes: int
    distortions: Mapping[str, float] = field(default_factory=dict)
    transfer: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        hits, counted = self.transfer or (0, 0)
        if not 0 <= self.successes <= self.attacked or not 0 <= hits <= counted <= self.attacked:
            raise ValueError(f"the counts of {self} are not possible")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything a cell's verdict may depend on.

    Attributes:
        n: samples measured.
        correct: how many the model has right.
        clean: (correct, n) of the same model on clean images; None where that was not measured.
        goldens: the comparable goldens by role.
        missing: for a role without a comparable golden, why there is none.
        family: declared golden tests of the model, the m of alpha/m; 0 counts as 1.
        error: one sentence where the cell could not be evaluated.
        smoke: measured on fewer samples than the spec declares.
        attack: what an attack came to, where the cell is one.

    Raises:
        ValueError: the counts contradict each other.
    """

    n: int
    correct: int
    clean: tuple[int, int] | None = None
    goldens: Mapping[Role, GoldenEvidence] = field(default_factory=dict)
    missing: Mapping[Role, str] = field(default_factory=dict)
    family: int = 1
    error: str | None = None
    smoke: bool = False
    attack: AttackEvidence | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.correct <= self.n:
            raise ValueError(f"{self.correct} right of {self.n} samples is not a possible count")
        for role, golden in self.goldens.items():
            flips = golden.flips
            sizes = {self.n, golden.n, flips.n, (golden.firm or flips).n}
            if golden.role != role or len(sizes) > 1:
                raise ValueError(f"the {role} golden was compared on other samples than the cell's")
            if flips.a + flips.b != golden.correct or flips.a + flips.c != self.correct:
                raise ValueError(f"the flips from the {role} golden contradict the two accuracies")


@dataclass(frozen=True, slots=True)
class Finding:
    """One limit of one row that does not hold, or could not be shown to hold.

    Attributes:
        verdict: what this finding alone would make of the cell.
        level: the row's level; a `warn` never fails a cell.
        sentence: the numbers.
        mark: the row's place in the spec; None for an error of the run.
        subject: what the limit is about.
        excess: how far the observed value is beyond the limit, as a fraction of the samples.
        expected: the row's reason to expect it; None for what nobody expects.
    """

    verdict: Verdict
    level: Level
    sentence: str
    mark: Mark | None
    subject: Subject
    excess: float = 0.0
    expected: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer of the judge.

    Attributes:
        verdict: of the blocking findings where there are any, else of the warnings, else IMPROVED or PASS.
        level: `warn` where only rows of that level found something.
        reasons: the sentence of every finding, whatever the verdict, then what else there is to know.
        headline: the first line of a failure: the numbers that led to the verdict.
        findings: one per limit that does not hold, in the order of the rows.
        proven: whether every `max_regression` of a blocking row (of a warning row where none blocks) is at or
            above the upper bound of the drop; None without such a row, without its golden, and in smoke.
        role: the golden that `p`, `drop_upper` and `mdd` speak of, latest before anchor; None without one.
        p: one-sided mid-p that the cell is worse than that golden.
        drop_upper: Tango's one-sided upper bound of the drop at the gate's alpha; the larger one where
            near-ties make two.
        mdd: minimum detectable drop at alpha/m, 80 % power and the observed discordance; None where no drop
            could be detected.
        clean_drop: accuracy on clean images less accuracy of the cell.
        interval: 95 % Wilson interval of the accuracy.
        expected: why the verdict was expected, where only rows with `expect` led to it.
    """

    verdict: Verdict
    level: Level
    reasons: tuple[str, ...]
    headline: str
    findings: tuple[Finding, ...]
    proven: bool | None
    role: Role | None
    p: float | None
    drop_upper: float | None
    mdd: float | None
    clean_drop: float | None
    interval: tuple[float, float]
    expected: str | None = None
