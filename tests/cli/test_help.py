"""`pytest-robust --help` suffices to begin: the commands that it shows are run as they are printed."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pytest_robust.settings import CI_VARIABLES
from tests.onnx_models import BRIGHTEST, classifier


@pytest.fixture
def newcomer(tmp_path: Path) -> Path:
    """A folder with what the help takes for given: a model, its successor, and labelled images."""
    random = np.random.default_rng(0)
    for label, name in enumerate(("blue", "green", "red")):
        folder = tmp_path / "images" / "val" / name
        folder.mkdir(parents=True)
        for index in range(30):
            pixels = random.integers(60, 160, (16, 16, 1), np.uint8).repeat(3, axis=2)
            pixels[..., label] += np.uint8(4 + index)
            Image.fromarray(pixels).save(folder / f"{index:02}.png")
    (tmp_path / "models").mkdir()
    classifier(tmp_path / "models" / "net.onnx", BRIGHTEST)
    classifier(tmp_path / "new.onnx", BRIGHTEST, bias=[16 / 255, 0, 0])
    return tmp_path


def run(folder: Path, line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line of the help, as a shell would run it."""
    words = shlex.split(re.split(r"\s{2,}", line)[0])
    module = {"pytest": "pytest", "pytest-robust": "pytest_robust"}[words[0]]
    known = {name: value for name, value in os.environ.items() if name not in (*CI_VARIABLES, "PYTEST_ADDOPTS")}
    return subprocess.run(
        [sys.executable, "-m", module, *words[1:]],
        cwd=folder,
        env=known | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_way_from_a_model_to_a_gate_is_as_the_help_says(newcomer: Path) -> None:
    text = run(newcomer, "pytest-robust --help").stdout
    lines = [line.strip() for line in text.splitlines() if line.startswith(("  pytest ", "  pytest-robust "))]
    init, check, preview, record, gate, judge, diff, update, accept = lines
    for line in (init, check, preview, record, gate):
        done = run(newcomer, line)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        assert "Traceback" not in done.stdout + done.stderr
    assert (newcomer / "sheet.png").is_file()
    assert "passed" in done.stdout
    assert run(newcomer, judge).returncode == 1, "the new model is worse"
    found = run(newcomer, diff)
    assert found.returncode == 1, found.stderr
    assert "worse (p=" in found.stdout
    shutil.copy(newcomer / "new.onnx", newcomer / "models" / "net.onnx")
    in_ci = run(newcomer, f"{gate.partition('  ')[0]} --robust-report=report-of-ci.json", CI="true")
    assert in_ci.returncode == 1, in_ci.stdout
    shutil.copytree(newcomer, newcomer / "other")
    for folder, line in ((newcomer, update), (newcomer / "other", accept)):
        done = run(folder, line)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        assert "Golden of net updated" in done.stdout
        assert run(folder, gate).returncode == 0


def test_the_exit_codes_of_a_run_are_what_the_help_says(newcomer: Path) -> None:
    for line in ("pytest-robust init models/net.onnx --data images/val", "pytest-robust --help"):
        done = run(newcomer, line)
        assert done.returncode == 0, done.stderr
    codes = dict(re.findall(r"(?m)(?:^  |     )(\d)  ?(.*?)(?=     |$)", done.stdout.partition("codes of a run")[2]))
    assert list(codes) == ["0", "1", "2", "4", "5"]
    gate = "pytest --robust-spec=specs/net.yaml"
    assert run(newcomer, gate).returncode == 1, "there is no golden yet"
    assert run(newcomer, f"{gate} --robust-device=tpu").returncode == 4
    assert run(newcomer, f"{gate} -k nothing").returncode == 5
    with (newcomer / "specs" / "net.yaml").open("a") as spec:
        spec.write("mistake: 1\n")
    assert run(newcomer, gate).returncode == 2
