"""`--robust-engine` on the command line, in the ini file, and without Ray."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_robust
from tests.folder import Folder
from tests.ray.conftest import needs_ray


@pytest.fixture
def project(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--robust-engine=dask"], "--robust-engine=dask: the engine is local, ray or ray:ADDRESS"),
        (["--robust-engine=ray:"], "--robust-engine=ray:: the engine is local, ray or ray:ADDRESS"),
        (["--robust-engine=ray", "-n2"], "--robust-engine=ray cannot be used with -n: Ray spreads the work"),
        (
            ["--robust-engine=ray", "--robust-device=cuda:1"],
            "--robust-device=cuda:1 cannot be used with --robust-engine=ray: Ray hands out the GPUs",
        ),
    ],
)
@needs_ray
def test_what_cannot_be_is_refused_before_anything_runs(project: Folder, options: list[str], sentence: str) -> None:
    run = project.run(*options)
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {sentence}" in run.text


def test_the_ini_file_chooses_and_the_command_line_overrules_it(project: Folder) -> None:
    (project.path / "pyproject.toml").write_text("[tool.pytest]\nrobust_engine = 'dask'\n")
    assert "--robust-engine=dask: the engine is" in project.run().text
    assert project.run("--robust-engine=local", "-k", "clean").has("^net: ")


def test_without_ray_one_sentence_says_what_to_install(project: Folder) -> None:
    hidden = project.path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text("import sys\nsys.modules['ray'] = None\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--robust-spec=specs/small.yaml",
        "-p",
        "no:cacheprovider",
        "-k",
        "clean",
    ]
    without = {**os.environ, "PYTHONPATH": str(hidden)}
    run = subprocess.run(
        [*command, "--robust-engine=ray"], cwd=project.path, env=without, capture_output=True, text=True, check=False
    )
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert run.stderr.split("\n", 1)[0] == (
        'ERROR: --robust-engine=ray: Ray is not installed: run pip install "pytest-robust[ray]"'
    )
    local = subprocess.run(command, cwd=project.path, env=without, capture_output=True, text=True, check=False)
    assert "net: " in local.stdout


def test_evaluate_takes_the_engine(project: Folder) -> None:
    with pytest.raises(pytest_robust.RobustError, match="the engine is local, ray or ray:ADDRESS"):
        pytest_robust.evaluate(project.path / "specs/small.yaml", engine="dask")
