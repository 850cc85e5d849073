"""The verdict on a cell or an aggregate: pure mathematics on counts, without pytest, a model or a file."""

from pytest_robust.verdict.aggregate import Change, Held, against_golden, bounded, bounded_surely
from pytest_robust.verdict.evidence import (
    BREACHED,
    AttackEvidence,
    Evidence,
    Finding,
    GoldenEvidence,
    Judgement,
    Role,
    Verdict,
)
from pytest_robust.verdict.exchanged import Exchanged, exchanged
from pytest_robust.verdict.expected import excused, held_as_expected
from pytest_robust.verdict.images import Images, PairedCell, images_to_decide, interval, split
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
from pytest_robust.verdict.reduction import reduction_interval
from pytest_robust.verdict.signflip import sign_flip_midp
from pytest_robust.verdict.wording import what_n_can_see

__all__ = [
    "BREACHED",
    "AttackEvidence",
    "Change",
    "Decisive",
    "Evidence",
    "Exchanged",
    "Finding",
    "Flips",
    "GoldenEvidence",
    "Held",
    "Images",
    "Judgement",
    "PairedCell",
    "Role",
    "Verdict",
    "against_golden",
    "bounded",
    "bounded_surely",
    "clopper_pearson",
    "clopper_pearson_upper",
    "compare",
    "connor_n",
    "exchanged",
    "excused",
    "fails",
    "held_as_expected",
    "holm",
    "images_to_decide",
    "interval",
    "judge",
    "mcnemar_midp",
    "minimum_detectable_drop",
    "reduction_interval",
    "samples_to_decide",
    "samples_to_prove",
    "sign_flip_midp",
    "smallest_decisive",
    "split",
    "tango",
    "tango_upper",
    "updated",
    "what_n_can_see",
    "wilson",
]
