"""`max_regression` of the kinds, against either golden, and what a reader of a failure sees."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pytest_robust.aggregates import Results, judge_aggregate
from pytest_robust.measurement import Samples
from pytest_robust.spec.plan import AggregatePlan, Gate, Waiver
from tests.aggregates.test_judging import Bench, N, bench, results, verdict

__all__ = ["bench"]

LADDER = (("clean", 900), ("mild.fog-1", 850), ("mild.fog-3", 700), ("mild.fog-5", 600))
TREND = "{trend: {suite: imagenet-c, entry: mild, model: a}, min_spearman: 0.2, max_regression: 0.1}"
MONOTONE = "{monotone: {suite: imagenet-c, entry: mild, model: a, allowance: 0.5}, max_regression: 0.02}"
WORST = "{worst_class: {entry: mild, model: a}, min: 0.1, max_regression: 0.05}"
COMPARE = "{compare: {model: b, against: a, suite: imagenet-c, entry: mild}, max_regression: 0.02}"


def ladder(made: Bench, now: tuple[int, ...], before: tuple[int, ...]) -> None:
    for (key, _), new, old in zip(LADDER, now, before, strict=True):
        made.set(f"a::{key}", new, old)


def test_a_trend_that_falls(bench):
    made = bench(TREND)
    ladder(made, (900, 850, 700, 600), (900, 850, 700, 600))
    report = made.judge()
    assert verdict(report) == ("PASS", False)
    assert "1.0000, 0.0000 vs golden 1.0000 (allowed -0.1000)" in report["record"]["reasons"][1]
    # severity 5 is now as good as 1: ranks 1 2 4 3 in place of 1 2 3 4
    ladder(made, (900, 850, 700, 800), (900, 850, 700, 600))
    report = made.judge()
    assert verdict(report) == ("REGRESSED", True)
    assert (
        "Spearman correlation of strength and drop 0.8000, -0.2000 vs golden 1.0000 (allowed -0.1000, p="
        in (report["headline"])
    )
    # two severities that are all but equal change their order by chance
    ladder(made, (900, 850, 700, 702), (900, 850, 702, 700))
    report = made.judge()
    assert verdict(report) == ("INCONCLUSIVE", False)
    assert "-0.2000 vs golden 1.0000 (allowed -0.1000) is not significant (p=0." in report["headline"]
    made.set("a::", 900)
    made.before = {name: made.now[name] for name in made.before}
    assert made.judge()["record"]["reasons"][1] == (
        "the change of Spearman correlation of strength and drop since the golden is undefined"
    )


def test_the_linear_correlation_where_it_alone_is_limited(bench):
    made = bench("{trend: {suite: imagenet-c, entry: mild, model: a}, min_pearson: 0.2, max_regression: 0.1}")
    ladder(made, (900, 850, 700, 600), (900, 850, 700, 600))
    assert "Pearson correlation of strength and drop 0.99" in made.judge()["record"]["reasons"][1]
    made = bench("{trend: {suite: imagenet-c, entry: mild, model: a}, max_regression: 0.1}")
    ladder(made, (900, 850, 700, 600), (900, 850, 700, 600))
    report = made.judge()
    assert report["record"]["value"] == pytest.approx(1)
    assert len(report["record"]["reasons"]) == 1


def test_a_rise_that_grows(bench):
    made = bench(MONOTONE)
    ladder(made, (900, 850, 700, 760), (900, 850, 700, 710))
    report = made.judge()
    assert verdict(report) == ("REGRESSED", True)
    assert "0.0600, +0.0500 vs golden 0.0100 (allowed +0.0200, p=" in report["headline"]
    ladder(made, (900, 850, 700, 703), (900, 850, 700, 600))
    assert "+0.0030 vs golden 0.0000 (allowed +0.0200)" in made.judge()["record"]["reasons"][1]
    assert verdict(made.judge()) == ("PASS", False)


def by_class(made: Bench, seven: int, before: int) -> None:
    """Of class 7 so many are right in every cell, of the others all but one."""
    samples = Samples(tuple(f"{i:05}" for i in range(N)), (np.arange(N) % 10).astype(np.uint16), "s")
    for name in (cell.id for cell in made.aggregate.members):
        for store, right in ((made.now, seven), (made.before, before)):
            hits = np.where(samples.labels == 7, np.arange(N) // 10 < right, np.arange(N) // 10 < 99)
            store[name] = results(samples, hits)


def test_a_worst_class_that_falls_while_accuracy_hardly_moves(bench):
    made = bench(WORST)
    by_class(made, 60, 90)
    report = made.judge()
    assert verdict(report) == ("REGRESSED", True)
    assert (
        "accuracy of the worst class (7) over 3 cells 0.6000, -0.3000 vs golden 0.9000 (allowed" in report["headline"]
    )
    by_class(made, 82, 90)
    assert verdict(made.judge())[0] == "REGRESSED"
    by_class(made, 84, 90)
    assert verdict(made.judge(gate=Gate(alpha=0.001)))[0] == "INCONCLUSIVE"
    by_class(made, 86, 90)
    assert verdict(made.judge())[0] == "PASS"
    by_class(made, 99, 70)
    assert verdict(made.judge())[0] == "IMPROVED"


def test_the_worst_class_may_be_another_one_before(bench):
    made = bench(WORST)
    by_class(made, 60, 90)
    for name, one in made.before.items():
        assert isinstance(one, Results)
        labels = one.samples.labels
        made.before[name] = results(one.samples, one.right & ((labels != 2) | (np.arange(N) // 10 < 62)))
    report = made.judge()
    # class 7 lost 30 points, and the worst class 2
    assert "0.6000, -0.0200 vs golden 0.6200 (allowed -0.0500)" in report["record"]["reasons"][1]
    assert verdict(report) == ("PASS", False)


def test_a_class_has_its_name_where_the_spec_gives_names(bench):
    made = bench(WORST)
    by_class(made, 60, 60)
    names = tuple(f"bird {index}" for index in range(10))
    members = [
        replace(cell, shift=replace(cell.shift, dataset=replace(cell.shift.dataset, classes=names)))
        for cell in made.aggregate.members
    ]
    made.aggregate = replace(made.aggregate, members=tuple(members))
    assert made.judge()["headline"].startswith("accuracy of the worst class (bird 7) over 3 cells 60.00% >= 10.00%")


def test_a_gain_that_is_lost(bench):
    made = bench(COMPARE)
    made.set("a::", 500)
    made.set("b::", 560, 600)
    report = made.judge()
    assert verdict(report) == ("REGRESSED", True)
    assert "gain over a 0.0600, -0.0400 vs golden 0.1000 (allowed -0.0200, p=" in report["headline"]
    # both lost the same images: the gain is what it was
    made.set("a::", 500, 540)
    made.set("b::", 560, 600)
    assert "gain over a 0.0600, 0.0000 vs golden 0.0600" in made.judge()["headline"]
    # the other caught up: the gain is lost though the model is what it was
    made.set("b::", 560, 560)
    made.set("a::", 540, 500)
    report = made.judge()
    assert "0.0200, -0.0400 vs golden 0.0600" in report["headline"]
    # no golden of the clean cells is asked for
    made.before["a::clean"] = made.before["b::clean"] = "none"
    assert verdict(made.judge()) == ("REGRESSED", True)
    made.before["a::mild.fog-3"] = "none"
    assert made.judge()["headline"] == "no comparable golden: a::mild.fog-3: none"


def both(made: Bench, anchor: dict[str, Results | str], **given: Any) -> dict[str, Any]:
    return judge_aggregate(
        "s.yaml",
        made.aggregate,
        lambda cell: made.now[cell.id],
        lambda cell, role: (made.before if role == "latest" else anchor)[cell.id],
        replace(made.given, **given),
    )


def test_small_steps_cannot_drift_past_the_anchor(bench):
    made = bench("{mean_error: {entry: mild, model: a}, max_regression: 0.02}")
    made.aggregate = replace(made.aggregate, against=("latest", "anchor"))
    made.set("a::", 500, 540)
    anchor = dict(made.before)
    made.set("a::", 500, 510)
    report = both(made, anchor)
    assert verdict(report) == ("REGRESSED", True)
    assert report["headline"].startswith("mean error over 1 shift 0.5000, +0.0400 vs anchor golden 0.4600 (allowed")
    assert report["record"]["reasons"][1] == (
        "mean error over 1 shift 0.5000, +0.0100 vs golden 0.4900 (allowed +0.0200)"
    )
    # an update accepts what the latest golden says; the anchor stands
    made.set("a::", 500, 540)
    report = both(made, anchor, accepts="all")
    assert verdict(report) == ("REGRESSED", True)
    assert len(report["record"]["reasons"]) == 2
    missing = dict.fromkeys(anchor, "no golden is recorded for this model")
    report = both(made, missing, accepts="all")
    assert verdict(report) == ("NO_GOLDEN", True)
    assert report["headline"] == "no comparable anchor golden: no golden is recorded for this model"
    made.aggregate = replace(made.aggregate, against=("anchor",))
    made.before = dict(missing)
    assert verdict(both(made, anchor)) == ("REGRESSED", True)


@pytest.mark.parametrize("row", [TREND, MONOTONE])
def test_cells_on_a_part_are_held_against_clean_over_that_part(bench, row):
    """Clean is right on the last half alone, where the shifted cells were measured: there is no drop at all."""
    made = bench(row)
    made.set("a::", 500)
    whole = made.now["a::clean"].samples
    part = Samples(whole.ids[500:], whole.labels[500:], "part")
    right = np.arange(N) >= 500
    made.now["a::clean"] = made.before["a::clean"] = results(whole, right)
    members = []
    for step, cell in enumerate(made.aggregate.members):
        if cell.shift.suite != "clean":
            shift = replace(cell.shift, dataset=replace(cell.shift.dataset, limit=500))
            cell = replace(cell, shift=shift)
            hits = np.arange(500) >= 10 * step
            made.now[cell.id] = made.before[cell.id] = results(part, hits)
        members.append(cell)
    made.aggregate = replace(made.aggregate, members=tuple(members))
    report = made.judge()
    # over the whole of clean the drops were negative, and accuracy rose
    assert verdict(report) == ("PASS", False)
    assert report["record"]["value"] == pytest.approx(1 if row is TREND else 0)
    made.now[members[-1].id] = results(replace(part, ids=part.ids[1:], labels=part.labels[1:]), right[501:])
    report = made.judge()
    assert verdict(report) == ("ERROR", True)
    assert "they are measured on different samples" in report["headline"]


def test_near_ties_of_a_value_that_is_no_sum(bench):
    made = bench(WORST)
    by_class(made, 60, 90)
    noisy = np.zeros(N, bool)
    for name, one in made.before.items():
        assert isinstance(one, Results)
        made.before[name] = replace(one, near_tie=noisy)
    assert verdict(made.judge())[0] == "REGRESSED"
    noisy = made.now["a::mild.fog-1"].samples.labels == 7
    for name, one in made.before.items():
        assert isinstance(one, Results)
        made.before[name] = replace(one, near_tie=noisy)
    report = made.judge()
    assert verdict(report)[0] == "INCONCLUSIVE"
    assert "rests on near ties" in report["headline"]


def test_the_text_of_a_failure(bench):
    made = bench("{mean_error: {entry: mild, model: a}, max: 0.9, max_regression: 0.02}")
    made.set("a::", 500, 540)
    made.set("a::mild.fog-5", 400, 500)
    for store, origin in (
        (made.now, "cpu (cpu), onnxruntime 1.2"),
        (made.before, "a recorded 2026-01-02 on cpu: first"),
    ):
        for name, one in store.items():
            assert isinstance(one, Results)
            store[name] = replace(one, origin=origin)
    report = made.judge(options=("--robust-device=cpu",))
    assert report["text"].splitlines() == [
        report["headline"],
        "  also      mean error over 1 shift 0.5333 <= 0.9000",
        f"  spec      {made.aggregate.mark}",
        "  members   3 cells of a",
        "  worst     a::mild.fog-5 -10.00 pp, a::mild.fog-1 -4.00 pp, a::mild.fog-3 -4.00 pp",
        "  golden    a recorded 2026-01-02 on cpu: first",
        "  device    cpu (cpu), onnxruntime 1.2",
        "  rerun     pytest --robust-device=cpu s.yaml::a::mild.mean_error",
        "  accept    pytest --robust-device=cpu s.yaml::a --robust-update --robust-reason='...'",
    ]
    assert made.judge(refusal="CI is set")["text"].endswith("  accept    not from here: CI is set")
    assert "rerun     pytest ../s.yaml::a::mild.mean_error" in made.judge(path="../s.yaml")["text"]
    aggregate: AggregatePlan = made.aggregate
    candidates = [replace(cell, model=replace(cell.model, candidate=True)) for cell in aggregate.members]
    made.aggregate = replace(aggregate, members=tuple(candidates))
    assert made.judge()["text"].endswith("  accept    give models.a its file in the spec, then update the golden")
    made.aggregate = replace(aggregate, limits={"max": 0.1})
    assert "accept" not in made.judge()["text"]


def test_both_models_are_accepted_where_both_goldens_count(bench):
    made = bench(COMPARE)
    made.set("a::", 500)
    made.set("b::", 560, 600)
    assert "accept    pytest s.yaml::b s.yaml::a --robust-update" in made.judge()["text"]
    assert "members   8 cells of b, a" in made.judge()["text"]


def test_a_waiver_excuses_a_bad_value_and_never_an_error(bench):
    made = bench(COMPARE)
    waiver = Waiver(made.aggregate.mark, "2030-01-31", "me", "known")
    made.aggregate = replace(made.aggregate, waiver=waiver)
    made.set("a::", 500)
    made.set("b::", 560, 600)
    assert made.judge()["waiver"] == "known, me, until 2030-01-31"
    made.now["b::mild.fog-1"] = replace(made.now["b::mild.fog-1"], predicted=np.zeros(0, np.uint16))
    assert (verdict(made.judge()), made.judge()["waiver"]) == (("ERROR", True), None)
