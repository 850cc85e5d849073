from __future__ import annotations

from pathlib import Path

import pytest

from pytest_robust.spec.mce import IMAGENET_C
from pytest_robust.spec.plan import AggregatePlan, Plan
from tests.spec.conftest import Load, Refuse

KINDS = (
    "mce, mean_error, ice, group_means, trend, monotone, worst_class, phase_reliance, scores, compare,"
    " error_reduction, uniqueness, transfer, pareto and clever"
)

HEAD = """\
format: 1
dataset: {source: folder, path: val, geometry: {resize: 256, crop: 224}}
models:
  a: {path: a.onnx}
  b: {path: b.onnx}
  big: {path: c.onnx, geometry: {resize: 320, crop: 288}}
shifts:
  - {suite: imagenet-c, corruptions: [speckle_noise, EVERY]}
  - {name: mild, suite: imagenet-c, corruptions: [fog], severities: [1, 3, 5]}
  - {suite: scaling, multiples: [0.5, 1, 2]}
  - {suite: lp-noise, norms: {inf: [0.1, 0.2, 0.3], 2: [1, 2]}}
  - {suite: words, words: [x, y, z]}
golden: g
""".replace("EVERY", ", ".join(IMAGENET_C))


def by_id(plan: Plan) -> dict[str, AggregatePlan]:
    return {aggregate.id: aggregate for aggregate in plan.aggregates}


def members(aggregate: AggregatePlan) -> list[str]:
    return [cell.id for cell in aggregate.members]


def test_mce_against_alexnet_takes_the_75_cells_of_models_on_its_canvas(load: Load) -> None:
    plan = load(
        HEAD + "aggregates:\n  - {mce: {suite: imagenet-c, reference: alexnet}, max: 0.8, max_regression: 0.005}\n"
    )
    found = by_id(plan)
    assert list(found) == ["a::imagenet-c.mce", "b::imagenet-c.mce"]
    mce = found["a::imagenet-c.mce"]
    assert members(mce) == [f"a::imagenet-c.{shift}-{severity}" for shift in IMAGENET_C for severity in range(1, 6)]
    assert (mce.kind, mce.models, mce.limits, mce.level) == (
        "mce",
        ("a",),
        {"max": 0.8, "max_regression": 0.005},
        "block",
    )
    assert mce.options == {"suite": "imagenet-c", "entry": "imagenet-c", "reference": "alexnet", "left_out": ["big"]}
    assert str(mce.mark) == "spec.yaml:15:5"
    assert plan.family == {"a": 1, "b": 1, "big": 0}


def test_mce_against_a_model_takes_its_cells_too(load: Load) -> None:
    plan = load(HEAD + "aggregates: [{mce: {suite: imagenet-c, entry: mild, reference: b}, max: 1, level: warn}]\n")
    found = by_id(plan)
    assert list(found) == ["a::mild.mce", "big::mild.mce"]
    assert members(found["big::mild.mce"]) == [
        f"{model}::mild.fog-{level}" for model in ("big", "b") for level in (1, 3, 5)
    ]
    assert found["a::mild.mce"].options == {"suite": "imagenet-c", "entry": "mild", "reference": "b", "left_out": []}
    assert found["a::mild.mce"].level == "warn"


def test_mce_of_named_models_and_a_name_of_its_own(load: Load) -> None:
    plan = load(HEAD + "aggregates: [{name: n, mce: {suite: lp-noise, reference: a, model: [big, b]}, max: 2}]\n")
    assert [aggregate.id for aggregate in plan.aggregates] == ["big::n", "b::n"]
    assert plan.aggregates[0].options == {"suite": "lp-noise", "entry": "lp-noise", "reference": "a"}


def test_trend_is_one_per_model_over_clean_and_the_severities(load: Load) -> None:
    plan = load(HEAD + "aggregates: [{trend: {suite: scaling, mode: down_up}, min_spearman: 0.8, min_pearson: -1}]\n")
    found = by_id(plan)
    assert list(found) == [f"{model}::scaling.down_up.trend" for model in ("a", "b", "big")]
    trend = found["b::scaling.down_up.trend"]
    assert members(trend) == ["b::clean", *(f"b::scaling.down_up-{m}" for m in ("0.5", "1", "2"))]
    assert trend.limits == {"min_spearman": 0.8, "min_pearson": -1}
    assert trend.options == {"suite": "scaling", "entry": "scaling", "shift": "down_up", "left_out": []}


def test_trend_of_one_shift_of_several(load: Load) -> None:
    plan = load(HEAD + "aggregates: [{trend: {suite: lp-noise, shift: linf, model: a}, min_pearson: 0.5}]\n")
    (trend,) = plan.aggregates
    assert trend.id == "a::lp-noise.linf.trend"
    assert [cell.shift.severity for cell in trend.members] == [None, 0.1, 0.2, 0.3]


def test_compare_is_one_over_two_models_and_tells_geometries_apart(load: Load) -> None:
    text = """\
aggregates:
  - {compare: {model: big, against: a, suite: scaling}, min_gain: -0.1, max_clean_loss: 0.01}
  - {name: bc, compare: {model: b, against: a, suite: scaling}, min_gain: 0}
"""
    found = by_id(load(HEAD + text))
    assert list(found) == ["_all::scaling.compare", "_all::bc"]
    compare = found["_all::scaling.compare"]
    assert compare.models == ("big", "a")
    assert members(compare) == [
        f"{model}::{key}"
        for model in ("big", "a")
        for key in ("clean", "scaling.down_up-0.5", "scaling.down_up-1", "scaling.down_up-2")
    ]
    assert compare.limits == {"min_gain": -0.1, "max_clean_loss": 0.01}
    assert (compare.options["same_geometry"], found["_all::bc"].options["same_geometry"]) == (False, True)


def test_compare_over_natural_shifts_takes_them_all(load: Load) -> None:
    naturals = "".join(f"  - {{name: {name}, dataset: {{source: npz, path: {name}.npz}}}}\n" for name in ("s", "t"))
    text = (
        HEAD.replace("golden: g\n", naturals)
        + "aggregates: [{compare: {model: a, against: b, suite: natural}, min_gain: 0}]\n"
    )
    (compare,) = load(text).aggregates
    assert compare.id == "_all::natural.compare"
    assert members(compare) == [f"{m}::{key}" for m in "ab" for key in ("clean", "s.natural", "t.natural")]


def test_models_without_any_of_the_cells_are_left_out(load: Load) -> None:
    text = "exclude: [{model: b, suite: scaling}]\naggregates: [{trend: {suite: scaling}, min_spearman: 0.5}]\n"
    plan = load(HEAD + text)
    assert [aggregate.models for aggregate in plan.aggregates] == [("a",), ("big",)]
    assert plan.aggregates[0].options["left_out"] == ["b"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("^{max: 1}", f"a row of `aggregates` has one of {KINDS}, not none of them"),
        (
            "^{trnd: {suite: scaling}, min_pearson: 0}",
            f"a row of `aggregates` has one of {KINDS}, not none of them, did you mean 'trend'?",
        ),
        ("^mce", f"a row of `aggregates` has one of {KINDS}, not 'mce'"),
        ("^{mce: {}, trend: {}}", f"a row of `aggregates` has one of {KINDS}, not mce and trend"),
        ("^{mce: {suite: imagenet-c, reference: alexnet}}", "this row sets no limit; give max or max_regression"),
        ("{mce: {suite: imagenet-c, reference: alexnet}, max: ^80}", "`max` must be between 0 and 10, not 80"),
        ("{mce: {suite: imagenet-c, reference: alexnet}, ^min_gain: 0}", "unknown key 'min_gain'"),
        ("{^mce: {suite: imagenet-c}, max: 1}", "the key 'reference' is missing"),
        ("{mce: {suite: imagenet-c, reference: ^alexnit}, max: 1}", "no reference 'alexnit', did you mean 'alexnet'?"),
        (
            "{mce: {suite: ^imagenet, reference: a}, max: 1}",
            "no suite 'imagenet' in this spec, did you mean 'imagenet-c'?",
        ),
        ("{mce: {suite: ^clean, reference: a}, max: 1}", "an aggregate needs shifted images"),
        ("{mce: {suite: scaling, reference: ^a, model: [a, b]}, max: 1}", "'a' cannot be the reference of itself"),
        (
            "{mce: {suite: imagenet-c, entry: ^mid, reference: a}, max: 1}",
            "no entry 'mid' of the suite 'imagenet-c', did you mean 'mild'?",
        ),
        (
            "{mce: {suite: imagenet-c, reference: alexnet, ^model: big}, max: 1}",
            "the errors of alexnet hold for a canvas of 224: 'big' needs `geometry: {crop: 224}`",
        ),
        (
            "{mce: {suite: imagenet-c, reference: alexnet, model: ^bg}, max: 1}",
            "no model 'bg' in this spec, did you mean 'big'",
        ),
        (
            "{mce: ^{suite: words, reference: a}, max: 1}",
            "mce needs shifts with severities that are numbers; those of 'words'",
        ),
        ("{trend: {suite: scaling}, min_spearman: ^2}", "`min_spearman` must be between -1 and 1, not 2"),
        (
            "{trend: {suite: scaling, mode: ^down_upp}, min_spearman: 0}",
            "no shift 'down_upp' in 'scaling', did you mean 'down_up'",
        ),
        (
            "{trend: {suite: scaling, ^mode: down_up, shift: down_up}, min_spearman: 0}",
            "`mode` and `shift` mean the same",
        ),
        (
            "{trend: ^{suite: lp-noise}, min_spearman: 0}",
            "'lp-noise' has several shifts (linf, l2); choose one by `shift:`",
        ),
        (
            "{trend: ^{suite: lp-noise, shift: l2}, min_spearman: 0}",
            "trend needs at least 3 severities that are numbers; 'lp-noise.l2' has 2",
        ),
        (
            "{trend: ^{suite: words}, min_spearman: 0}",
            "trend needs at least 3 severities that are numbers; 'words.word' has 0",
        ),
        ("{compare: {model: a, against: ^a, suite: scaling}, min_gain: 0}", "'a' is compared with itself"),
        ("{compare: {model: a, against: ^c, suite: scaling}, min_gain: 0}", "no model 'c' in this spec"),
        (
            "{name: ^_x, compare: {model: a, against: b, suite: scaling}, min_gain: 0}",
            "`name` must be a name of letters",
        ),
        (
            "^{name: scaling.down_up-2, trend: {suite: scaling}, min_pearson: 0}",
            "the name 'scaling.down_up-2' is already used by line 10",
        ),
    ],
)
def test_wrong_rows(row: str, message: str, refuse: Refuse) -> None:
    refuse(f"{HEAD}aggregates:\n- {row}\n", message)


def test_a_suite_of_several_entries_none_of_its_own_name(refuse: Refuse) -> None:
    text = HEAD.replace("{suite: imagenet-c, corr", "{name: all, suite: imagenet-c, corr")
    refuse(
        text + "aggregates: [{mce: ^{suite: imagenet-c, reference: a}, max: 1}]\n",
        "the suite 'imagenet-c' has several entries (all, mild); choose one by `entry:`",
    )


def test_alexnet_says_what_is_missing(refuse: Refuse) -> None:
    some = [shift for shift in IMAGENET_C if shift not in ("frost", "snow")]
    text = HEAD.replace(", ".join(IMAGENET_C), ", ".join(some))
    row = "aggregates: [{mce: ^{suite: imagenet-c, reference: alexnet}, max: 1}]\n"
    refuse(
        text + row,
        "mce with the reference alexnet needs the 15 corruptions of ImageNet-C at severities 1 to 5; missing:"
        " snow; frost",
    )
    fewer = HEAD.replace("  - {suite: imagenet-c,", "  - {suite: imagenet-c, severities: [1, 2, 4],")
    refuse(
        fewer + row,
        "mce with the reference alexnet needs the 15 corruptions of ImageNet-C at severities 1 to 5; missing:"
        " gaussian_noise at 3, 5; shot_noise at 3, 5;",
    )


@pytest.mark.parametrize(
    ("dataset", "problem"),
    [
        ("{geometry: {crop: 224}}", "and this data set has 10"),
        ("{source: npz, path: x, classes: [a, b], geometry: {crop: 224}}", "and this data set has 2"),
        ("{source: npz, path: x, classes: 100, geometry: {crop: 224}}", "and this data set has 100"),
    ],
)
def test_alexnet_knows_the_classes_of_imagenet_only(dataset: str, problem: str, load: Load, refuse: Refuse) -> None:
    old = "{source: folder, path: val, geometry: {resize: 256, crop: 224}}"
    row = "aggregates: [{mce: {suite: imagenet-c, reference: ^alexnet}, max: 1}]\n"
    refuse(
        HEAD.replace(old, dataset) + row,
        f"the errors of alexnet hold for the 1000 classes of ImageNet, {problem}; name a model of",
    )
    thousand = HEAD.replace(old, "{source: npz, path: x, classes: 1000, geometry: {crop: 224}}")
    assert load(thousand + row.replace("^", "")).aggregates


def test_alexnet_needs_some_model_on_its_canvas(refuse: Refuse) -> None:
    text = HEAD.replace("geometry: {resize: 256, crop: 224}", "geometry: {crop: 200}")
    refuse(
        text + "aggregates: [{mce: ^{suite: imagenet-c, reference: alexnet}, max: 1}]\n",
        "the errors of alexnet hold for a canvas of 224: 'a', 'b', 'big' needs",
    )


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        (
            "{mce: ^{suite: imagenet-c, reference: alexnet}, max: 1}",
            ["'a' lacks imagenet-c.fog-3, which `exclude` takes away"],
        ),
        (
            "{mce: ^{suite: imagenet-c, reference: a}, max: 1}",
            ["'a' lacks imagenet-c.fog-3, which `exclude` takes away"],
        ),
        ("{compare: ^{model: b, against: a, suite: imagenet-c}, min_gain: 0}", ["'a' lacks imagenet-c.fog-3, which"]),
        (
            "{trend: ^{suite: imagenet-c, shift: fog}, min_pearson: 0}",
            ["'a' lacks imagenet-c.fog-3, which `exclude` takes"],
        ),
        ("{trend: ^{suite: scaling}, min_pearson: 0}", ["no model is measured on these shifts"]),
    ],
)
def test_cells_that_exclude_took_away(row: str, messages: list[str], refuse: Refuse) -> None:
    exclude = "exclude: [{model: a, entry: imagenet-c, shift: fog, severity: 3}, {suite: scaling}]\n"
    refuse(f"{HEAD}{exclude}aggregates: [{row}]\n", *messages)


def test_a_golden_limit_needs_a_golden(refuse: Refuse, load: Load) -> None:
    text = HEAD.replace("golden: g\n", "aggregates: [{mce: {suite: scaling, reference: a}, ^max_regression: 0.1}]\n")
    refuse(text, "`max_regression` needs a golden to compare with")
    assert load(text.replace("^", ""), golden=Path("g")).family == {"a": 0, "b": 1, "big": 1}


def test_names_are_unique_per_model(refuse: Refuse, load: Load) -> None:
    row = "{trend: {suite: scaling}, min_pearson: 0}"
    refuse(
        f"{HEAD}aggregates:\n  - {row}\n  - ^{row}\n",
        "the name 'scaling.down_up.trend' is already used by line 15; give",
    )
    apart = row.replace("scaling}", "scaling, model: MODEL}")
    two = [apart.replace("MODEL", model) for model in ("a", "b")]
    assert len(load(f"{HEAD}aggregates: [{', '.join(two)}]\n").aggregates) == 2
