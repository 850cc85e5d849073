"""Options that change what is measured or written, one by one."""

import json
import re

import pytest

from tests.plugin.project import COUNT, NET, Project


def test_a_smoke_run_says_so_and_judges_floors_only(project: Project) -> None:
    project.record()
    project.model("net", bias=12)
    run = project.run("--robust-limit=60")
    assert run.code == 0
    assert run.has(r"^SMOKE: 60 images; this run proves nothing")
    assert run.has(r"^robust: 1 spec, .*SMOKE: at most 60 images")
    project.edit("min_accuracy: 0.5", "min_accuracy: 0.999")
    assert project.run("--robust-limit=60").code == 1
    project.model("net")
    assert project.run("--robust-limit=20").code == 0


def test_smoke_forgives_a_floor_within_its_uncertainty(project: Project) -> None:
    project.edit("  - {max_regression: 0.02, max_negative_flips: 0.05}\n", "")
    project.model("net", bias=4)
    project.edit("min_accuracy: 0.5", "min_accuracy: 0.99")
    assert project.run("-k", "clean").code == 1
    assert project.run("-k", "clean", "--robust-limit=30").code == 0


def test_a_profile_changes_limit_severities_and_level(project: Project) -> None:
    project.spec(
        (project.path / "specs/small.yaml").read_text()
        + "profiles:\n  quick: {limit: 50, severities: [1]}\n  soft: {level: warn}\n"
    )
    run = project.run("--robust-profile=quick", "--robust-report=out.json", "-k", "not scaling")
    report = json.loads((project.path / "out.json").read_text())
    assert [(cell["id"].split("::")[-1], cell["n"]) for cell in report["cells"]] == [
        ("clean", 50),
        ("imagenet-c.gaussian_noise-1", 50),
        ("imagenet-c.contrast-1", 50),
    ]
    assert not run.has("unused")
    assert project.run().code == 1
    assert project.run("--robust-profile=soft").code == 0
    assert project.run("-o", "robust_profile=soft").code == 0
    wrong = project.run("--robust-profile=quik")
    assert wrong.code != 0
    assert wrong.has("quick")


def test_a_candidate_replaces_the_model_and_its_variants_and_both_hashes_are_shown(project: Project) -> None:
    project.edit(
        "  net: {path: ../net.onnx}", "  net: {path: ../net.onnx}\n  scaled: {like: net, preprocess: {size: 8}}"
    )
    project.record()
    project.model("worse", bias=12)
    run = project.run("--robust-model=net=worse.onnx", "--robust-report=out.json", "-k", "clean")
    assert run.outcomes["failed"] == 2
    report = json.loads((project.path / "out.json").read_text())
    candidates = report["run"]["candidates"]
    assert sorted(candidates) == ["net", "scaled"]
    assert all(found["path"].endswith("worse.onnx") and len(found["sha256"]) == 64 for found in candidates.values())
    shown = run.line(r"^  golden    ")
    assert re.search(r"sha256 [0-9a-f]{12}", shown)
    assert re.search(r"sha256 [0-9a-f]{12}", run.line(r"^  model     ")), run.text


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--robust-model=net", "write NAME=PATH"),
        ("--robust-device=gpu", "auto, cpu, cuda or cuda:N"),
        ("--robust-limit=0", "a whole number of at least 1"),
        ("--robust-limit=ten", "a whole number of at least 1"),
        ("--robust-batch-size=-1", "a whole number of at least 1"),
        ("--robust-report=out.html", "use .json or .md"),
        ("--robust-reason= ", "--robust-reason is empty"),
        ("--robust-golden=", "--robust-golden is empty; name a folder, or leave the option out"),
        ("--robust-cache=", "--robust-cache is empty"),
        ("--robust-report=", "--robust-report is empty"),
        ("--robust-profile= ", "--robust-profile is empty"),
        ("--robust-device=", "--robust-device is empty"),
        ("--robust-cuda=", "--robust-cuda is empty"),
        ("--robust-engine=", "--robust-engine is empty"),
        ("--robust-spec=", "--robust-spec is empty; name a spec"),
    ],
)
def test_a_value_that_cannot_be_is_a_usage_error(project: Project, option: str, sentence: str) -> None:
    run = project.run(option)
    assert run.code == 4
    assert sentence in run.text
    assert "Traceback" not in run.text


def test_an_unknown_candidate_names_the_closest_model(project: Project) -> None:
    run = project.run("--robust-model=nett=worse.onnx")
    assert run.code == 2
    assert run.has("did you mean 'net'")


def test_a_candidate_that_cannot_be_read_is_the_options_mistake(project: Project) -> None:
    run = project.run("--robust-model=net=../missing.onnx", "-k", "clean")
    assert run.code == 1
    gone = project.path.parent / "missing.onnx"
    assert run.has(rf"--robust-model=net: the model {re.escape(str(gone))} does not exist: correct the path")
    assert run.has(r"0 passes for 0 shifts; 0 of 1 cell from the cache"), "none was made"


def test_update_and_update_new_exclude_each_other(project: Project) -> None:
    assert project.run("--robust-update", "--robust-update-new").code == 4


@pytest.mark.parametrize("size", [1, 7, 299, 4000])
def test_the_batch_size_changes_no_number(project: Project, size: int) -> None:
    project.record()
    project.run("--robust-report=a.json")
    run = project.run("--robust-report=b.json", f"--robust-batch-size={size}")
    assert run.outcomes == {"passed": len(NET)}
    keys = ("id", "correct", "canvas_digest", "flips", "verdict")
    first, second = (
        [{key: cell[key] for key in keys} for cell in json.loads((project.path / name).read_text())["cells"]]
        for name in ("a.json", "b.json")
    )
    assert first == second


def test_the_json_report_has_every_field_of_its_format(project: Project) -> None:
    project.record()
    project.run("--robust-report=deep/out.json", "-k", "not scaling")
    report = json.loads((project.path / "deep/out.json").read_text())
    assert set(report) == {"format", "run", "cells", "aggregates", "npz_sha256"}
    run = report["run"]
    assert run["complete"] is False
    assert run["planned"] == NET
    assert run["not_run"] == NET[-2:]
    assert run["smoke"] is False
    cell = report["cells"][0]
    assert cell["n"] == cell["correct"] == COUNT
    assert cell["flips"]["negative"] == 0
    assert cell["golden"]["correct"] == COUNT
    assert (project.path / "deep/out.npz").exists()


def test_the_markdown_report_names_failures_first(project: Project) -> None:
    project.record()
    project.model("net", bias=12)
    project.run("--robust-report=out.md", "-k", "clean")
    text = (project.path / "out.md").read_text()
    assert text.startswith("## Robustness: FAILED\n")
    assert "| net | " in text
    assert "- `specs/small.yaml::net::clean`: -" in text
    assert "6 of 7 planned cases were not run." in text


def test_a_report_that_cannot_be_written_fails_the_run(project: Project) -> None:
    project.record()
    project.pytester.makeconftest(
        """
from pathlib import Path

def pytest_runtest_setup(item):
    Path("blocked").touch()
"""
    )
    run = project.run("--robust-report=blocked/out.json")
    assert run.outcomes == {"passed": len(NET)}
    assert run.code == 1
    assert run.has(r"^the report \S+out\.npz cannot be written")


def test_nothing_is_left_in_the_temporary_folder(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = project.path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", None)
    project.run("-k", "clean", process=True)
    project.run("-k", "clean", "-n2", process=True)
    assert list(scratch.glob("pytest-robust*")) == []


def test_progress_is_silent_where_nobody_looks(project: Project) -> None:
    assert "images" not in project.run("-k", "clean", process=True).text
