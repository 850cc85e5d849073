"""A spec with mistakes leaves them in every report, and on the lines of the spec."""

from pathlib import Path

import jsonschema
import pytest

from pytest_robust.report.github import MOST_ANNOTATIONS, annotate
from pytest_robust.report.schema import report_schema
from tests.folder import Folder

MISTAKES = [
    "specs/small.yaml:2:43: unknown key 'clases', did you mean 'classes'?",
    "specs/small.yaml:12:8: unknown key 'alpah', did you mean 'alpha'?",
]


@pytest.mark.parametrize("options", [[], ["-n2"]])
def test_mistakes_of_a_spec_stand_first_in_every_report(
    project: Folder, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    project.edit("classes: 3}", "clases: 3}")
    project.edit("golden: ../golden", "golden: ../golden\ngate: {alpah: 0.1}")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path / "summary.md"))
    run = project.run("--robust-report=out.json", "--robust-report=out.md", *options)
    assert run.code != 0
    assert [line for line in run.text.splitlines() if line.startswith("::error ")] == [
        f"::error file=specs/small.yaml,line=2,col=43,title=robust::{MISTAKES[0]}",
        f"::error file=specs/small.yaml,line=12,col=8,title=robust::{MISTAKES[1]}",
    ]
    report = project.json("out.json")
    jsonschema.validate(report, report_schema())
    assert report["run"]["errors"] == MISTAKES
    assert report["run"]["complete"] is False
    text = (project.path / "out.md").read_text()
    assert text.startswith("## Robustness: FAILED\n\n### 2 mistakes\n\n- specs/small.yaml:2:43: unknown key 'clases'")
    assert "| model |" not in text
    assert (project.path / "summary.md").read_text() == text


def test_a_spec_that_is_collected_from_a_folder_leaves_its_mistakes_too(project: Folder) -> None:
    project.edit("classes: 3}", "clases: 3}")
    project.run("-o", "robust_files=specs/*.yaml", "--robust-report=out.json", spec=False)
    assert project.json("out.json")["run"]["errors"] == MISTAKES[:1]


def test_a_healthy_spec_beside_a_mistaken_one_does_not_make_the_report_pass(project: Folder) -> None:
    project.model("net")
    project.spec("format: 1\n", "specs/bad.yaml")
    options = ("--robust-spec=specs/bad.yaml", "--continue-on-collection-errors", "--robust-report=out.json")
    assert project.run(*options, "--robust-report=out.md").code == 1
    report = project.json("out.json")
    assert len(report["cells"]) == 7
    assert report["run"]["failed"] == {}
    assert report["run"]["complete"] is False
    assert (project.path / "out.md").read_text().startswith("## Robustness: FAILED\n")


def test_an_option_that_no_spec_knows_is_a_mistake(project: Folder) -> None:
    project.run("--robust-profile=nightly", "--robust-report=out.json")
    (sentence,) = project.json("out.json")["run"]["errors"]
    assert "nightly" in sentence


def test_a_test_file_that_cannot_be_collected_is_no_mistake_of_a_spec(project: Folder) -> None:
    project.model("net")
    (project.path / "test_broken.py").write_text("1 / 0\n")
    project.run("test_broken.py", "--continue-on-collection-errors", "--robust-report=out.json")
    assert project.json("out.json")["run"]["errors"] == []


def test_mistakes_and_failures_share_the_room_for_annotations(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    mistakes = [f"s.yaml:{line}:1: wrong" for line in range(1, 8)]
    failures = [("t.yaml", line, f"t.yaml::m::x-{line}", "low") for line in range(1, 6)]
    lines = list(annotate(failures, tmp_path, [], mistakes))
    assert len(lines) == MOST_ANNOTATIONS
    assert [line.partition(",")[0] for line in lines] == ["::error file=s.yaml"] * 7 + ["::error file=t.yaml"] * 3
    assert lines[-1].endswith("and 2 more places; see the summary")
    only = list(annotate(failures, tmp_path, [], [*mistakes, *mistakes, "no place"]))
    assert len(only) == MOST_ANNOTATIONS
    assert only[-1].endswith("and 10 more places; see the summary")
    assert list(annotate([], tmp_path, [], ["no place: why"])) == ["::error title=robust::no place: why"]
