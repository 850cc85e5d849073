"""Attacks and frontiers as tables: what stands in which column, and what is undefined."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_robust.report import attacked, frontier
from pytest_robust.report.markdown import markdown
from tests.report.test_markdown import large

SIZES = {norm: {"mean": mean, "std": 0.0} for norm, mean in (("linf", 0.1), ("l2", 1 / 3), ("l1", 20.0), ("l0", 768))}


def cell(name: str, only: str | None = None, **attack: Any) -> dict[str, Any]:
    found = {
        "source": "a",
        "attacked": 4,
        "successes": 1,
        "success_rate": 0.25,
        "robust_accuracy": 0.5,
        "distortions": SIZES,
        "queries": 11.0,
        "transfer": None,
        "target_top1": None,
        "target_top5": None,
    }
    parameters = {"only": only} if only else {}
    return {"id": f"s.yaml::a::{name}", "parameters": parameters, "attack": found | attack}


def test_a_line_per_attack() -> None:
    heads, (own,) = attacked.table_of([cell("fgsm-8")])
    assert dict(zip(heads, own, strict=True)) == {
        "case": "s.yaml::a::fgsm-8",
        "success %": "25.00 (1/4)",
        "mean linf": "0.1",
        "mean l2": "0.3333",
        "mean l1": "20",
        "mean l0": "768",
        "robust accuracy %": "50.00",
        "queries": "11",
    }


def test_columns_of_transfer_and_targets_stand_where_they_are_needed() -> None:
    moved = {"transfer": {"rate": 0.5, "hits": 2, "counted": 4}}
    aimed = {
        "target_top1": {"rate": None, "hits": 0, "counted": 0},
        "target_top5": {"rate": 1, "hits": 3, "counted": 3},
    }
    heads, lines = attacked.table_of([cell("moved", **moved), cell("aimed", **aimed)])
    assert heads[:5] == ["case", "transfer %", "target %", "target in top 5 %", "success %"]
    assert [line[1:4] for line in lines] == [["50.00 (2/4)", "", ""], ["", "- (0/0)", "100.00 (3/3)"]]


def test_what_is_undefined_is_a_dash() -> None:
    nothing = {"attacked": 0, "successes": 0, "success_rate": None, "distortions": None, "queries": None}
    _, (none, joint) = attacked.table_of([cell("none", **nothing), cell("joint", only="jointly_correct")])
    assert none[1:] == ["- (0/0)", "-", "-", "-", "-", "50.00", "-"]
    # of what a model has right only some was attacked, so the rest is not known to be robust
    assert joint[-2] == "-"


STUDY: dict[str, Any] = {
    "norm": "l2",
    "models": [
        {"model": "a", "accuracy": 0.9, "distortion": 0.5, "success_rate": 0.25, "attacked": 8, "frontier": True},
        {"model": "b", "accuracy": 0.5, "distortion": 2.0, "success_rate": 1.0, "attacked": 4, "frontier": True},
        {"model": "c", "accuracy": 0.4, "distortion": 1.0, "success_rate": 1.0, "attacked": 4, "frontier": False},
        {"model": "d", "accuracy": 0.2, "distortion": None, "success_rate": 0.0, "attacked": 2, "frontier": None},
    ],
    "fit": {"a": 0.932, "b": -2.646, "r2": 1.0},
}


def test_the_frontier_as_a_table() -> None:
    heads, lines = frontier.table_of(STUDY)
    assert heads == ["model", "accuracy %", "mean l2", "success %", "attacked", "frontier"]
    assert lines[0] == ["a", "90.00", "0.5", "25.00", "8", "yes"]
    assert lines[2] == ["c", "40.00", "1", "100.00", "4", "no"]
    assert lines[3] == ["d", "20.00", "-", "0.00", "2", "-"]
    line = "distortion = 0.932 ln(1 - accuracy) - 2.646, R2 1.0000 (a line through two models fits them exactly)."
    assert frontier.legend_of(STUDY).endswith(line)
    three = [STUDY["models"][0] | {"frontier": True}] * 3
    assert frontier.legend_of(STUDY | {"models": three}).endswith("R2 1.0000.")
    assert frontier.legend_of(STUDY | {"fit": {"a": 1.0, "b": 0.5, "r2": None}}).endswith(
        "distortion = 1 ln(1 - accuracy) + 0.5, R2 undefined (a line through two models fits them exactly)."
    )
    assert frontier.legend_of(STUDY | {"fit": None}).endswith(" No line fits the frontier.")


def test_markdown_has_the_tables_and_says_nothing_twice() -> None:
    report = large(0)
    report["cells"] = [one | {"attack": cell("x")["attack"], "parameters": {}} for one in large(3)["cells"]]
    pareto = {"id": "s.yaml::_all::cw.pareto", "verdict": "PASS", "reasons": ["R2 1", "a is on it"], "pareto": STUDY}
    report["aggregates"] = [pareto]
    text = markdown(report)
    assert "- `s.yaml::_all::cw.pareto`: PASS, R2 1\n" in text
    assert "| d | 20.00 | - | 0.00 | 2 | - |\n" in text
    assert "### 3 attacks\n" in text
    assert f"| {report['cells'][0]['id']} | 25.00 (1/4) | 0.1 | 0.3333 | 20 | 768 | 50.00 | 11 |\n" in text


@pytest.mark.parametrize("room", [2_000, 4_000, 60_000])
def test_attacks_that_do_not_fit_are_counted(room: int) -> None:
    report = large(0)
    report["cells"] = [one | {"attack": cell("x")["attack"], "parameters": {}} for one in large(900)["cells"]]
    text = markdown(report, room)
    assert 0 < len(text.encode()) <= room
    shown = text.count(" | 25.00 (1/4) | ")
    assert shown < 900
    assert (f"- ... and {900 - shown} more" in text) == (shown > 0)
