"""The kinds of aggregates that a spec can ask for, beside those of tests/spec."""

from __future__ import annotations

import json

import jsonschema
import pytest

from pytest_robust.spec.catalog import Catalog
from pytest_robust.spec.mce import IMAGENET_C
from pytest_robust.spec.schema import json_schema
from tests.spec.conftest import Load, Refuse
from tests.spec.test_aggregates import HEAD, by_id, members
from tests.spec.test_schema import document

NATURAL = """\
format: 1
models: {a: {path: a.onnx}, b: {path: b.onnx}}
shifts:
  - {name: s, dataset: {source: npz, path: s.npz}}
  - {name: t, dataset: {source: npz, path: t.npz}}
"""


def test_relative_mce_takes_the_clean_cells_too(load: Load) -> None:
    text = HEAD + "aggregates: [{mce: {suite: imagenet-c, reference: alexnet, relative: true, model: a}, max: 1}]\n"
    (relative,) = load(text).aggregates
    assert relative.id == "a::imagenet-c.relative_mce"
    assert members(relative)[0] == "a::clean"
    assert len(relative.members) == 76
    assert relative.options["relative"] is True
    row = "{mce: {suite: imagenet-c, entry: mild, reference: b, relative: true, model: a}, max: 1}"
    (beside,) = load(f"{HEAD}aggregates: [{row}]\n").aggregates
    keys = ["clean", *(f"mild.fog-{level}" for level in (1, 3, 5))]
    assert members(beside) == [f"{model}::{key}" for model in "ab" for key in keys]


def test_plain_and_relative_mce_stand_side_by_side(load: Load) -> None:
    rows = "".join(
        f"  - {{mce: {{suite: imagenet-c, reference: alexnet, relative: {relative}}}, max: 1}}\n"
        for relative in ("true", "false")
    )
    assert len(load(f"{HEAD}aggregates:\n{rows}").aggregates) == 4


def test_mean_error_over_a_suite(load: Load) -> None:
    text = HEAD + "aggregates: [{mean_error: {suite: imagenet-c}, max: 0.5, max_regression: 0.01}]\n"
    plan = load(text)
    found = by_id(plan)
    assert list(found) == [f"{model}::imagenet-c.mean_error" for model in ("a", "b", "big")]
    first = found["a::imagenet-c.mean_error"]
    assert len(first.members) == 80
    assert first.limits == {"max": 0.5, "max_regression": 0.01}
    assert first.options == {"entry": "imagenet-c", "left_out": []}
    assert plan.family == {"a": 1, "b": 1, "big": 1}


def test_mean_error_without_noise(load: Load) -> None:
    noise = [name for name in (*IMAGENET_C, "speckle_noise") if name.endswith("_noise")]
    row = f"{{mean_error: {{suite: imagenet-c, without: [{', '.join(noise)}], model: b}}, max: 1}}"
    (mean,) = load(f"{HEAD}aggregates: [{row}]\n").aggregates
    assert len(mean.members) == 60
    assert not any("noise" in cell.shift.shift for cell in mean.members)
    assert mean.options == {"entry": "imagenet-c", "without": noise}


def test_entries_of_several_suites_together(load: Load) -> None:
    row = "{mean_error: {entry: [scaling, lp-noise], model: a}, max: 1}"
    (mean,) = load(f"{HEAD}aggregates: [{row}]\n").aggregates
    assert mean.id == "a::scaling-lp-noise.mean_error"
    assert len(mean.members) == 3 + 5
    (one,) = load(f"{HEAD}aggregates: [{{mean_error: {{entry: mild, model: a}}, max: 1}}]\n").aggregates
    assert members(one) == [f"a::mild.fog-{level}" for level in (1, 3, 5)]


def test_natural_shifts_share_a_shift_and_no_images(load: Load) -> None:
    for row in ("{mean_error: {suite: natural, model: a}, max: 1}", "{mean_error: {entry: [s, t], model: a}, max: 1}"):
        (mean,) = load(f"{NATURAL}aggregates: [{row}]\n").aggregates
        assert members(mean) == ["a::s.natural", "a::t.natural"]


def test_ice_takes_clean_and_the_entry(load: Load) -> None:
    row = "{ice: {entry: mild}, max: -0.05, max_regression: 0.1}"
    plan = load(f"{HEAD}aggregates: [{row}]\n")
    found = by_id(plan)["b::mild.ice"]
    assert members(found) == ["b::clean", *(f"b::mild.fog-{level}" for level in (1, 3, 5))]
    assert found.limits == {"max": -0.05, "max_regression": 0.1}
    assert plan.family["b"] == 1


def test_monotone_is_a_ladder_with_an_allowance(load: Load) -> None:
    rows = """\
aggregates:
  - {monotone: {suite: scaling, mode: down_up, allowance: 0.01, model: a}}
  - {monotone: {suite: lp-noise, shift: l2, model: a}, level: warn}
"""
    first, second = load(HEAD + rows).aggregates
    assert (first.id, first.limits) == ("a::scaling.down_up.monotone", {"allowance": 0.01})
    assert members(first) == ["a::clean", *(f"a::scaling.down_up-{m}" for m in ("0.5", "1", "2"))]
    assert (second.id, second.limits, second.level) == ("a::lp-noise.l2.monotone", {"allowance": 0.0}, "warn")
    assert len(second.members) == 3


def test_worst_class(load: Load) -> None:
    (worst,) = load(HEAD + "aggregates: [{worst_class: {entry: mild, model: a}, min: 0.2}]\n").aggregates
    assert (worst.id, worst.limits, len(worst.members)) == ("a::mild.worst_class", {"min": 0.2}, 3)


def test_models_without_the_cells_are_left_out(load: Load) -> None:
    text = "exclude: [{model: b, entry: mild}]\naggregates: [{ice: {entry: mild}, max: 1}]\n"
    plan = load(HEAD + text)
    assert [aggregate.models for aggregate in plan.aggregates] == [("a",), ("big",)]
    assert plan.aggregates[0].options["left_out"] == ["b"]


def test_a_profile_that_takes_a_cell_takes_the_aggregate(load: Load) -> None:
    text = (
        HEAD
        + "profiles: {quick: {severities: 3}}\n"
        + "aggregates: [{mean_error: {entry: mild}, max: 1}, {worst_class: {entry: mild}, min: 0.1}]\n"
    )
    assert len(load(text).aggregates) == 6
    assert load(text, profile="quick").aggregates == ()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("^{mean_error: {suite: scaling}}", "this row sets no limit; give max or max_regression"),
        ("{mean_error: ^{model: a}, max: 1}", "this row says neither `suite` nor `entry`; give one"),
        ("{mean_error: {suite: ^scalin}, max: 1}", "no suite 'scalin' in this spec, did you mean 'scaling'?"),
        ("{mean_error: {suite: ^clean}, max: 1}", "an aggregate needs shifted images"),
        ("{mean_error: {entry: ^milt}, max: 1}", "no entry 'milt' in `shifts`, did you mean 'mild'?"),
        ("{mean_error: {entry: ^clean}, max: 1}", "no entry 'clean' in `shifts`"),
        (
            "{mean_error: {suite: scaling, entry: ^mild}, max: 1}",
            "no entry 'mild' of the suite 'scaling'",
        ),
        (
            "{mean_error: {entry: ^[imagenet-c, mild]}, max: 1}",
            "imagenet-c.fog-1 and mild.fog-1 are the same images, and would count twice; keep one",
        ),
        (
            "{mean_error: {entry: mild, without: ^fgo}, max: 1}",
            "no shift 'fgo' in 'mild', did you mean 'fog'?",
        ),
        ("{mean_error: {entry: mild, without: ^fog}, max: 1}", "nothing is left of 'mild' without these shifts"),
        ("{mean_error: {entry: mild}, max: ^1.5}", "`max` must be between 0 and 1, not 1.5"),
        ("{mean_error: {entry: mild, ^relative: true}, max: 1}", "unknown key 'relative'"),
        ("{ice: {entry: mild, ^without: fog}, max: 1}", "unknown key 'without'"),
        ("^{ice: {entry: mild}}", "this row sets no limit; give max or max_regression"),
        ("^{worst_class: {entry: mild}}", "this row sets no limit; give min or max_regression"),
        ("{worst_class: {entry: mild, model: ^c}, min: 0.1}", "no model 'c' in this spec"),
        (
            "{monotone: ^{suite: words}}",
            "monotone needs at least 2 severities that are numbers; 'words.word' has 0",
        ),
        ("{monotone: ^{suite: lp-noise}}", "'lp-noise' has several shifts (linf, l2); choose one by `shift:`"),
        ("{monotone: {suite: scaling, allowance: ^2}}", "`allowance` must be between 0 and 1, not 2"),
        ("{monotone: {suite: scaling}, ^max: 1}", "unknown key 'max'"),
        ("{mce: {suite: scaling, reference: b, relative: ^1}, max: 1}", "`relative` must be true or false, not 1"),
    ],
)
def test_wrong_rows(row: str, message: str, refuse: Refuse) -> None:
    refuse(f"{HEAD}aggregates:\n- {row}\n", message)


@pytest.mark.parametrize("kind", ["mean_error", "ice"])
def test_a_golden_limit_needs_a_golden(kind: str, refuse: Refuse) -> None:
    text = HEAD.replace("golden: g\n", f"aggregates: [{{{kind}: {{entry: mild}}, ^max_regression: 0.1}}]\n")
    refuse(text, "`max_regression` needs a golden to compare with")


def test_editors_know_the_rows(catalog: Catalog) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(json.dumps(json_schema(catalog))))
    rows = [
        "{mean_error: {entry: [a, b], without: fog}, max: 0.5}",
        "{ice: {entry: mild}, max_regression: 0.1}",
        "{monotone: {suite: scaling, allowance: 0.01}}",
        "{worst_class: {suite: scaling}, min: 0.1}",
        "{mce: {suite: imagenet-c, reference: alexnet, relative: true}, max: 1}",
        "{worst_class: {suite: scaling}, max_regression: 0.1, against: [latest, anchor]}",
        "{monotone: {suite: scaling}, max_regression: 0.1, against: anchor}",
        "{trend: {suite: scaling}, max_regression: 0.1}",
        "{group_means: {suite: si-score, shift: [size, location]}, min: 0.5}",
        "{phase_reliance: {suite: fourier}, min: 0, max: 0.5}",
        "{scores: {metric: top5_error, suite: clean}, max: 0.1}",
        "{error_reduction: {model: a, against: b, suite: scaling}, min: -0.1}",
        "{compare: {model: a, against: b, suite: scaling}, max_regression: 0.1}",
    ]
    for row in rows:
        validator.validate(document(f"{HEAD}aggregates: [{row}]\n"))
    for row in ("{mean_error: {entry: a}}", "{worst_class: {suite: s}}", "{monotone: {suite: s}, max: 1}"):
        assert not validator.is_valid(document(f"{HEAD}aggregates: [{row}]\n"))
    for row in (
        "{scores: {metric: ece, suite: s}, max: 1, max_regression: 0.1}",
        "{scores: {metric: acc, suite: s}, max: 1}",
        "{phase_reliance: {suite: s}}",
        "{group_means: {suite: s}, min: 2}",
        "{trend: {suite: s}, max_regression: 0.1, against: newest}",
    ):
        assert not validator.is_valid(document(f"{HEAD}aggregates: [{row}]\n"))
