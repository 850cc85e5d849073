"""`expect` in rows of `thresholds` and `aggregates`: read, and refused where it would say nothing."""

from __future__ import annotations

import pytest

from .conftest import Load, Refuse

HEAD = """\
format: 1
dataset: {source: npz, path: data.npz, geometry: {resize: 256, crop: 224}}
models: {a: {path: a.onnx}, b: {path: b.onnx}}
shifts: [{suite: scaling, multiples: [0.5, 2]}]
golden: golden
"""


def test_it_is_part_of_its_row(load: Load) -> None:
    plan = load(
        f"{HEAD}thresholds:\n  - {{min_accuracy: 0.9, expect: {{fails: measured 0.7}}}}\n  - {{min_accuracy: 0.1}}\n"
        "aggregates:\n  - {mean_error: {suite: scaling}, max: 0.1, expect: {fails: measured 0.3}}\n"
        "  - {monotone: {suite: scaling}, expect: {fails: it rises}}\n"
    )
    assert [row.expect for row in plan.cells[0].thresholds] == ["measured 0.7", None]
    assert {one.kind: one.expect for one in plan.aggregates} == {"mean_error": "measured 0.3", "monotone": "it rises"}


ONE = "`expect` speaks of one limit; give "
WARNS = "`expect` excuses a failure, and a row of level warn never fails"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{min_accuracy: 0.9, max_drop: 0.1, ^expect: {fails: known}}", ONE + "min_accuracy and max_drop rows"),
        ("{min_accuracy: 0.9, level: warn, ^expect: {fails: known}}", WARNS),
        ("{min_accuracy: 0.9, expect: ^fails}", "`expect` must be a mapping, not 'fails'"),
        ("{min_accuracy: 0.9, ^expect: {}}", "the key 'fails' is missing"),
        ("{min_accuracy: 0.9, expect: {fails: ^''}}", "`fails` must be text that says something, not ''"),
        ("{min_accuracy: 0.9, expect: {fails: ^'  '}}", "`fails` must be text that says something"),
        ("{min_accuracy: 0.9, expect: {fails: known, ^until: 2030-01-01}}", "unknown key 'until'"),
        ("{min_accuracy: 0.9, expect: ^}", ""),
    ],
)
def test_refused_in_thresholds(refuse: Refuse, row: str, message: str) -> None:
    refuse(f"{HEAD}thresholds:\n  - {row}\n", message)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{mean_error: {suite: scaling}, max: 0.1, max_regression: 0, ^expect: {fails: x}}", ONE + "max and max_regre"),
        ("{monotone: {suite: scaling}, max_regression: 0, ^expect: {fails: x}}", ONE + "allowance and max_regression"),
        ("{mean_error: {suite: scaling}, max: 0.1, level: warn, ^expect: {fails: x}}", WARNS),
        (
            "{compare: {model: a, against: b, suite: scaling}, min_gain: 0, max_clean_loss: 0, ^expect: {fails: x}}",
            ONE + "min_gain and max_clean_loss",
        ),
    ],
)
def test_refused_in_aggregates(refuse: Refuse, row: str, message: str) -> None:
    refuse(f"{HEAD}aggregates:\n  - {row}\n", message)
