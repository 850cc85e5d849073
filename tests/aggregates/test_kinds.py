"""The kinds that need the real suites: values by hand, and what a golden makes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pytest_robust.aggregates import Results
from pytest_robust.measurement import Samples, Scores
from pytest_robust.registry import default_registry
from pytest_robust.shifts.swaps import partner_of
from pytest_robust.spec.catalog import Catalog
from pytest_robust.spec.plan import Gate
from tests.aggregates.test_judging import Bench, N, results, verdict
from tests.spec.conftest import Load, Refuse

HEAD = """\
format: 1
seed: 7
scores: true
dataset: {source: digits, geometry: {resize: 256, crop: 224}}
models:
  a: {path: a.onnx}
  b: {path: b.onnx}
shifts:
  - {suite: si-score, factors: {size: [0.2, 0.5], rotation: [1, 21, 41], location: [[0.5, 0.25]]}}
  - {name: whole, suite: si-score, factors: {size: [0.1, 0.2], rotation: [1]}, per: factor}
  - {suite: fourier, amplitude_swap: [0.4, 1], phase_swap: [0.6, 1]}
  - {suite: imagenet-c}
  - {suite: imagenet-c-extra}
  - {suite: lp-noise, norms: {inf: [0.01, 0.03]}}
  - {suite: scaling, multiples: [0.25, 0.5, 2, 4]}
golden: {path: g, anchor: v1}
"""


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return default_registry().catalog()


@pytest.fixture
def bench(load: Load):
    def make(row: str) -> Bench:
        return Bench(load(f"{HEAD}aggregates:\n  - {row}\n"))

    return make


def members(bench: Bench) -> list[str]:
    return [cell.id for cell in bench.aggregate.members]


def reasons(report: dict[str, Any]) -> list[str]:
    return report["record"]["reasons"]


def test_group_means_by_hand(bench):
    made = bench("{group_means: {entry: si-score, model: a}, min: 0.6, max_regression: 0.01}")
    rights = {"size-0.2": 500, "size-0.5": 700, "rotation-1": 100, "rotation-21": 200, "rotation-41": 600}
    for key, right in {**rights, "location": 900}.items():
        made.set(f"a::si-score.{key}", right)
    report = made.judge()
    # size 0.6, rotation 0.3, location 0.9: the mean of the six cells would be 0.5
    assert report["record"]["value"] == pytest.approx(0.6)
    assert reasons(report)[0] == "mean of the group means of size, rotation, location 60.00% >= 60.00%"
    assert reasons(report)[2:] == [
        "size: mean accuracy 60.00% over 2 values",
        "rotation: mean accuracy 30.00% over 3 values",
        "location: mean accuracy 90.00% over 1 value",
    ]
    made.set("a::si-score.location", 899, 900)
    assert verdict(made.judge())[0] == "BELOW_FLOOR"
    # location counts a third, a rotation a ninth
    made.set("a::si-score.location", 900, 960)
    report = made.judge()
    assert "0.6000, -0.0200 vs golden 0.6200 (allowed -0.0100, p=" in reasons(report)[0]
    assert verdict(report) == ("REGRESSED", True)
    made.set("a::si-score.location", 900, 900)
    made.set("a::si-score.rotation-21", 200, 260)
    assert verdict(made.judge()) == ("PASS", False)
    assert "-0.0067 vs golden 0.6067" in reasons(made.judge())[1]


def test_group_means_of_one_factor_and_of_cases_that_hold_several_values(bench):
    made = bench("{group_means: {entry: whole, shift: size, model: a}, min: 0.5}")
    assert members(made) == ["a::whole.size"]
    made.set("a::whole.size", 100)
    (name,) = made.now
    counts = {"size=0.1": {"n": 900, "correct": 90}, "size=0.2": {"n": 100, "correct": 90}}
    made.now[name] = replace(made.now[name], groups=counts)
    assert made.judge()["record"]["value"] == pytest.approx((0.1 + 0.9) / 2)
    assert reasons(made.judge())[1] == "size: mean accuracy 50.00% over 2 values"


PHASE = "{phase_reliance: {entry: fourier, model: a}, min: 0.2, max: 0.9, max_regression: 0.05}"


def swapped(bench: Bench, follow: dict[str, str], n: int = 600) -> dict[str, Results]:
    """Every cell predicts the class of one owner; the classes are known by the rule of the views."""
    ids = tuple(f"{index:04}" for index in range(n))
    own = np.random.default_rng(1).integers(0, 4, n).astype(np.uint16)
    other = own[partner_of(7, ids)]
    found = {}
    for cell in bench.aggregate.members:
        key = cell.key.removeprefix("fourier.")
        labels = other if key.startswith("phase_swap") else own
        owners = {"own": own, "other": other, "neither": np.full(n, 9, np.uint16), "clean": own}
        mixed = follow.get(key, "clean")
        predicted = owners[mixed] if mixed in owners else np.where(np.arange(n) % 2, own, other)
        found[cell.id] = Results(Samples(ids, labels, "p" if labels is other else "s"), predicted)
    return found


def test_phase_reliance_by_hand(bench):
    made = bench(PHASE)
    # a share of 0.4 leaves most of the amplitude the image's own, so the two do not compete
    assert members(made) == [
        "a::clean",
        "a::fourier.amplitude_swap-1",
        "a::fourier.phase_swap-0.6",
        "a::fourier.phase_swap-1",
    ]
    follow = {"amplitude_swap-1": "own", "phase_swap-0.6": "half", "phase_swap-1": "other"}
    made.now = swapped(made, follow)
    made.before = dict(made.now)
    report = made.judge()
    telling = int((made.now["a::clean"].predicted != made.now["a::fourier.phase_swap-1"].predicted).sum())
    assert 400 < telling < 500
    words = next(one for one in reasons(report) if one.startswith("fourier.phase_swap-0.6"))
    middle = float(words.split()[4].rstrip("%,"))
    assert 40 < middle < 60
    # phase, about half of either, phase
    assert report["record"]["value"] == pytest.approx((1 + (2 * middle / 100 - 1) + 1) / 3, abs=1e-4)
    assert (
        f"fourier.amplitude_swap-1: follows the phase 100.00%, the amplitude 0.00% of {telling}" in reasons(report)[3]
    )
    assert verdict(report) == ("PASS", False)

    made.now = swapped(made, {**follow, "phase_swap-1": "own"})
    report = made.judge()
    assert "-0.6667 vs golden" in " ".join(reasons(report))
    assert "(allowed -0.0500, p" in " ".join(reasons(report))
    assert report["record"]["value"] == pytest.approx((1 + (2 * middle / 100 - 1) - 1) / 3, abs=1e-4)
    assert verdict(report)[0] == "REGRESSED" or verdict(report)[0] == "BELOW_FLOOR"

    made.now = swapped(made, dict.fromkeys(follow, "neither"))
    assert made.judge()["record"]["value"] == 0
    made.now = swapped(made, {"amplitude_swap-1": "own", "phase_swap-0.6": "other", "phase_swap-1": "other"})
    report = made.judge()
    assert "phase reliance over 3 cells 1.0000 > 0.9000" in report["headline"]


def test_phase_reliance_of_one_class_is_undefined_and_of_other_samples_an_error(bench):
    made = bench(PHASE)
    made.set("a::", 500)
    one = Samples(tuple(map(str, range(9))), np.zeros(9, np.uint16), "z")
    made.now = {name: Results(one, np.zeros(9, np.uint16)) for name in made.now}
    made.before = dict(made.now)
    report = made.judge()
    assert verdict(report)[0] == "INCONCLUSIVE"
    assert report["record"]["value"] is None
    assert "no mixed image has owners of two classes" in reasons(report)[0]
    other = replace(one, ids=tuple(map(str, range(1, 10))))
    made.now["a::fourier.phase_swap-1"] = Results(other, np.zeros(9, np.uint16))
    assert verdict(made.judge()) == ("ERROR", True)
    assert "fourier.phase_swap-1 and clean were measured on other samples" in made.judge()["headline"]


SCORED = [("ece", 0.35), ("rmsce", 0.35), ("nll", 0.75), ("brier", 0.4), ("top5_error", 0.25)]


@pytest.mark.parametrize(("metric", "value"), SCORED)
def test_scores_are_means_over_cells(bench, metric, value):
    made = bench(f"{{scores: {{metric: {metric}, entry: lp-noise, model: a}}, max: 0.5}}")
    assert made.aggregate.id == f"a::lp-noise.{metric}"
    made.set("a::", 500)

    def scored(right: int, nll: float, brier: float, top5: int) -> Scores:
        numbers = [np.full(N, number, np.float32) for number in (0.8, nll, brier)]
        return Scores(np.arange(N) < top5, *numbers)

    # accuracies 0.5 and 0.4, each 0.8 sure
    for name, right, scores in (
        ("a::lp-noise.linf-0.01", 500, scored(500, 0.5, 0.3, 900)),
        ("a::lp-noise.linf-0.03", 400, scored(400, 1.0, 0.5, 600)),
    ):
        made.set(name, right)
        made.now[name] = replace(made.now[name], scores=scores)
    report = made.judge()
    assert report["record"]["value"] == pytest.approx(value)
    assert verdict(report)[0] == ("BELOW_FLOOR" if value > 0.5 else "PASS")
    assert f"over 2 cells {value:.4f}" in report["headline"]


def test_a_cell_without_scores_is_an_error_that_names_it(bench):
    made = bench("{scores: {metric: ece, suite: clean, model: a}, max: 0.1}")
    assert members(made) == ["a::clean"]
    assert made.aggregate.id == "a::clean.ece"
    made.set("a::", 500)
    assert made.judge()["headline"] == (
        "what the probabilities of a::clean say was not kept; run it again with `scores: true`"
    )
    numbers = [np.full(N, number, np.float32) for number in (0.8, np.nan, 0.3)]
    made = bench("{scores: {metric: nll, suite: clean, model: a}, max: 0.1}")
    made.set("a::", 500)
    made.now["a::clean"] = replace(made.now["a::clean"], scores=Scores(np.ones(N, bool), *numbers))
    assert verdict(made.judge())[0] == "INCONCLUSIVE"


REDUCTION = "{error_reduction: {model: b, against: a, suite: lp-noise}, min: 0.2, max_regression: 0.05}"


@pytest.mark.parametrize(
    ("ours", "wanted"), [(800, "PASS"), (690, "INCONCLUSIVE"), (675, "BELOW_FLOOR"), (500, "BELOW_FLOOR")]
)
def test_error_reduction_has_three_answers(bench, ours, wanted):
    made = bench(REDUCTION)
    assert made.aggregate.id == "_all::lp-noise.error_reduction"
    made.set("a::", 600)
    made.set("b::", ours)
    report = made.judge()
    assert report["record"]["value"] == pytest.approx(1 - (1000 - ours) / 400)
    assert verdict(report)[0] == wanted
    assert f"relative error reduction against a {100 - (1000 - ours) / 4:.2f}%" in report["headline"]
    assert "98% interval" in report["headline"]


def test_error_reduction_against_both_goldens(bench):
    made = bench(REDUCTION)
    made.set("a::", 600)
    made.set("b::", 800, 860)
    report = made.judge()
    # 0.5 now, 1 - 140 / 400 before
    assert "0.5000, -0.1500 vs golden 0.6500 (allowed -0.0500, p=" in report["headline"]
    assert verdict(report) == ("REGRESSED", True)
    # the other model became better: less of its error is left to be reduced
    made.set("b::", 800)
    made.set("a::", 600, 500)
    assert "0.5000, -0.1000 vs golden 0.6000" in made.judge()["headline"]


def test_error_reduction_against_a_perfect_model_is_undefined(bench):
    made = bench(REDUCTION)
    made.set("a::", N, 600)
    made.set("b::", 800)
    report = made.judge()
    assert verdict(report)[0] == "INCONCLUSIVE"
    assert reasons(report) == [
        "relative error reduction against a is undefined: a makes no error",
        "the change of relative error reduction against a since the golden is undefined",
    ]


@pytest.mark.parametrize(
    ("row", "label", "cells"),
    [
        ("{entry: imagenet-c}", "the 15 corruptions of ImageNet-C, frost_procedural in place of frost", 75),
        ("{entry: [imagenet-c, imagenet-c-extra]}", "the 19 corruptions of ImageNet-C and its extras, frost_p", 95),
        (
            "{entry: [imagenet-c, imagenet-c-extra],"
            " without: [gaussian_noise, shot_noise, impulse_noise, speckle_noise]}",
            "without noise, over 15 of the 19 corruptions, frost_procedural in place of frost",
            75,
        ),
        (
            "{entry: imagenet-c, without: [gaussian_noise, shot_noise, impulse_noise]}",
            "without noise, over 12 of the 15 corruptions, frost_procedural",
            60,
        ),
        ("{entry: imagenet-c, without: [fog]}", "over 14 shifts without fog", 70),
        ("{suite: lp-noise}", "over Lp noise, 2 cells", 2),
        ("{entry: [lp-noise, fourier]}", "over 3 shifts", 6),
    ],
)
def test_a_mean_error_says_which_one_it_is(bench, row, label, cells):
    made = bench(f"{{mean_error: {row[:-1]}, model: a}}, max: 1}}")
    made.set("a::", 500)
    assert len(made.aggregate.members) == cells
    report = made.judge()
    assert label in report["headline"]
    assert report["headline"].startswith("mean error ")


WRONG = [
    (
        "{scores: {metric: ^ecce, suite: clean}, max: 0.1}",
        "`metric` cannot be 'ecce', did you mean 'ece'?",
    ),
    ("{scores: {metric: ece, suite: clean}, max: ^1.5}", "`max` of ece must be between 0 and 1, not 1.5"),
    ("{scores: {metric: brier, suite: clean}, max: ^2.5}", "`max` of brier must be between 0 and 2, not 2.5"),
    ("^{scores: {metric: nll, suite: clean}}", "the key 'max' is missing"),
    (
        "{scores: {metric: ece, suite: clean}, max: 0.1, ^max_regression: 0.1}",
        "`scores` takes no max_regression: goldens keep the predicted classes and no probabilities; limit the value",
    ),
    ("{scores: {metric: ece, entry: ^lp-nois}, max: 0.1}", "no entry 'lp-nois' in `shifts`, did you mean 'lp-noise'?"),
    ("{group_means: {entry: si-score, shift: ^sise}, min: 0.1}", "no shift 'sise' in 'si-score', did you mean 'size'?"),
    ("^{group_means: {entry: si-score}}", "this row sets no limit; give min or max_regression"),
    (
        "{group_means: {entry: whole}, ^max_regression: 0.1}",
        "`max_regression` needs a case per value, and whole.size holds 2 values, whose samples a golden does not tell"
        " apart; give its entry `per: value`",
    ),
    (
        "{phase_reliance: ^{entry: lp-noise}, min: 0}",
        "phase_reliance needs amplitude_swap or phase_swap of fourier with a share above 0.5; 'lp-noise' has none",
    ),
    ("{phase_reliance: {suite: ^furier}, min: 0}", "no suite 'furier' in this spec, did you mean 'fourier'?"),
    ("{phase_reliance: {suite: fourier}, min: ^-2}", "`min` must be between -1 and 1, not -2"),
    ("{error_reduction: {model: a, against: ^c, suite: scaling}, min: 0}", "no model 'c' in this spec"),
    ("{error_reduction: {model: a, against: ^a, suite: scaling}, min: 0}", "'a' is compared with itself"),
    ("^{error_reduction: {model: a, against: b, suite: scaling}}", "this row sets no limit; give min or"),
    ("{error_reduction: {model: a, against: b, suite: scaling}, min: ^2}", "`min` must be between -1 and 1, not 2"),
    ("^{eror_reduction: {model: a}, min: 0}", "a row of `aggregates` has one of"),
    (
        "{mean_error: {suite: scaling}, max: 1, ^against: anchor}",
        "`against` chooses a golden, and this row does not set max_regression",
    ),
    ("{scores: {metric: ece, suite: clean}, max: 0.1, ^against: latest}", "unknown key 'against'"),
    (
        "{monotone: {suite: scaling}, max_regression: 0.1, against: [latest, ^ancor]}",
        "a value of `against` must be 'latest' or 'anchor', not 'ancor', did you mean 'anchor'?",
    ),
]


@pytest.mark.parametrize(("row", "message"), WRONG)
def test_wrong_rows(row: str, message: str, refuse: Refuse) -> None:
    refuse(f"{HEAD}aggregates:\n- {row}\n", message)


def test_scores_need_to_be_kept(refuse: Refuse, load: Load) -> None:
    rows = "aggregates:\n  - {^scores: {metric: ece, suite: clean}, max: 0.1}\n"
    refuse(
        HEAD.replace("scores: true\n", "") + rows,
        "`scores` needs the models' probabilities; keep them by `scores: true` at the top level",
    )
    assert all(cell.scored for cell in load(HEAD + rows.replace("^", "")).aggregates[0].members)


def test_goldens_that_the_spec_does_not_name(refuse: Refuse) -> None:
    row = "{trend: {suite: scaling, shift: down_up}, max_regression: 0.1, against: [latest, anchor]}"
    golden = "golden: {path: g, anchor: v1}\n"
    refuse(
        HEAD.replace(golden, "golden: g\n") + f"aggregates: [{row.replace('[latest', '^[latest')}]\n",
        "there is no anchor to judge against; name one by `golden: {path: ..., anchor: NAME}`",
    )
    refuse(
        HEAD.replace(golden, "") + f"aggregates: [{row.replace(', anchor', '').replace('max_r', '^max_r')}]\n",
        "`max_regression` needs a golden to compare with",
    )


def test_the_family_counts_every_golden_of_an_aggregate(load: Load) -> None:
    rows = """\
thresholds: [{where: {suite: scaling}, max_regression: 0.1, against: [latest, anchor]}]
aggregates:
  - {worst_class: {suite: scaling, model: a}, max_regression: 0.1, against: [anchor, latest, anchor]}
  - {compare: {model: a, against: b, suite: scaling}, max_regression: 0.1}
  - {group_means: {entry: whole, model: b}, min: 0.1}
"""
    plan = load(HEAD + rows)
    assert [aggregate.against for aggregate in plan.aggregates] == [("anchor", "latest"), ("latest",), ("latest",)]
    # 4 cells against two goldens, the two of the worst class, and the comparison, which stands on both models
    assert plan.family == {"a": 8 + 2 + 1, "b": 8 + 1}


def test_a_broad_small_loss_is_seen_by_the_aggregate_alone(load: Load) -> None:
    """Every cell loses 12 images and wins 4, others in each: none of the 75 is REGRESSED, their mean is."""
    from pytest_robust.verdict import Evidence, GoldenEvidence, compare, judge

    row = "{mean_error: {entry: imagenet-c, model: a}, max_regression: 0.005}"
    text = f"thresholds: [{{max_regression: 0.005}}]\naggregates: [{row}]\n"
    made = Bench(load(HEAD + text))
    made.set("a::", 500)
    random = np.random.default_rng(4)
    verdicts = set()
    for cell in made.aggregate.members:
        samples = made.now[cell.id].samples
        before, now = np.ones(N, bool), np.ones(N, bool)
        lost, won = np.split(random.permutation(N)[:16], [12])
        now[lost], before[won] = False, False
        made.now[cell.id], made.before[cell.id] = results(samples, now), results(samples, before)
        flips = compare(samples.labels, made.before[cell.id].predicted, made.now[cell.id].predicted)
        golden = GoldenEvidence("latest", flips, None, N, int(before.sum()), "2026-01-01", "cpu", "1", "")
        evidence = Evidence(N, int(now.sum()), goldens={"latest": golden}, family=made.plan.family["a"])
        verdicts.add(str(judge(evidence, cell.thresholds, Gate()).verdict))
    assert verdicts == {"INCONCLUSIVE"}
    report = made.judge()
    assert verdict(report) == ("REGRESSED", True)
    assert "+0.0080 vs golden" in report["headline"]
