"""Aggregates in a whole run: real images, real ONNX models, goldens on disk."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.plugin.conftest import at_home, project
from tests.plugin.project import Project

__all__ = ["at_home", "project"]

ROWS = """\
aggregates:
  - {mean_error: {entry: [imagenet-c, scaling], model: net}, max: 0.3, max_regression: 0.01}
  - {ice: {entry: scaling, model: net}, max: 1, max_regression: 0.5}
  - {mce: {suite: imagenet-c, reference: biased, model: net}, max_regression: 0.05}
  - {monotone: {suite: scaling, mode: down_up, allowance: 0.02, model: net}}
  - {worst_class: {suite: imagenet-c, model: net}, min: 0.5}
  - {compare: {model: net, against: biased, suite: imagenet-c}, min_gain: 0, max_clean_loss: 0}
golden: ../golden
"""
NAMES = ["imagenet-c-scaling.mean_error", "scaling.ice", "imagenet-c.mce", "scaling.down_up.monotone"]
NAMES = [*(f"net::{name}" for name in NAMES), "net::imagenet-c.worst_class", "_all::imagenet-c.compare"]


@pytest.fixture
def gated(project: Project) -> Project:
    project.model("biased", bias=20)
    project.model("net", bias=4)
    project.edit("models:\n", "models:\n  biased: {path: ../biased.onnx}\n")
    project.edit("  - {max_regression: 0.02, max_negative_flips: 0.05}\n", "")
    project.edit("golden: ../golden\n", ROWS)
    return project


def verdicts(project: Project, *options: str) -> tuple[dict[str, dict[str, Any]], int]:
    run = project.run("--robust-report=r.json", *options)
    report = json.loads((project.path / "r.json").read_text())
    found = {record["id"].partition("::")[2]: record for record in report["aggregates"]}
    assert list(found) == [*NAMES[:5], NAMES[5]] or set(found) == set(NAMES)
    return found, run.code


def test_recorded_kept_and_regressed(gated: Project) -> None:
    missing, code = verdicts(gated)
    assert code == 1
    assert [missing[name]["verdict"] for name in NAMES[:3]] == ["NO_GOLDEN"] * 3
    assert missing[NAMES[0]]["reasons"][0].startswith("no comparable golden: no golden is recorded")

    first, code = verdicts(gated, "--robust-update")
    assert code == 0
    assert [first[name]["verdict"] for name in NAMES[:3]] == ["UPDATED"] * 3

    same, code = verdicts(gated)
    assert code == 0
    # the scaled images are all right, as are the clean ones but for the bias: iCE is a value or undefined
    assert {record["verdict"] for record in same.values()} <= {"PASS", "INCONCLUSIVE"}
    assert same[NAMES[0]]["value"] == first[NAMES[0]]["value"]
    assert "0.0000 vs golden" in " ".join(same[NAMES[0]]["reasons"])
    assert same[NAMES[5]]["verdict"] in ("PASS", "INCONCLUSIVE")
    assert same[NAMES[5]]["value"] > 0

    gated.model("net", bias=20)
    worse, code = verdicts(gated)
    assert code == 1
    assert worse[NAMES[0]]["verdict"] == "REGRESSED"
    assert worse[NAMES[2]]["value"] == pytest.approx(1)
    assert worse[NAMES[2]]["verdict"] == "REGRESSED"
    assert worse[NAMES[5]]["value"] == 0

    smoke, code = verdicts(gated, "--robust-limit=60")
    assert code == 0
    assert {record["verdict"] for record in smoke.values()} == {"PASS"}


def test_one_aggregate_alone_pulls_what_it_needs(gated: Project) -> None:
    gated.run("--robust-update")
    run = gated.run("-k", "mean_error", "--robust-report=r.json")
    assert (run.code, run.outcomes["passed"]) == (0, 1)
    report = json.loads((gated.path / "r.json").read_text())
    assert report["cells"] == []
    assert len(report["aggregates"]) == 1
