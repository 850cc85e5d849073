"""A golden knows its spec from wherever it is run, and a run says what its seed has changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import pytest_robust

from .project import LABELS, Project

ALL = {"passed": len(LABELS)}


@pytest.fixture
def loose(project: Project) -> Project:
    """A project without an ini file, so that pytest takes its root folder from where it is started."""
    (project.path / "pyproject.toml").unlink()
    return project


def spec_of(golden: Path) -> Any:
    return json.loads(golden.read_text())["spec"]


def renamed(golden: Path, spec: str) -> None:
    text = golden.read_text()
    golden.write_text(text.replace(f'"spec": "{spec_of(golden)}"', f'"spec": "{spec}"'))


def test_goldens_do_not_depend_on_where_pytest_is_started(
    loose: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    loose.record()
    assert spec_of(loose.path / "golden/net.json") == "../specs/small.yaml"
    spec = loose.path / "specs/small.yaml"
    for folder, named in ((spec.parent, "small.yaml"), (tmp_path_factory.mktemp("elsewhere"), str(spec))):
        monkeypatch.chdir(folder)
        result = loose.pytester.runpytest_subprocess(f"--robust-spec={named}")
        assert result.parseoutcomes() == ALL, result.stdout.str()
    report = pytest_robust.evaluate(spec)
    assert report["run"]["failed"] == {}
    assert {cell["verdict"] for cell in report["cells"]} == {"PASS"}


def test_a_golden_that_names_its_spec_from_the_root_folder_is_still_its_golden(project: Project) -> None:
    project.record()
    golden = project.path / "golden/net.json"
    renamed(golden, "specs/small.yaml")
    assert project.run().outcomes == ALL
    renamed(golden, "nightly/small.yaml")
    run = project.run("-k", "clean")
    assert run.code == 1
    assert run.has(r"belongs to the spec 'nightly/small\.yaml', not to '\.\./specs/small\.yaml'")


def test_goldens_copied_elsewhere_are_those_of_the_spec_of_that_name(project: Project) -> None:
    project.record()
    shutil.copytree(project.path / "golden", project.path / "deep/down/golden")
    assert project.run("--robust-golden=deep/down/golden").outcomes == ALL
    project.spec(project.spec_text, "specs/second.yaml")
    run = project.run("--robust-spec=specs/second.yaml", "--robust-golden=deep/down/golden", spec=False)
    assert run.code == 1
    assert run.has(r"belongs to the spec '\.\./specs/small\.yaml', not to 'second\.yaml'")


def test_every_spec_of_a_run_is_held_to_its_own_goldens(project: Project) -> None:
    project.record()
    project.spec(project.spec_text, "specs/second.yaml")
    both = "--robust-spec=specs/small.yaml", "--robust-spec=specs/second.yaml"
    for order in (both, both[::-1]):
        run = project.run(*order, "-k", "clean", spec=False)
        assert run.outcomes == {"passed": 1, "failed": 1, "deselected": 2 * len(LABELS) - 2}
        assert run.has(r"belongs to the spec '\.\./specs/small\.yaml', not to '\.\./specs/second\.yaml'")


def test_goldens_recorded_elsewhere_serve_the_spec_itself(project: Project) -> None:
    assert project.run("--robust-update", "--robust-golden=elsewhere").code == 0
    assert spec_of(project.path / "elsewhere/net.json") == "small.yaml"
    shutil.move(project.path / "elsewhere", project.path / "golden")
    assert project.run().outcomes == ALL


def test_another_seed_is_said_and_taken_for_nothing_else(project: Project) -> None:
    project.record()
    project.edit("format: 1\n", "format: 1\nseed: 7\n")
    run = project.run("--robust-no-cache")
    assert run.has(r"the seed changed: 0 -> 7")
    assert not run.has(r"all recorded library versions are the same")
    noisy = sum("noise" in label for label in LABELS)
    assert run.outcomes == {"failed": noisy, "passed": len(LABELS) - noisy}


def test_messages_name_a_golden_without_detours(project: Project) -> None:
    project.record()
    golden = project.path / "golden/net.json"
    golden.write_text(golden.read_text()[:100])
    run = project.run("-k", "clean")
    assert run.code == 1
    assert f"{golden} is not JSON or is cut short" in run.text
    assert "specs/.." not in run.text
