"""Rows that limit attacks, and rows over one attack of several models."""

from __future__ import annotations

import jsonschema
import pytest

from pytest_robust.registry import default_registry
from pytest_robust.spec.attack_limits import source_of
from pytest_robust.spec.catalog import Catalog
from pytest_robust.spec.loader import load as load_yaml
from pytest_robust.spec.plan import AggregatePlan, CellPlan, Plan
from pytest_robust.spec.problems import Problems
from pytest_robust.spec.schema import json_schema
from tests.spec.conftest import Load, Refuse

HEAD = """\
format: 1
dataset: {source: digits}
models:
  a: {path: a.onnx}
  b: {path: b.onnx}
  c: {path: c.onnx}
shifts:
  - {name: pgd, suite: adversarial, attack: pgd, source: each, epsilons: [0.02, 0.1]}
  - {name: cw, suite: adversarial, attack: cw}
  - {name: from-a, suite: adversarial, attack: fgsm, source: a}
  - {name: top2, suite: adversarial, attack: fgsm, source: each, targeted: top2}
  - {suite: imagenet-c, corruptions: [fog], severities: [1]}
"""


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return default_registry().catalog()


def limits(cell: CellPlan) -> list[dict[str, object]]:
    keys = ("min_accuracy", "max_success_rate", "min_distortion", "max_transfer")
    return [{key: value for key in keys if (value := getattr(row, key)) is not None} for row in cell.thresholds]


def aggregate(plan: Plan) -> AggregatePlan:
    (found,) = plan.aggregates
    return found


def test_the_source_of_a_cell(load: Load) -> None:
    plan = load(HEAD)
    for cell in plan.cells:
        wanted = None
        if cell.shift.suite == "adversarial":
            wanted = cell.key.partition(".from_")[2].partition("-")[0] or cell.model.name
        assert source_of(cell.shift, cell.model.name) == wanted, cell.id


def test_each_limit_applies_where_it_says_something(load: Load) -> None:
    rows = """\
thresholds:
  - {where: {entry: pgd}, max_transfer: 0.5, max_success_rate: 0.9, min_distortion: {l2: 0.5, linf: 0.01}}
  - {where: {entry: from-a}, max_transfer: 0.2, min_accuracy: 0.1}
"""
    plan = load(HEAD + rows)
    own = {"max_success_rate": 0.9, "min_distortion": (("linf", 0.01), ("l2", 0.5))}
    assert limits(plan.cell["a", "pgd.pgd_linf.from_a-0.02"]) == [own]
    assert limits(plan.cell["b", "pgd.pgd_linf.from_a-0.1"]) == [{"max_transfer": 0.5}]
    assert limits(plan.cell["a", "from-a.fgsm_linf.from_a-0.03"]) == [{"min_accuracy": 0.1}]
    assert limits(plan.cell["c", "from-a.fgsm_linf.from_a-0.03"]) == [{"min_accuracy": 0.1, "max_transfer": 0.2}]
    assert limits(plan.cell["a", "cw.cw-0"]) == []
    assert plan.family == {"a": 0, "b": 0, "c": 0}, "these limits need no golden"


def test_limits_of_attacks_are_refused_where_there_is_none(refuse: Refuse) -> None:
    rows = """\
thresholds:
  - {^max_success_rate: 0.8}
  - {where: {suite: imagenet-c}, ^min_distortion: {l2: 1}}
  - {where: {entry: cw}, ^max_transfer: 0.5}
  - {where: {entry: from-a, model: [b, c]}, ^max_success_rate: 0.5, ^min_distortion: {l1: 1}}
  - {where: {entry: from-a, model: a}, ^max_transfer: 0.5}
"""
    other = "and this row also matches {}; choose attacks alone by where: {{suite: adversarial}}"
    refuse(
        HEAD + rows,
        "`max_success_rate` limits attacks, " + other.format("clean"),
        "`min_distortion` limits attacks, " + other.format("imagenet-c.fog-1"),
        "`max_transfer` limits attacks on other models, and this row matches none; use max_success_rate",
        "`max_success_rate` limits attacks on the model itself, and this row matches none; use max_transfer",
        "`min_distortion` limits attacks on the model itself, and this row matches none; use max_transfer",
        "`max_transfer` limits attacks on other models, and this row matches none; use max_success_rate",
    )


def test_values_of_the_limits(refuse: Refuse) -> None:
    rows = """\
thresholds:
  - {where: {entry: cw}, max_success_rate: ^80}
  - {where: {entry: cw}, min_distortion: {^l3: 1}}
  - {where: {entry: cw}, min_distortion: {l2: ^0}}
  - {where: {entry: cw}, ^min_distortion: {}}
  - {where: {entry: cw}, min_distortion: {l2: ^null}}
  - {where: {entry: cw}, min_distortion: {^linf: 8, l1: 500}}
  - {where: {entry: cw}, min_distortion: {^linf: 800}}
  - {where: {entry: cw}, min_distortion: {linf: 1, ^l2: 30000}}
  - {where: {entry: pgd}, max_transfer: ^-1}
"""
    refuse(
        HEAD + rows,
        "`max_success_rate` must be between 0 and 1, not 80; it is a fraction, so write 80 % as 0.8",
        "unknown key 'l3' (known: l0, l1, l2, linf)",
        "`l2` must be above 0, not 0",
        "`min_distortion` names no norm; write it as {l2: 0.5}",
        "`l2` has no value; give one or remove the key",
        "`linf` 8 is above 1, and pixels count from 0 to 1: write 8 grey levels as 0.031",
        "`linf` 800 is above 1, and pixels count from 0 to 1: write 8 grey levels as 0.031",
        "`l2` 30000 is more than an image of up to 32x32 pixels can change by, which is 55.4256: pixels count",
        "`max_transfer` must be between 0 and 1, not -1",
    )


def test_one_expectation_speaks_of_one_norm(load: Load, refuse: Refuse) -> None:
    row = "thresholds:\n  - {where: {entry: cw}, min_distortion: {l2: 0.5, linf: 0.01}, ^expect: {fails: known}}\n"
    refuse(
        HEAD + row,
        "`expect` speaks of one limit; give min_distortion.linf and min_distortion.l2 rows of their own",
    )
    load(HEAD + row.replace("^", "").replace(", linf: 0.01", ""))


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("^linf: 1.01", "`linf` 1.01 is above 1"),
        ("^l2: 20", "`l2` 20 is more than an image of up to 10x10 pixels can change by, which is 17.3205"),
        ("^l1: 300.5", "`l1` 300.5 is more than an image of up to 10x10"),
        ("^l0: 301", "`l0` 301 is more than"),
    ],
)
def test_a_distortion_that_no_canvas_can_reach(load: Load, refuse: Refuse, limit: str, message: str) -> None:
    head = HEAD.replace("{path: a.onnx}", "{path: a.onnx, geometry: {crop: 10}}")
    row = "thresholds:\n  - {{where: {{entry: cw, model: {}}}, min_distortion: {{{}}}}}\n"
    refuse(head + row.format("a", limit), message)
    load(head + row.format("a", "linf: 1, l2: 17.3, l1: 300, l0: 300"))
    if "linf" not in limit:
        load(head + row.format("[a, b]", limit.replace("^", "")))


@pytest.mark.parametrize(
    ("data", "geometry", "most"),
    [
        ("{source: digits}", "{}", 32),
        ("{source: digits}", "{resize: 48}", 48),
        ("{source: digits}", "{resize: 48, crop: 40}", 40),
        ("{source: npz, path: x}", "{crop: 40}", 40),
        ("{source: npz, path: x}", "{resize: 48}", None),
        ("{source: npz, path: x}", "{}", None),
    ],
)
def test_a_budget_that_no_canvas_has_is_refused_where_the_size_is_known(
    load: Load, refuse: Refuse, data: str, geometry: str, most: int | None
) -> None:
    spec = f"format: 1\ndataset: {data}\nmodels:\n  a: {{path: a.onnx, geometry: {geometry}}}\nshifts:\n  - %s\n"
    values = 3 * (most or 10000) ** 2
    for norm, largest in ((2, values**0.5), (1, values)):
        entry = f"{{suite: adversarial, attack: %s, norm: {norm}, %s: %s}}"
        load(spec % entry % ("fgsm", "epsilons", [largest]))
        load(spec % entry % ("budget", "start", largest))
        for attack, key, name in (
            ("fgsm", "epsilons", "epsilon"),
            ("square", "epsilons", "epsilon"),
            ("budget", "start", "start"),
            ("ifgsm", "step", "step"),
        ):
            if (attack, norm) == ("square", 1):
                continue
            value = largest * 1.001
            wrong = spec % entry % (attack, key, [0.5, value] if key == "epsilons" else value)
            if most is None:
                load(wrong)
                continue
            hint = ", or set units: levels" if key == "epsilons" else ""
            refuse(
                wrong.replace("- {", "- ^{"),
                f"the l{norm} {name} {value:g} is outside 0 to {largest:g}: pixels count from 0 to 1, and no change of "
                f"{values} pixel values is larger; lower it for canvases of {most}x{most} pixels{hint}",
            )


def test_a_budget_is_held_against_the_canvas_of_its_source(load: Load, refuse: Refuse) -> None:
    spec = """\
format: 1
dataset: {source: npz, path: x}
models:
  small: {path: a.onnx, geometry: {crop: 8}}
  large: {path: b.onnx, geometry: {crop: 80}}
shifts:
  - {name: one, suite: adversarial, attack: fgsm, norm: 2, epsilons: [5000], units: levels, source: large,
     size_rule: survey}
  - ^{name: two, suite: adversarial, attack: fgsm, norm: 2, epsilons: [5000], units: levels}
"""
    refuse(spec, "the l2 epsilon 19.6078 is outside 0 to 13.8564: pixels count from 0 to 1, and no change of 192 pixel")
    load(spec.replace("^", "") + "exclude: [{model: small, entry: two}]\n")


def test_a_row_without_any_limit_names_them_all(refuse: Refuse) -> None:
    refuse(
        HEAD + "thresholds:\n  - ^{where: {entry: cw}}\n", "this row sets no limit; give one of min_accuracy, max_drop"
    )


def test_transfer_takes_every_pair_of_one_severity(load: Load) -> None:
    found = aggregate(load(HEAD + "aggregates: [{transfer: {entry: pgd, severity: 0.1}, max: 0.5}]\n"))
    assert (found.id, found.models, found.limits) == ("_all::pgd.transfer", ("a", "b", "c"), {"max": 0.5})
    pairs = [f"{target}::pgd.pgd_linf.from_{source}-0.1" for target in "abc" for source in "abc"]
    assert [cell.id for cell in found.members] == pairs
    assert found.options == {"entry": "pgd", "match": "top1", "left_out": []}


def test_transfer_over_some_models_and_from_one_source(load: Load) -> None:
    found = aggregate(load(HEAD + "aggregates: [{transfer: {entry: pgd, severity: 0.1, model: [c, a]}}]\n"))
    assert found.models == ("a", "c")
    assert {cell.id for cell in found.members} == {f"{t}::pgd.pgd_linf.from_{s}-0.1" for t in "ac" for s in "ac"}
    assert "left_out" not in found.options
    found = aggregate(load(HEAD + "aggregates: [{transfer: {entry: from-a}, name: t, level: warn}]\n"))
    assert (found.id, found.models, found.limits, found.level) == ("_all::t", ("a", "b", "c"), {}, "warn")
    assert [cell.model.name for cell in found.members] == ["a", "b", "c"]
    found = aggregate(load(HEAD + "aggregates: [{transfer: {entry: top2, match: top5}, max: 0.5}]\n"))
    assert found.options["match"] == "top5"


def test_pareto_takes_clean_and_the_attacks_of_models_on_themselves(load: Load) -> None:
    text = "aggregates: [{pareto: {entry: cw, norm: l2, model: [a, c]}, min_r2: 0.5, on_frontier: c}]\n"
    found = aggregate(load(HEAD + text))
    assert (found.id, found.models, found.limits) == ("_all::cw.pareto", ("a", "c"), {"min_r2": 0.5})
    assert [cell.id for cell in found.members] == ["a::clean", "a::cw.cw-0", "c::clean", "c::cw.cw-0"]
    assert found.options == {"entry": "cw", "norm": "l2", "on_frontier": "c"}
    assert aggregate(load(HEAD + text.replace("norm: l2", "norm: 2"))).options == found.options
    spelt = aggregate(load(HEAD + "aggregates: [{clever: {model: a, norm: inf}}]\n"))
    assert spelt.options == aggregate(load(HEAD + "aggregates: [{clever: {model: a, norm: linf}}]\n")).options
    of_each = aggregate(load(HEAD + "aggregates: [{pareto: {entry: pgd, severity: 0.02, norm: linf}}]\n"))
    assert [cell.key for cell in of_each.members][1::2] == [f"pgd.pgd_linf.from_{name}-0.02" for name in "abc"]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            "transfer: ^{entry: pgd}",
            "'pgd' has several attacks (pgd.pgd_linf.from_a-0.02, pgd.pgd_linf.from_a-0.1); choose one by `severity:`",
        ),
        (
            "pareto: ^{entry: pgd, norm: l2}",
            "'pgd' has several attacks (pgd.pgd_linf.from_a-0.02, pgd.pgd_linf.from_a-0.1); choose one by `severity:`",
        ),
        ("transfer: {entry: pgd, severity: ^0.03}", "no severity 0.03 in 'pgd'"),
        ("transfer: {entry: ^pgdd}", "no entry 'pgdd' of the suite 'adversarial', did you mean 'pgd'?"),
        (
            "transfer: ^{}",
            "the suite 'adversarial' has several entries (pgd, cw, from-a, top2); choose one by `entry:`",
        ),
        (
            "transfer: ^{entry: cw}",
            "transfer needs images of a model that others are shown; give the entry 'cw' `source: each`",
        ),
        (
            "transfer: {entry: from-a, match: ^top5}",
            "`match: top5` needs a targeted attack; remove it, or give the entry `targeted:`",
        ),
        ("transfer: {entry: from-a, model: ^d}", "no model 'd' in this spec"),
        (
            "pareto: ^{entry: from-a, norm: l2, model: [a, b]}",
            "pareto needs attacks on the models themselves; give the entry 'from-a' `source: self`",
        ),
        (
            "pareto: ^{entry: cw, norm: l2, model: a}",
            "pareto compares models, and there is only one; name more by `model:`",
        ),
        ("pareto: {entry: cw, norm: ^l3}", "`norm` must be 'linf', 'l2', 'l1' or 'l0', not 'l3'"),
        ("^pareto: {entry: cw}", "the key 'norm' is missing"),
        ("pareto: {entry: cw, norm: l2}, on_frontier: ^d", "no model 'd' in this row (known: a, b, c)"),
        (
            "transfer: {entry: from-a}, ^max_regression: 0.1",
            "`transfer` takes no max_regression: goldens do not keep which images were attacked; limit the rate itself",
        ),
        (
            "pareto: {entry: cw, norm: l2}, ^max_regression: 0.1",
            "`pareto` takes no max_regression: goldens do not keep distortions; limit the fit itself by `min_r2`",
        ),
    ],
)
def test_bad_rows(refuse: Refuse, row: str, sentence: str) -> None:
    refuse(f"{HEAD}golden: g\naggregates:\n  - {{{row}}}\n", sentence)


def test_what_is_expected_to_fail_is_one_limit(refuse: Refuse) -> None:
    rows = """\
aggregates:
  - {pareto: {entry: cw, norm: l2}, min_r2: 0.5, on_frontier: a, ^expect: {fails: known}}
  - {name: t, transfer: {entry: from-a}, ^expect: {fails: known}}
"""
    refuse(
        HEAD + rows,
        "`expect` speaks of one limit; give min_r2 and on_frontier rows of their own",
        "`expect` speaks of a limit, and this row sets none; remove it",
    )


def test_attacks_that_exclude_takes_away(refuse: Refuse) -> None:
    text = "exclude: [{model: b, entry: from-a}]\naggregates:\n  - transfer: ^{entry: from-a, model: [a, b, c]}\n"
    refuse(
        HEAD + text,
        "'b' lacks from-a.fgsm_linf.from_a-0.03, which `exclude` takes away; keep them, or choose other models",
    )


def test_editors_know_the_rows(tmp_path, catalog: Catalog) -> None:
    schema = json_schema(catalog)
    rows = """\
thresholds:
  - {where: {entry: cw}, max_success_rate: 0.8, min_distortion: {l2: 0.5}}
  - {where: {entry: pgd}, max_transfer: 0.5}
aggregates:
  - {transfer: {entry: pgd, severity: 0.1, match: top1}, max: 0.5}
  - {pareto: {entry: cw, norm: l2}, min_r2: 0.5, on_frontier: a}
"""
    path = tmp_path / "s.yaml"

    def valid(text: str) -> bool:
        path.write_text(HEAD + text)
        return jsonschema.Draft202012Validator(schema).is_valid(load_yaml(path, Problems("s"))[0].plain())

    assert valid(rows)
    assert not valid(rows.replace("{l2: 0.5}", "{}"))
    assert not valid(rows.replace("{l2: 0.5}", "{l2: 0}"))
    assert valid(rows.replace("norm: l2", "norm: 2"))
    assert not valid(rows.replace("norm: l2", "norm: 3"))
    assert not valid(rows.replace("max: 0.5}", "max: 50}"))
