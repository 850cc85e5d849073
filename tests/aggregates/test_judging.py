"""From the results of cells to the verdict on an aggregate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pytest_robust.aggregates import Circumstances, Results, judge_aggregate
from pytest_robust.errors import RobustError
from pytest_robust.measurement import Samples
from pytest_robust.metrics.corruption_error import ALEXNET_CLEAN_ERROR, ALEXNET_ERROR
from pytest_robust.spec.plan import AggregatePlan, CellPlan, Gate, Plan
from pytest_robust.verdict import mcnemar_midp
from tests.spec.conftest import Load
from tests.spec.test_aggregates import HEAD

N = 1000


def results(samples: Samples, right: np.ndarray) -> Results:
    """Results that are right there, and elsewhere the next class."""
    return Results(samples, np.where(right, samples.labels, (samples.labels + 1) % 10).astype(np.uint16))


class Bench:
    """Results of a plan's cells: how many samples of each are right, before and now; the first ones are."""

    def __init__(self, plan: Plan, aggregate: int = 0) -> None:
        self.plan = plan
        self.aggregate: AggregatePlan = plan.aggregates[aggregate]
        self.now: dict[str, Results] = {}
        self.before: dict[str, Results | str] = {}
        self.given = Circumstances(plan.gate, max(plan.family[name] for name in self.aggregate.models))

    def set(self, pattern: str, right: int, before: int | None = None, *, n: int = N, samples: str = "s") -> None:
        """Every cell whose id begins so."""
        labels = (np.arange(n) % 10).astype(np.uint16)
        made = Samples(tuple(f"{index:05}" for index in range(n)), labels, samples)
        for cell in self.aggregate.members:
            if cell.id.startswith(pattern):
                self.now[cell.id] = results(made, np.arange(n) < right)
                self.before[cell.id] = results(made, np.arange(n) < (right if before is None else before))

    def judge(self, **given: Any) -> dict[str, Any]:
        return judge_aggregate(
            "s.yaml",
            self.aggregate,
            lambda cell: self.now[cell.id],
            lambda cell, role: self.before[cell.id],
            replace(self.given, **given),
        )


def verdict(report: dict[str, Any]) -> tuple[str, bool]:
    return report["record"]["verdict"], report["fails"]


@pytest.fixture
def bench(load: Load):
    def make(*rows: str, gate: str = "") -> Bench:
        return Bench(load(HEAD + "aggregates:\n" + "".join(f"  - {row}\n" for row in rows) + gate))

    return make


MCE = "{mce: {suite: imagenet-c, reference: alexnet, model: a}, max: 0.8, max_regression: 0.005}"


def test_mce_of_all_cells(bench):
    made = bench(MCE)
    made.set("a::", 500)
    report = made.judge()
    value = float(np.mean([0.5 / error for error in ALEXNET_ERROR.values()]))
    assert report["record"]["value"] == pytest.approx(value)
    assert verdict(report) == ("PASS", False)
    assert report["headline"].startswith("mCE against alexnet over 15 corruptions 0.6")
    made.set("a::", 300)
    report = made.judge()
    assert verdict(report) == ("BELOW_FLOOR", True)
    assert "> 0.8000" in report["headline"]


def test_a_rise_in_every_cell_is_a_regression_and_in_few_images_is_not(bench):
    made = bench(MCE)
    made.set("a::", 500, 530)
    report = made.judge()
    assert verdict(report) == ("REGRESSED", True)
    assert "allowed +0.0050, p=" in report["headline"]
    # 5 images, in all 75 cells: 375 lost pairs, p = 2^-6
    made.set("a::", 500, 505)
    report = made.judge()
    assert verdict(report) == ("INCONCLUSIVE", False)
    assert verdict(made.judge(gate=Gate(inconclusive="fail"))) == ("INCONCLUSIVE", True)
    made.set("a::", 500, 470)
    assert verdict(made.judge()) == ("IMPROVED", False)
    made.set("a::", 500, 501)
    assert verdict(made.judge()) == ("PASS", False)
    assert made.judge()["record"]["reasons"][0].startswith("mCE against alexnet over 15 corruptions 0.64")


def test_both_limits_are_reported(bench):
    made = bench(MCE)
    made.set("a::", 300, 400)
    report = made.judge()
    assert verdict(report) == ("BELOW_FLOOR", True)
    assert len(report["record"]["reasons"]) == 2
    assert "> 0.8000; mCE against alexnet" in report["headline"]


def test_relative_mce(bench):
    made = bench(
        "{mce: {suite: imagenet-c, reference: alexnet, relative: true, model: a}, max: 1, max_regression: 0.01}"
    )
    made.set("a::", 500)
    made.set("a::clean", 800)
    wanted = float(np.mean([0.3 / (error - ALEXNET_CLEAN_ERROR) for error in ALEXNET_ERROR.values()]))
    report = made.judge()
    assert report["record"]["value"] == pytest.approx(wanted)
    assert report["headline"].startswith("relative mCE against alexnet over 15 corruptions")
    # A model that loses the same images everywhere, clean included, keeps its relative mCE.
    rng = np.random.default_rng(0)
    lost = rng.permutation(N)[:50]
    for name, one in made.now.items():
        better = one.right.copy()
        better[lost] = True
        worse = one.right.copy()
        worse[lost] = False
        made.now[name], made.before[name] = results(one.samples, worse), results(one.samples, better)
    report = made.judge()
    assert "0.0000 vs golden" in report["record"]["reasons"][1]
    assert verdict(report) == ("PASS", False)


def test_a_reference_that_changes_moves_no_verdict(bench):
    made = bench("{mce: {suite: imagenet-c, entry: mild, reference: b, model: a}, max_regression: 0}")
    made.set("a::", 500)
    made.set("b::", 400, 600)
    report = made.judge()
    assert verdict(report) == ("PASS", False)
    assert report["record"]["value"] == pytest.approx(0.5 / 0.6)
    made.before["b::mild.fog-1"] = "nobody asks for the reference's golden"
    assert verdict(made.judge()) == ("PASS", False)


def test_a_perfect_reference_is_an_error_in_one_sentence(bench):
    made = bench("{mce: {suite: imagenet-c, entry: mild, reference: b, model: a}, max: 1}")
    made.set("a::", 500)
    made.set("b::", N)
    report = made.judge()
    assert verdict(report) == ("ERROR", True)
    assert report["headline"] == "the reference makes no error on fog; a corruption error is undefined"


def test_mean_error_over_cells_of_other_samples(bench):
    made = bench("{mean_error: {entry: mild, model: a}, max: 0.5, max_regression: 0.02}")
    made.set("a::mild.fog-1", 900, 950)
    made.set("a::mild.fog-3", 20, 20, n=40, samples="t")
    made.set("a::mild.fog-5", 900, 900)
    report = made.judge()
    assert report["record"]["value"] == pytest.approx((0.1 + 0.5 + 0.1) / 3)
    assert report["headline"].startswith("mean error over 1 shift 0.2333 <= 0.5000")
    assert "+0.0167 vs golden 0.2167 (allowed +0.0200)" in report["record"]["reasons"][1]
    assert verdict(report) == ("PASS", False)
    made.set("a::mild.fog-1", 800, 950)
    assert verdict(made.judge()) == ("REGRESSED", True)


def test_mean_error_of_one_cell_is_judged_as_a_cell(bench):
    made = bench("{mean_error: {entry: mild, model: a}, max_regression: 0}")
    for lost in range(1, 12):
        made.set("a::", 500, 500 + lost)
        significant = mcnemar_midp(lost, 0) <= 0.01
        assert verdict(made.judge())[0] == ("REGRESSED" if significant else "INCONCLUSIVE")


def test_ice_by_hand(bench):
    made = bench("{ice: {entry: mild, model: a}, max: 0.25, max_regression: 0.05}")
    made.set("a::", 880)
    made.set("a::clean", 900)
    report = made.judge()
    assert report["record"]["value"] == pytest.approx(0.2)
    assert report["headline"].startswith("iCE over 3 shifts 0.2000 <= 0.2500")
    made.set("a::mild", 860, 880)
    assert "+0.2000 vs golden 0.2000" in " ".join(made.judge()["record"]["reasons"])
    made.set("a::", 880)
    # clean error halves, the others stay: relative to clean they grew from 0.2 to 1.4
    made.set("a::clean", 950, 900)
    report = made.judge()
    assert report["record"]["value"] == pytest.approx(1.4)
    assert "+1.2000 vs golden 0.2000 (allowed +0.0500, p=" in report["record"]["reasons"][1]
    assert verdict(report) == ("BELOW_FLOOR", True)
    assert "; iCE over 3 shifts" in report["headline"]


def test_ice_without_clean_errors_is_undefined(bench):
    made = bench("{ice: {entry: mild, model: a}, max: 0.25, max_regression: 0.05}")
    made.set("a::", 880)
    made.set("a::clean", N, 900)
    report = made.judge()
    assert verdict(report) == ("INCONCLUSIVE", False)
    assert report["record"]["value"] is None
    assert report["record"]["reasons"] == [
        "iCE over 3 shifts is undefined: the clean error is 0",
        "the change of iCE over 3 shifts since the golden is undefined",
    ]
    made.set("a::clean", 900, N)
    assert verdict(made.judge())[0] == "INCONCLUSIVE"


def test_monotone(bench):
    made = bench("{monotone: {suite: imagenet-c, entry: mild, model: a, allowance: 0.01}}")
    for key, right in (("clean", 900), ("mild.fog-1", 850), ("mild.fog-3", 800), ("mild.fog-5", 810)):
        made.set(f"a::{key}", right)
    report = made.judge()
    assert verdict(report) == ("PASS", False)
    assert report["headline"] == "largest rise of accuracy with strength +1.00 pp <= +1.00 pp"
    made.set("a::mild.fog-5", 811)
    assert verdict(made.judge()) == ("BELOW_FLOOR", True)


def test_trend(bench):
    made = bench("{trend: {suite: imagenet-c, entry: mild, model: a}, min_spearman: 0.9, min_pearson: 0.99}")
    for key, right in (("clean", 900), ("mild.fog-1", 850), ("mild.fog-3", 700), ("mild.fog-5", 690)):
        made.set(f"a::{key}", right)
    report = made.judge()
    assert report["record"]["value"] == pytest.approx(1)
    linear = stats.pearsonr([0, 1, 3, 5], [0, 0.05, 0.2, 0.21]).statistic
    assert report["headline"] == f"Pearson correlation of strength and drop {linear:.4f} < 0.9900"
    made.set("a::", 900)
    report = made.judge()
    assert verdict(report)[0] == "INCONCLUSIVE"
    assert "is undefined: accuracy does not vary" in report["headline"]


def test_a_trend_of_both_sides_says_which_is_which(bench):
    made = bench("{trend: {suite: scaling, model: a}, min_spearman: 0.5}")
    for key, right in (("clean", 900), ("scaling.down_up-0.5", 900), ("scaling.down_up-2", 850)):
        made.set(f"a::{key}", right)
    made.set("a::scaling.down_up-1", 900)
    report = made.judge()
    assert report["record"]["value"] == pytest.approx(1)
    assert verdict(report)[0] == "PASS"
    assert report["record"]["reasons"][1] == (
        "Spearman correlation of strength and drop: below 1 undefined, as accuracy does not vary, above 1 1.0000"
    )
    made.set("a::scaling.down_up-0.5", 910)
    report = made.judge()
    assert verdict(report) == ("BELOW_FLOOR", True)
    assert report["record"]["reasons"][1].endswith("below 1 -1.0000, above 1 1.0000")


def test_monotone_of_both_sides_says_which_rises(bench):
    made = bench("{monotone: {suite: scaling, model: a, allowance: 0.01}}")
    for key, right in (("clean", 900), ("scaling.down_up-0.5", 920), ("scaling.down_up-1", 900)):
        made.set(f"a::{key}", right)
    made.set("a::scaling.down_up-2", 850)
    report = made.judge()
    assert verdict(report) == ("BELOW_FLOOR", True)
    assert report["record"]["reasons"][1] == (
        "largest rise of accuracy with strength: below 1 +2.00 pp, above 1 0.00 pp"
    )


def test_worst_class(bench):
    made = bench("{worst_class: {entry: mild, model: a}, min: 0.5}")
    made.set("a::", 995)
    report = made.judge()
    # the last five samples are of the classes 5 to 9, of which each has a hundred
    assert report["headline"] == "accuracy of the worst class (5) over 3 cells 99.00% >= 50.00%"
    made.now = {name: results(one.samples, one.samples.labels != 7) for name, one in made.now.items()}
    report = made.judge()
    assert verdict(report) == ("BELOW_FLOOR", True)
    assert "(7) over 3 cells 0.00% < 50.00%" in report["headline"]


COMPARE = "{compare: {model: b, against: a, suite: imagenet-c, entry: mild}, min_gain: 0.01, max_clean_loss: 0.02}"


@pytest.mark.parametrize(
    ("ours", "clean", "wanted"),
    [
        (560, 900, ("PASS", False)),
        (512, 900, ("INCONCLUSIVE", False)),
        (505, 900, ("BELOW_FLOOR", True)),
        (560, 885, ("INCONCLUSIVE", False)),
        (560, 870, ("BELOW_FLOOR", True)),
    ],
)
def test_compare_has_three_answers(bench, ours, clean, wanted):
    made = bench(COMPARE)
    made.set("a::", 500)
    made.set("b::", ours)
    made.set("a::clean", 900)
    made.set("b::clean", clean)
    report = made.judge()
    assert verdict(report) == wanted
    assert report["record"]["value"] == pytest.approx((ours - 500) / 1000)
    assert "98% interval" in report["headline"]


def test_compare_says_that_canvases_differ(bench):
    made = bench("{compare: {model: big, against: a, suite: scaling}, min_gain: -1}")
    made.set("", 500)
    report = made.judge()
    assert report["record"]["reasons"][-1] == "big and a see canvases of other geometry"
    assert verdict(report) == ("PASS", False)


def test_compare_of_other_samples_is_an_error(bench):
    made = bench(COMPARE)
    made.set("a::", 500)
    made.set("b::", 500, samples="t")
    report = made.judge()
    assert verdict(report) == ("ERROR", True)
    assert report["headline"] == "b and a were measured on other samples of mild.fog-1"


def test_a_member_that_cannot_be_measured(bench):
    made = bench(MCE)

    def broken(cell: CellPlan) -> Results:
        raise RobustError(f"{cell.model.path.text} cannot be opened")

    report = judge_aggregate("s.yaml", made.aggregate, broken, lambda cell, role: "none", made.given)
    assert verdict(report) == ("ERROR", True)
    assert report["headline"] == "a::imagenet-c.gaussian_noise-1: a.onnx cannot be opened"
    assert report["record"]["value"] is None


def test_no_golden(bench):
    made = bench(MCE)
    made.set("a::", 500)
    made.before["a::imagenet-c.fog-3"] = "the shift's version changed: 1 -> 2"
    report = made.judge()
    assert verdict(report) == ("NO_GOLDEN", True)
    assert report["headline"] == "no comparable golden: a::imagenet-c.fog-3: the shift's version changed: 1 -> 2"
    made.before["a::imagenet-c.fog-4"] = "the shift's version changed: 1 -> 2"
    assert made.judge()["headline"].endswith("1 -> 2 (2 of 75 cells have none)")
    made.before = dict.fromkeys(made.before, "no golden is recorded for this model")
    assert made.judge()["headline"] == "no comparable golden: no golden is recorded for this model"
    for accepts in ("new", "all"):
        assert verdict(made.judge(accepts=accepts)) == ("UPDATED", False)


def test_an_update_accepts_a_worse_value_only_if_it_is_explained(bench):
    made = bench(MCE)
    made.set("a::", 500, 530)
    assert verdict(made.judge(accepts="new")) == ("REGRESSED", True)
    report = made.judge(accepts="all")
    assert verdict(report) == ("UPDATED", False)
    assert "+0.0" in report["headline"]
    # what the update does not change stands
    made.set("a::", 300, 400)
    assert verdict(made.judge(accepts="all")) == ("BELOW_FLOOR", True)


def test_a_smoke_run_judges_nothing(bench):
    made = bench(MCE)
    made.set("a::", 300, 900, n=1000)
    report = made.judge(smoke=True)
    assert verdict(report) == ("PASS", False)
    assert report["record"]["reasons"][1] == "SMOKE: max, max_regression not judged"


def test_near_ties_on_another_device(bench):
    made = bench("{mean_error: {entry: mild, model: a}, max_regression: 0.005}")
    made.set("a::", 500, 530)
    noisy = np.zeros(N, bool)
    noisy[500:526] = True
    for name, one in made.before.items():
        made.before[name] = replace(one, near_tie=noisy)
    report = made.judge()
    assert verdict(report) == ("INCONCLUSIVE", False)
    assert report["headline"].endswith("rests on near ties: +0.0040 without them")
    for name, one in made.before.items():
        made.before[name] = replace(one, near_tie=np.zeros(N, bool))
    assert verdict(made.judge()) == ("REGRESSED", True)


def test_the_family_of_the_model_decides(bench):
    made = bench("{mean_error: {entry: mild, model: a}, max_regression: 0.001}")
    made.set("a::", 500, 508)
    assert verdict(made.judge(family=1))[0] == "REGRESSED"
    assert verdict(made.judge(family=20))[0] == "INCONCLUSIVE"


def test_a_warning_row_fails_nothing_but_an_error_does(bench):
    made = bench(MCE.replace("max: 0.8,", "max: 0.8, level: warn,"))
    made.set("a::", 300, 400)
    report = made.judge()
    assert (report["record"]["level"], verdict(report)) == ("warn", ("BELOW_FLOOR", False))
    made.now["a::imagenet-c.fog-3"] = replace(made.now["a::imagenet-c.fog-3"], predicted=np.zeros(0, np.uint16))
    report = made.judge()
    assert (report["record"]["level"], verdict(report)) == ("block", ("ERROR", True))
    assert report["headline"] == "a cell of this aggregate has no samples"


def test_what_travels_is_plain(bench):
    made = bench(COMPARE)
    made.set("", 500)

    def plain(value: Any) -> bool:
        if isinstance(value, dict):
            return all(type(key) is str and plain(inner) for key, inner in value.items())
        return type(value) in (str, int, float, bool, type(None)) or (type(value) is list and all(map(plain, value)))

    assert plain(made.judge())
