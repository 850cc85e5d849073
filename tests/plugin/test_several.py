"""Several specs in one run, and runs that start below the project's root: options and commands reach what they mean."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugin.project import NET, SPEC, Project

OTHER = SPEC.replace("  net: {path: ../net.onnx}", "  other: {path: ../other.onnx}").replace("../golden", "../golden-2")
BOTH = ("--robust-spec=specs/small.yaml", "--robust-spec=specs/other.yaml")
QUICK = "profiles:\n  quick: {severities: [1]}\n"


@pytest.fixture
def two(project: Project) -> Project:
    """Two specs, each with a model of its own name, and their goldens."""
    project.model("other")
    project.spec(OTHER, "specs/other.yaml")
    assert project.run(*BOTH, "--robust-update", spec=False).code == 0
    return project


@pytest.mark.parametrize("workers", [[], ["-n2"]])
def test_a_candidate_goes_where_its_name_is(two: Project, workers: list[str]) -> None:
    two.model("worse", bias=12)
    run = two.run(*BOTH, "--robust-model=other=worse.onnx", "-k", "clean", *workers, spec=False, process=bool(workers))
    assert {name: run.outcomes[name] for name in ("passed", "failed")} == {"passed": 1, "failed": 1}
    rerun = run.line(r"^  rerun     pytest --robust-model=other=\S+ specs/other\.yaml::other::clean$")
    assert two.run(*shlex.split(rerun.partition("pytest ")[2]), spec=False).outcomes == {"failed": 1}


@pytest.mark.parametrize("workers", [[], ["-n2"]])
def test_a_candidate_that_no_spec_has_is_an_error_with_a_sentence_for_each(two: Project, workers: list[str]) -> None:
    process = bool(workers)
    run = two.run(*BOTH, "--robust-model=otter=net.onnx", "-k", "clean", *workers, spec=False, process=process)
    assert run.code in (1, 2)
    assert run.outcomes.get("passed") is None
    assert run.has(r"specs/other\.yaml has no model 'otter' .*, did you mean 'other'\?$")
    assert run.has(r"specs/small\.yaml has no model 'otter' to put a candidate in place of")
    assert "Traceback" not in run.text


def test_a_profile_goes_where_it_is_and_the_other_spec_runs_whole(two: Project) -> None:
    two.spec(OTHER + QUICK, "specs/other.yaml")
    run = two.run(*BOTH, "--robust-profile=quick", spec=False)
    assert run.outcomes == {"passed": len(NET) + 3}
    assert not run.has("INCOMPLETE")
    two.model("net", bias=12)
    rerun = two.run(*BOTH, "--robust-profile=quick", "-k", "clean", spec=False).line(r"^  rerun ")
    assert "--robust-profile" not in rerun, "the spec at fault has no such profile"
    wrong = two.run(*BOTH, "--robust-profile=quik", spec=False)
    assert wrong.code == 2
    assert wrong.has("specs/other.yaml has no profile 'quik', did you mean 'quick'")


def test_a_spec_with_mistakes_of_its_own_is_not_asked_for_the_name(two: Project) -> None:
    two.spec(OTHER.replace("format: 1", "format: 1\nmistake: 1"), "specs/other.yaml")
    run = two.run(*BOTH, "--robust-model=other=net.onnx", spec=False)
    assert run.code == 2
    assert run.has("unknown key 'mistake'")


@pytest.fixture
def below(project: Project) -> Iterator[Project]:
    """A project whose runs start in its folder `specs`, with the reports that its ini file asks for."""
    toml = "[tool.pytest]\nminversion = '9.0'\nrobust_report = ['reports/out.json']\n"
    (project.path / "pyproject.toml").write_text(toml)
    here = Path.cwd()
    os.chdir(project.path / "specs")
    yield project
    os.chdir(here)


def test_a_report_of_the_ini_file_is_relative_to_it(below: Project) -> None:
    below.run("--robust-spec=small.yaml", "-k", "clean", spec=False)
    assert (below.path / "reports" / "out.json").is_file()
    below.run("--robust-spec=small.yaml", "-k", "clean", "--robust-report=mine.json", spec=False)
    assert (below.path / "specs" / "mine.json").is_file()


@pytest.mark.parametrize("folder", ["specs", "elsewhere/deep"])
def test_commands_work_in_the_folder_that_pytest_was_started_in(below: Project, folder: str) -> None:
    (below.path / folder).mkdir(parents=True, exist_ok=True)
    os.chdir(below.path / folder)
    spec = os.path.relpath(below.path / "specs/small.yaml")
    run = below.run(f"--robust-spec={spec}", spec=False)
    record = run.line("record with: ").partition("pytest ")[2]
    assert record == f"--robust-spec={spec} --robust-update-new"
    assert below.run(*shlex.split(record), spec=False).code == 0
    below.model("net", bias=12)
    failing = below.run(f"--robust-spec={spec}", "-k", "clean", spec=False)
    rerun = failing.line("^  rerun ").partition("pytest ")[2]
    assert rerun == f"{spec}::net::clean"
    assert below.run(*shlex.split(rerun), spec=False).outcomes == {"failed": 1}
    accept = failing.line("^  accept ").partition("pytest ")[2]
    assert accept.startswith(f"{spec}::net --robust-update")
    assert below.run(*shlex.split(accept), spec=False).code == 0


def test_the_commands_of_an_aggregate_work_there_too(below: Project) -> None:
    below.edit("golden: ../golden", "golden: ../golden\naggregates:\n  - {mean_error: {suite: imagenet-c}, max: 0.0}")
    below.model("net", bias=12)
    run = below.run("--robust-spec=small.yaml", "-k", "mean_error", spec=False)
    rerun = run.line("^  rerun ").partition("pytest ")[2]
    assert rerun == "small.yaml::net::imagenet-c.mean_error"
    assert below.run(*shlex.split(rerun), spec=False).outcomes == {"failed": 1}


def test_a_recording_repeats_the_options_that_decide_where_it_goes(project: Project) -> None:
    run = project.run("--robust-golden=mine", "--robust-device=cpu", "-k", "clean")
    record = run.line("record with: ").partition("pytest ")[2]
    assert project.run(*shlex.split(record), spec=False).code == 0
    assert (project.path / "mine" / "net.json").is_file()
    assert not (project.path / "golden").exists()
    assert "--robust-device=cpu" in record
