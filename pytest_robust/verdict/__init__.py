"""The verdict on a cell: pure mathematics on counts, without pytest, a model or a file."""

from pytest_robust.verdict.evidence import Evidence, Finding, GoldenEvidence, Judgement, Role, Verdict
from pytest_robust.verdict.intervals import clopper_pearson, clopper_pearson_upper, tango, tango_upper, wilson
from pytest_robust.verdict.judge import fails, judge, updated
from pytest_robust.verdict.multiple import holm
from pytest_robust.verdict.paired import Flips, compare, mcnemar_midp
from pytest_robust.verdict.power import (
    Decisive,
    connor_n,
    minimum_detectable_drop,
    samples_to_decide,
    samples_to_prove,
    smallest_decisive,
)
from pytest_robust.verdict.wording import what_n_can_see

__all__ = [
    "Decisive",
    "Evidence",
    "Finding",
    "Flips",
    "GoldenEvidence",
    "Judgement",
    "Role",
    "Verdict",
    "clopper_pearson",
    "clopper_pearson_upper",
    "compare",
    "connor_n",
    "fails",
    "holm",
    "judge",
    "mcnemar_midp",
    "minimum_detectable_drop",
    "samples_to_decide",
    "samples_to_prove",
    "smallest_decisive",
    "tango",
    "tango_upper",
    "updated",
    "what_n_can_see",
    "wilson",
]
