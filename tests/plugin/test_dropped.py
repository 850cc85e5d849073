"""Aggregates that a profile leaves no cells for are named; notes on passing cells are shown."""

from __future__ import annotations

import json
import subprocess
import sys

import jsonschema
import pytest

from pytest_robust.cli import main
from pytest_robust.report.notes import cell_notes
from pytest_robust.report.schema import report_schema
from pytest_robust.views.composed import MIXED
from tests.onnx_models import classifier
from tests.plugin.project import Project

ROWS = """\
aggregates:
  - {mean_error: {entry: imagenet-c}, max: 1}
  - {monotone: {suite: scaling, mode: down_up, allowance: 1}}
  - {worst_class: {entry: imagenet-c}, min: 0}
profiles:
  p: {severities: [3]}
"""
SAID = "3 aggregates are not judged under profile p, which leaves out some of their cells: " + ", ".join(
    f"specs/small.yaml::net::{name}"
    for name in ("imagenet-c.mean_error", "scaling.down_up.monotone", "imagenet-c.worst_class")
)


@pytest.fixture
def profiled(project: Project) -> Project:
    project.edit("  - {max_regression: 0.02, max_negative_flips: 0.05}\ngolden: ../golden\n", ROWS)
    return project


def test_a_profile_says_which_aggregates_it_drops(profiled: Project) -> None:
    run = profiled.run("--robust-profile=p", "--robust-report=r.json", "--robust-report=r.md")
    assert run.code == 0
    assert run.line("not judged") == SAID
    assert f"- {SAID}" in (profiled.path / "r.md").read_text().splitlines()
    report = json.loads((profiled.path / "r.json").read_text())
    jsonschema.validate(report, report_schema())
    assert len(report["run"]["specs"]["specs/small.yaml"]["dropped"]) == 3
    assert report["aggregates"] == []
    assert not profiled.run().has("not judged")


def test_merged_shards_say_it_too(profiled: Project, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"s{number}.json" for number in (1, 2)]
    for number, name in enumerate(names, 1):
        options = ("--robust-profile=p", f"--robust-shard={number}/2", f"--robust-report={name}")
        assert profiled.run(*options).code == 0
    capsys.readouterr()
    assert main(["merge", *names, "--out", "r.json"]) == 0
    assert SAID in capsys.readouterr().out.splitlines()
    report = json.loads((profiled.path / "r.json").read_text())
    assert len(report["run"]["specs"]["specs/small.yaml"]["dropped"]) == 3


def test_angles_that_do_not_compare_are_shown(project: Project) -> None:
    classifier(project.path / "ten.onnx", [[0.0] * 10] * 3)
    project.spec(
        "format: 1\ndataset: {source: digits, limit: 6}\nmodels: {net: {path: ../ten.onnx}}\n"
        "shifts: [{suite: si-score, factors: {rotation: [0, 1, 90]}}]\n"
    )
    run = project.run("--robust-report=r.md")
    assert run.code == 0
    assert run.line("interpolation") == f"note on 3 cells: {MIXED}"
    text = (project.path / "r.md").read_text()
    assert f"### 1 noted\n\n- 3 cells: {MIXED}\n" in text
    call = [sys.executable, "-W", "error", "-m", "pytest_robust", "check", "specs/small.yaml"]
    done = subprocess.run(call, cwd=project.path, capture_output=True, text=True, check=True)
    assert f"  specs/small.yaml:4: {MIXED}" in done.stdout.splitlines()


def test_ten_notes_at_most() -> None:
    cells = [{"id": str(number), "notes": [f"n{number}", "all"]} for number in range(12)]
    found = list(cell_notes(cells))
    assert found[:2] == ["0: n0", "12 cells: all"]
    assert len(found) == 11
    assert found[-1] == "... and 3 more notes, in the JSON report"
