"""Aggregates in a whole run: real images, real ONNX models, goldens on disk."""

from __future__ import annotations

import json
import shutil
from typing import Any

import numpy as np
import pytest

from pytest_robust.cli import main
from tests.onnx_models import classifier
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


KINDS = """\
format: 1
scores: true
dataset: {source: digits, limit: 80}
models:
  net: {path: ../net.onnx}
  other: {path: ../other.onnx}
shifts:
  - {suite: si-score, factors: {size: [0.2, 0.5], rotation: [1, 21]}}
  - {suite: fourier, amplitude_swap: [1], phase_swap: [1]}
  - {suite: scaling, mode: down_up, multiples: [0.25, 0.5, 0.75]}
aggregates:
  - {group_means: {suite: si-score, model: net}, min: 0.0, max_regression: 0.02, against: [latest, anchor]}
  - {group_means: {suite: si-score, shift: size, model: net}, name: size, min: 0.99}
  - {phase_reliance: {suite: fourier, model: net}, min: -1, max_regression: 0.02}
  - {scores: {metric: ece, suite: scaling, model: net}, max: 1}
  - {scores: {metric: top5_error, suite: clean, model: net}, max: 0.0}
  - {error_reduction: {model: net, against: other, suite: scaling}, min: -1, max_regression: 0.02}
  - {worst_class: {suite: scaling, model: net}, max_regression: 0.05}
  - {trend: {suite: scaling, mode: down_up, model: net}, max_regression: 0.05}
golden: {path: ../golden, anchor: v1}
"""


@pytest.fixture
def digits(project: Project) -> Project:
    """Digits, two classifiers that hardly know them, and one aggregate of each kind."""
    write(project, "net", 1.0)
    write(project, "other", 0.3)
    project.spec(KINDS)
    return project


def write(project: Project, name: str, share: float) -> None:
    """A classifier of the brightness alone, of a `share` of the same weights."""
    weights = np.random.default_rng(0).normal(size=(3, 10)).astype(np.float32)
    classifier(project.path / f"{name}.onnx", share * weights, bias=list(np.linspace(0, 1 - share, 10)))


def test_the_kinds_in_a_whole_run(digits: Project) -> None:
    def found(*options: str) -> tuple[dict[str, dict[str, Any]], Any]:
        run = digits.run("--robust-report=r.json", *options)
        report = json.loads((digits.path / "r.json").read_text())
        return {record["id"].partition("::")[2]: record for record in report["aggregates"]}, run

    found("--robust-update")
    shutil.copytree(digits.path / "golden", digits.path / "golden" / "v1")
    same, run = found()
    verdicts = {name: record["verdict"] for name, record in same.items()}
    # few classes are ever predicted: the sizes miss their floor, and so does top 5
    assert verdicts.pop("net::size") == "BELOW_FLOOR"
    assert verdicts.pop("net::clean.top5_error") == "BELOW_FLOOR"
    assert set(verdicts.values()) <= {"PASS", "INCONCLUSIVE"}, same
    assert verdicts["net::si-score.group_means"] == "PASS"
    assert verdicts["net::fourier.phase_reliance"] == "PASS"
    assert 0 <= same["net::scaling.ece"]["value"] <= 1
    cells = {cell["id"].partition("::")[2]: cell for cell in json.loads((digits.path / "r.json").read_text())["cells"]}
    accuracy = {name: cells[f"net::si-score.{name}"]["accuracy"] for name in ("size-0.2", "size-0.5")}
    assert same["net::size"]["value"] == pytest.approx(sum(accuracy.values()) / 2)
    ece = [cells[f"net::scaling.down_up-{multiple}"]["scores"]["ece"] for multiple in ("0.25", "0.5", "0.75")]
    assert same["net::scaling.ece"]["value"] == pytest.approx(sum(ece) / 3)
    assert same["net::clean.top5_error"]["value"] == pytest.approx(1 - cells["net::clean"]["scores"]["top5"])
    assert any("follows the phase" in reason for reason in same["net::fourier.phase_reliance"]["reasons"])
    assert len([one for one in same["net::si-score.group_means"]["reasons"] if "vs" in one]) == 2
    assert run.has(r"  rerun     pytest specs/small\.yaml::net::size")

    alone = digits.run("-k", "phase_reliance")
    assert (alone.code, alone.outcomes["passed"]) == (0, 1)
    write(digits, "candidate", 0.2)
    judged, run = found("--robust-model=net=candidate.onnx", "-k", "group_means or phase_reliance or reduction")
    assert run.has("give models.net its file in the spec, then update the golden") == any(
        record["verdict"] in ("REGRESSED", "INCONCLUSIVE") for record in judged.values()
    )
    assert judged["net::si-score.group_means"]["value"] != same["net::si-score.group_means"]["value"]


def test_a_member_that_cannot_be_measured_is_named(digits: Project) -> None:
    (digits.path / "other.onnx").write_bytes(b"nothing")
    run = digits.run("-k", "error_reduction")
    assert run.code == 1
    assert run.has(r"other::scaling.down_up-0.25: .*other\.onnx")
    assert "Traceback" not in run.text


def test_reports_of_parts_are_judged_as_the_whole_is(digits: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    digits.edit("limit: 80", "limit: 30")
    digits.edit(", against: [latest, anchor]", "")
    digits.run("--robust-update")
    digits.run("--robust-report=whole.json")
    digits.run("--robust-report=one.json", "-k", "si-score or size")
    digits.run("--robust-report=two.json", "-k", "clean or fourier or scaling")
    monkeypatch.chdir(digits.path)
    assert main(["merge", "one.json", "two.json", "--out", "all.json"]) == 1
    whole, merged = (json.loads((digits.path / name).read_text()) for name in ("whole.json", "all.json"))
    assert merged["aggregates"] == whole["aggregates"]
    assert merged["run"]["failed"] == whole["run"]["failed"]
    # without the clean cells, what stands on them is named
    digits.run("--robust-report=two.json", "-k", "fourier or scaling")
    assert main(["merge", "one.json", "two.json", "--out", "all.json"]) == 1
