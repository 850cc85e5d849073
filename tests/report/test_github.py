"""Summary and annotations of GitHub Actions."""

import re
from pathlib import Path

import pytest

from pytest_robust.report.github import MOST_ANNOTATIONS, SUMMARY_BYTES, annotate, append_summary
from tests.folder import Folder

ACTIONS = {"GITHUB_ACTIONS": "true", "CI": "true"}


def in_actions(monkeypatch: pytest.MonkeyPatch, **more: str) -> None:
    for name, value in {**ACTIONS, **more}.items():
        monkeypatch.setenv(name, value)


def test_failures_land_on_the_lines_of_the_spec(project: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    in_actions(monkeypatch, GITHUB_WORKSPACE=str(project.path.parent))
    run = project.run()
    found = [line for line in run.text.splitlines() if line.startswith("::error ")]
    folder = project.path.name
    # line 4: the model, for clean; 6 and 7: the two entries of `shifts`
    assert [re.split(r"[=,]", line)[3] for line in found] == ["4", "6", "7"]
    assert all(line.startswith(f"::error file={folder}/specs/small.yaml,line=") for line in found)
    assert found[0].startswith(f"::error file={folder}/specs/small.yaml,line=4,title=robust%3A net::net::clean: -")
    assert "%25" in found[0]
    assert "and 3 more of net on this line" in found[1]


def test_annotations_are_silent_elsewhere_and_beside_the_plugin_that_makes_them(
    project: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "::error" not in project.run("-k", "clean").text
    in_actions(monkeypatch)
    assert project.run("-k", "clean").text.count("::error ") == 1
    (project.path / "pytest_github_actions_annotate_failures.py").write_text("")
    monkeypatch.syspath_prepend(project.path)
    quiet = project.run("-k", "clean", "-p", "pytest_github_actions_annotate_failures")
    assert quiet.code == 1
    assert "::error" not in quiet.text


def test_there_are_never_more_than_github_shows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    in_actions(monkeypatch)
    failures = [("s.yaml", line, f"s.yaml::m::x-{line}", "50%\nnext, line") for line in range(1, 31)]
    lines = list(annotate(failures, tmp_path, []))
    assert len(lines) == MOST_ANNOTATIONS == 10
    assert lines[0] == "::error file=s.yaml,line=1,title=robust%3A m::m::x-1: 50%25%0Anext, line"
    assert lines[-1].endswith("and 20 more places; see the summary")
    assert len(list(annotate(failures[:10], tmp_path, []))) == 10
    assert "more places" not in "".join(annotate(failures[:10], tmp_path, []))


def test_the_summary_of_the_step_is_appended_to(project: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project.path / "summary.md"
    path.write_text("# before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    project.run("-k", "clean", "--robust-report=out.md")
    assert path.read_text() == "# before\n" + (project.path / "out.md").read_text()
    project.run("-n2", "-k", "contrast")
    assert path.read_text().count("## Robustness: FAILED") == 2, "once per run: workers write nothing"


def test_a_summary_that_cannot_be_written_fails_the_run_in_one_sentence(
    project: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.model("net")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path / "no" / "folder.md"))
    run = project.run()
    assert run.code == 1
    assert run.has(r"^the step summary \S+ \(GITHUB_STEP_SUMMARY\) cannot be written")


def test_a_summary_stays_under_the_limit_with_what_others_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.report.test_markdown import large

    path = tmp_path / "summary.md"
    path.write_bytes(b"x" * (SUMMARY_BYTES - 30_000))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    append_summary(large(20_000))
    assert SUMMARY_BYTES - 20_000 < path.stat().st_size <= SUMMARY_BYTES < 1 << 20
    assert "## Robustness: FAILED" in path.read_text()
    append_summary(large(20_000))
    assert path.stat().st_size <= SUMMARY_BYTES
