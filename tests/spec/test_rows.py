"""Selectors, thresholds, exclusions, waivers and profiles."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_robust.errors import RobustError
from pytest_robust.spec.plan import CellPlan, Plan, severity_text
from tests.spec.conftest import Load, Refuse

HEAD = """\
format: 1
models: {a: {path: a.onnx}, b: {path: b.onnx}, old: {path: o.onnx}}
shifts:
  - {suite: imagenet-c, corruptions: [fog, snow]}
  - {name: mild, suite: imagenet-c, corruptions: [fog], severities: [1, 3]}
  - {suite: scaling, multiples: [0.5, 1, 2]}
  - {suite: words, words: [x, "3"]}
  - {name: sketch, dataset: {source: folder, path: s}}
golden: g
"""


def lines(cell: CellPlan) -> list[int]:
    return [row.mark.line for row in cell.thresholds]


def test_every_row_that_matches_applies_in_the_order_of_the_file(load: Load) -> None:
    text = """\
thresholds:
  - {min_accuracy: 0.1}
  - {where: {model: [a, b], suite: imagenet-c, severity: [1, 3.0]}, max_drop: 0.3, level: warn}
  - {where: {entry: mild, model: b}, max_negative_flips: 1}
  - {where: {shift: clean}, min_accuracy: 0.75, max_regression: 0}
  - {where: {suite: natural}, min_accuracy: 0.2}
  - {where: {severity: "3"}, min_accuracy: 0.3}
  - {where: {severity: [2]}, min_accuracy: 0.4}
"""
    plan = load(HEAD + text)
    cell = plan.cell
    assert lines(cell["a", "clean"]) == [11, 14]
    assert lines(cell["a", "imagenet-c.fog-1"]) == [11, 12]
    assert lines(cell["a", "imagenet-c.fog-2"]) == [11, 17]
    assert lines(cell["b", "mild.fog-3"]) == [11, 12, 13]
    assert lines(cell["old", "mild.fog-3"]) == [11]
    assert lines(cell["a", "scaling.down_up-2"]) == [11, 17]
    assert lines(cell["a", "sketch.natural"]) == [11, 15]
    assert lines(cell["a", "words.word-3"]) == [11, 16]
    second = plan.thresholds[1]
    assert (second.max_drop, second.level, second.against, second.min_accuracy) == (0.3, "warn", ("latest",), None)
    assert str(second.mark) == "spec.yaml:12:5"
    assert plan.family == {"a": 1, "b": 1, "old": 1}


def test_a_drop_never_applies_to_clean(load: Load) -> None:
    plan = load(HEAD + "thresholds: [{max_drop: 0.3}, {max_drop: 0.1, min_accuracy: 0.5}]\n")
    (row,) = plan.cell["a", "clean"].thresholds
    assert (row.max_drop, row.min_accuracy) == (None, 0.5)
    assert [row.max_drop for row in plan.cell["a", "mild.fog-1"].thresholds] == [0.3, 0.1]
    assert [row.max_drop for row in plan.thresholds] == [0.3, 0.1]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("^{level: warn}", "this row sets no limit; give one of min_accuracy, max_drop, max_regression"),
        (
            "{min_accuracy: ^75}",
            "`min_accuracy` must be between 0 and 1, not 75; it is a fraction, so write 75 % as 0.75",
        ),
        ("{max_drop: ^-0.1}", "`max_drop` must be between 0 and 1, not -0.1"),
        ("{max_drop: ^true}", "`max_drop` must be a number, not true"),
        ("{max_regression: ^}", "`max_regression` has no value"),
        ("{min_acuracy: 0.5}", ""),
        ("{where: {model: ^c}, min_accuracy: 1}", "no model 'c' in this spec (known: a, b, old)"),
        ("{where: {model: [a, ^olt]}, min_accuracy: 1}", "no model 'olt' in this spec, did you mean 'old'?"),
        (
            "{where: {suite: ^imagenet_c}, min_accuracy: 1}",
            "no suite 'imagenet_c' in this spec, did you mean 'imagenet-c'?",
        ),
        ("{where: {shift: ^fgo}, min_accuracy: 1}", "no shift 'fgo' in this spec, did you mean 'fog'?"),
        ("{where: {entry: ^mildd}, min_accuracy: 1}", "no entry 'mildd' in this spec, did you mean 'mild'?"),
        ("{where: {severity: ^7}, min_accuracy: 1}", "no severity 7 in this spec, did you mean '5'?"),
        ("{where: {severity: [1, ^2.9]}, min_accuracy: 1}", "no severity 2.9 in this spec, did you mean '3'?"),
        ("{where: {severity: ^true}, min_accuracy: 1}", "`severity` must be a number or text, not true"),
        ("{where: {severity: ^}, min_accuracy: 1}", "`severity` has no value"),
        ("{where: {model: ^[]}, min_accuracy: 1}", "`model` must not be empty"),
        ("{where: {model: ^3}, min_accuracy: 1}", "`model` must be text, not 3; put quotes around it"),
        ("{where: {^modle: a}, min_accuracy: 1}", "unknown key 'modle', did you mean 'model'?"),
        ("{where: ^a, min_accuracy: 1}", "`where` must be a mapping, not 'a'"),
        ("{^where: {suite: scaling, shift: fog}, min_accuracy: 1}", "this row matches no cell"),
        ("{where: {suite: clean}, ^max_drop: 0.1}", "`max_drop` is a drop from the clean cell"),
        ("{min_accuracy: 1, ^against: latest}", "`against` chooses a golden, and this row sets neither"),
        ("{max_regression: 0, against: ^anchor}", "there is no anchor to judge against"),
        (
            "{max_regression: 0, against: [latest, ^ancor]}",
            "a value of `against` must be 'latest' or 'anchor', not 'ancor'",
        ),
        ("{max_regression: 0, level: ^wran}", "`level` must be 'block' or 'warn', not 'wran', did you mean 'warn'?"),
    ],
)
def test_wrong_thresholds(row: str, message: str, refuse: Refuse) -> None:
    if "^" not in row:
        row, message = row.replace("min_ac", "^min_ac"), "unknown key 'min_acuracy', did you mean 'min_accuracy'?"
    refuse(f"{HEAD}thresholds:\n- {row}\n", message)


def test_a_wrong_row_hides_no_wrong_name_in_its_where(refuse: Refuse) -> None:
    refuse(
        HEAD
        + "thresholds: [{where: {model: ^c}, min_accuracy: ^2}]\n"
        + "waivers: [^{where: {model: ^d}, owner: me, reason: r}]\n",
        "no model 'c'",
        "`min_accuracy` must be between 0 and 1, not 2",
        "the key 'until' is missing",
        "no model 'd'",
    )


def test_a_golden_row_needs_a_golden(refuse: Refuse, load: Load) -> None:
    text = HEAD.replace("golden: g\n", "") + "thresholds: [{^max_regression: 0.1, ^max_negative_flips: 0.1}]\n"
    refuse(
        text,
        "`max_regression` needs a golden to compare with; say where by `golden: FOLDER`",
        "`max_negative_flips` needs a golden",
    )
    assert load(text.replace("^", ""), golden=Path("g")).thresholds[0].needs_golden


def test_the_anchor_is_there_if_the_spec_names_it(load: Load) -> None:
    text = HEAD.replace("golden: g", "golden: {path: g, anchor: v1}")
    plan = load(text + "thresholds: [{max_regression: 0.1, against: [latest, anchor, latest]}]\n")
    assert plan.thresholds[0].against == ("latest", "anchor")


def test_exclude_takes_cells_and_leaves_clean(load: Load) -> None:
    plan = load(
        HEAD + "exclude: [{model: old}, {model: b, shift: fog, severity: [1, 2]}, {suite: scaling, severity: 1}]\n"
    )
    keys = {name: [cell.key for cell in plan.cells if cell.model.name == name] for name in ("a", "b", "old")}
    assert keys["old"] == ["clean"]
    assert set(keys["a"]) - set(keys["b"]) == {"imagenet-c.fog-1", "imagenet-c.fog-2", "mild.fog-1"}
    assert "scaling.down_up-1" not in keys["a"]
    assert "scaling.down_up-1" not in [shift.label for shift in plan.shifts]
    assert plan.cells[0].key == "clean"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("^{}", "this row would exclude everything"),
        ("^{suite: clean}", "the clean cells cannot be excluded"),
        ("{suite: ^lp-noise}", "no suite 'lp-noise' in this spec"),
        ("^{suite: scaling, shift: fog}", "this row excludes no cell"),
        ("{^where: {suite: scaling}}", "unknown key 'where'"),
    ],
)
def test_wrong_exclusions(row: str, message: str, refuse: Refuse) -> None:
    refuse(f"{HEAD}exclude:\n- {row}\n", message)


def test_a_row_that_only_excluded_cells_match_matches_nothing(refuse: Refuse) -> None:
    rows = "exclude: [{model: old}]\nthresholds: [{^where: {model: old, suite: scaling}, min_accuracy: 0.5}]\n"
    refuse(HEAD + rows, "this row matches no cell")


WAIVER = "until: 2026-06-01, owner: ann, reason: 'new camera'"


def test_waivers_hold_to_their_last_day(load: Load) -> None:
    rows = ("{model: a, suite: scaling}", "{suite: scaling}")
    text = "waivers:\n" + "".join(f"  - {{where: {row}, {WAIVER}}}\n" for row in rows)
    plan = load(HEAD + text)
    waiver = plan.cell["a", "scaling.down_up-2"].waiver
    assert waiver is not None
    assert (waiver.until, waiver.owner, waiver.reason) == ("2026-06-01", "ann", "new camera")
    assert str(waiver.mark) == "spec.yaml:11:5"
    other = plan.cell["b", "scaling.down_up-2"].waiver
    assert other is not None
    assert other.mark.line == 12
    assert plan.cell["a", "clean"].waiver is None
    with pytest.raises(RobustError, match="this waiver of ann ended on 2026-06-01"):
        load(HEAD + text, today=datetime.date(2026, 6, 2))


def test_waivers_of_aggregates(load: Load) -> None:
    text = f"""\
aggregates: [{{trend: {{suite: scaling}}, min_spearman: 0.5}}]
waivers: [{{where: {{aggregate: scaling.down_up.trend, model: [a, old]}}, {WAIVER}}}]
"""
    plan = load(HEAD + text)
    assert {aggregate.models: aggregate.waiver is not None for aggregate in plan.aggregates} == {
        ("a",): True,
        ("b",): False,
        ("old",): True,
    }
    assert all(cell.waiver is None for cell in plan.cells)


@pytest.mark.parametrize(
    ("waiver", "message"),
    [
        ("{where: {model: a}, until: ^2026-05-31, owner: ann, reason: r}", "this waiver of ann ended on 2026-05-31"),
        ("{where: {model: a}, until: ^2026-02-30, owner: ann, reason: r}", "'2026-02-30' is no day of the calendar"),
        (
            "{where: {model: a}, until: ^soon, owner: ann, reason: r}",
            "`until` must be a date such as 2030-01-31, not 'soon'",
        ),
        ("{where: ^{}, until: 2026-07-01, owner: ann, reason: r}", "a waiver says what it excuses"),
        (
            "{^where: {suite: scaling, shift: fog}, until: 2026-07-01, owner: ann, reason: r}",
            "this waiver excuses nothing",
        ),
        ("^{where: {model: a}, until: 2026-07-01, owner: ann}", "the key 'reason' is missing"),
        ("{where: {model: a}, until: 2026-07-01, owner: ann, reason: ^''}", "`reason` must not be empty"),
        ("{where: {aggregate: ^mce}, until: 2026-07-01, owner: ann, reason: r}", "no aggregate 'mce' in this spec"),
        ("{where: {model: ^c, until: 2026-07-01}, owner: ann, reason: r}", ""),
    ],
)
def test_wrong_waivers(waiver: str, message: str, refuse: Refuse) -> None:
    if message:
        refuse(f"{HEAD}waivers:\n- {waiver}\n", message)
    else:
        refuse(
            f"{HEAD}waivers:\n- ^{{where: {{model: a, ^until: 2026-07-01}}, owner: ann, reason: r}}\n",
            "the key 'until' is missing",
            "unknown key 'until'",
        )


def test_aggregate_and_cell_keys_do_not_mix(refuse: Refuse) -> None:
    text = """\
aggregates: [{trend: {suite: scaling}, min_spearman: 0.5}]
waivers: [{where: {aggregate: scaling.down_up.trend, ^suite: scaling}, until: 2026-07-01, owner: a, reason: r}]
"""
    refuse(HEAD + text, "`suite` chooses cells, and `aggregate` aggregates; remove one of them")


PROFILES = """\
dataset: {source: npz, path: x.npz, limit: 50}
thresholds: [{where: {severity: 5}, min_accuracy: 0.5}, {min_accuracy: 0.1}]
gate: {alpha: 0.05, inconclusive: fail}
aggregates:
  - {trend: {suite: scaling}, min_spearman: 0.5}
  - {compare: {model: a, against: b, suite: imagenet-c}, min_gain: 0}
profiles:
  quick: {limit: 10, severities: [1, 3], level: warn, gate: {inconclusive: pass}}
  less: {exclude: [{suite: scaling}, {model: b, entry: imagenet-c, shift: fog}]}
  full: {limit: null}
"""


def keys(plan: Plan, model: str = "a") -> list[str]:
    return [cell.key for cell in plan.cells if cell.model.name == model]


def test_a_profile_changes_what_it_says_and_nothing_else(load: Load) -> None:
    plain, quick = load(HEAD + PROFILES), load(HEAD + PROFILES, profile="quick")
    assert keys(quick) == [key for key in keys(plain) if plain.cell["a", key].shift.severity in (1, 3, None)]
    assert "sketch.natural" in keys(quick)
    assert {shift.dataset.limit for shift in quick.shifts} == {10}
    assert {shift.dataset.limit for shift in plain.shifts} == {50, None}
    assert [row.level for row in quick.thresholds] == ["warn", "warn"]
    assert {row.level for cell in quick.cells for row in cell.thresholds} == {"warn"}
    assert (quick.gate.alpha, quick.gate.inconclusive, plain.gate.inconclusive) == (0.05, "pass", "fail")
    assert {shift.dataset.limit for shift in load(HEAD + PROFILES, profile="full").shifts} == {None}


def test_what_a_profile_leaves_of_aggregates(load: Load) -> None:
    plain, quick, less = (load(HEAD + PROFILES, profile=name) for name in (None, "quick", "less"))
    trends = [f"{model}::scaling.down_up.trend" for model in ("a", "b", "old")]
    assert [aggregate.id for aggregate in plain.aggregates] == [*trends, "_all::imagenet-c.compare"]
    (compare,) = quick.aggregates
    assert [member.id for member in compare.members] == [
        f"{model}::{key}"
        for model in "ab"
        for key in ["clean", *(f"imagenet-c.{shift}-{severity}" for shift in ("fog", "snow") for severity in (1, 3))]
    ]
    assert compare.level == "warn"
    (compare,) = less.aggregates
    assert {member.shift.shift for member in compare.members} == {"clean", "snow"}
    assert all(member is less.cell[member.model.name, member.key] for member in compare.members)


def test_an_unknown_profile_names_the_closest(load: Load) -> None:
    with pytest.raises(RobustError, match=r"^spec\.yaml has no profile 'quik', did you mean 'quick'\?$"):
        load(HEAD + PROFILES, profile="quik")


def test_profiles_are_checked_even_when_not_used(refuse: Refuse) -> None:
    text = """\
profiles:
  p: {severities: [1, ^9], exclude: [{suite: ^scalng}, ^{suite: scaling, shift: fog}, ^{}]}
  q: {^limt: 3}
"""
    refuse(
        HEAD + text,
        "no severity 9 in this spec, did you mean '5'?",
        "no suite 'scalng' in this spec, did you mean 'scaling'?",
        "this row excludes no cell",
        "this row would exclude everything",
        "unknown key 'limt', did you mean 'limit'?",
    )


wheres = st.fixed_dictionaries(
    {},
    optional={
        "model": st.lists(st.sampled_from(["a", "b", "old"]), min_size=1),
        "suite": st.lists(st.sampled_from(["clean", "imagenet-c", "scaling", "words", "natural"]), min_size=1),
        "shift": st.lists(st.sampled_from(["clean", "fog", "snow", "down_up", "word"]), min_size=1),
        "severity": st.lists(st.sampled_from([1, 2, 3, 5, 0.5, 2.0, "3", "x"]), min_size=1),
        "entry": st.lists(st.sampled_from(["clean", "mild", "imagenet-c", "sketch"]), min_size=1),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(wheres, min_size=1, max_size=5))
def test_selection_is_what_asking_every_row_about_every_cell_gives(load: Load, rows: list[dict[str, Any]]) -> None:
    def matches(where: dict[str, Any], cell: CellPlan) -> bool:
        shift = cell.shift
        has = {
            "model": cell.model.name,
            "suite": shift.suite,
            "shift": shift.shift,
            "severity": shift.severity,
            "entry": shift.entry,
        }
        return all(has[key] in values for key, values in where.items())

    everything = load(HEAD).cells
    rows = [where for where in rows if any(matches(where, cell) for cell in everything)]
    body = "".join(f"- {json.dumps({'where': where, 'min_accuracy': 0.5})}\n" for where in rows)
    plan = load(HEAD + (f"thresholds:\n{body}" if rows else ""))
    for cell in plan.cells:
        wanted = [11 + position for position, where in enumerate(rows) if matches(where, cell)]
        assert lines(cell) == wanted, severity_text(cell.shift.severity)
