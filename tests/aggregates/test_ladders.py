"""Trend and monotone over the suites as they are: which way is stronger, and what is no ladder at all."""

from __future__ import annotations

import pytest

from pytest_robust import registry
from pytest_robust.spec.catalog import Catalog
from tests.aggregates.test_judging import Bench, verdict
from tests.spec.conftest import Load, Refuse

HEAD = """\
format: 1
dataset: {source: digits, limit: 40}
models: {a: {path: a.onnx}}
"""


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return registry.catalog()


@pytest.mark.parametrize("limits", ["monotone: {suite: fourier}", "trend: {suite: fourier}, min_spearman: 0.8"])
def test_a_low_pass_is_stronger_the_less_it_keeps(limits: str, load: Load) -> None:
    made = Bench(load(f"{HEAD}shifts: [{{suite: fourier, low_pass: [1, 0.5, 0.1]}}]\naggregates: [{{{limits}}}]\n"))
    for key, right in (("clean", 39), ("fourier.low_pass-1", 39), ("fourier.low_pass-0.5", 39)):
        made.set(f"a::{key}", right, n=40)
    made.set("a::fourier.low_pass-0.1", 33, n=40)
    assert verdict(made.judge()) == ("PASS", False)
    made.set("a::fourier.low_pass-0.1", 40, n=40)
    assert verdict(made.judge()) == ("BELOW_FLOOR", True)


@pytest.mark.parametrize(
    ("entry", "shift"),
    [
        ("{suite: si-score, factors: {size: [0.2, 0.5, 1]}}", "si-score.size"),
        ("{suite: si-score, factors: {rotation: [1, 21, 41]}}", "si-score.rotation"),
        ("{suite: fourier, phase_swap: [0.6, 0.8, 1]}", "fourier.phase_swap"),
    ],
)
@pytest.mark.parametrize("limits", ["monotone: ^{suite: SUITE}", "trend: ^{suite: SUITE}, min_spearman: 0"])
def test_what_does_not_lead_away_from_clean_is_no_ladder(entry: str, shift: str, limits: str, refuse: Refuse) -> None:
    kind, row = limits.partition(":")[0], limits.replace("SUITE", shift.partition(".")[0])
    refuse(
        f"{HEAD}shifts: [{entry}]\naggregates:\n- {{{row}}}\n",
        f"{kind} needs severities that lead away from clean, and the samples of '{shift}' are others than clean's",
    )
