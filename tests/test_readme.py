"""The README keeps its word: every command in it runs and does what the text says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pytest_robust.registry import catalog
from pytest_robust.settings import CI_VARIABLES
from pytest_robust.spec.build import load_plan
from pytest_robust.verdict import Verdict
from tests.onnx_models import classifier

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


SPECS = [text for text in blocks("yaml") if text.startswith("format: 1\n")]
PROFILES = next(text for text in blocks("yaml") if text.startswith("profiles:\n"))
EXPECTED = next(text for text in blocks("yaml") if text.startswith("thresholds:\n"))
WORKFLOWS = {text.split()[1]: text for text in blocks("yaml") if text.startswith("# .git")}

COMMANDS = [line for block in blocks("sh") for line in block.splitlines()]
SET_UP = [command for command in COMMANDS if command.startswith("python3 -m venv")]
ON_THE_EXAMPLE = [command for command in COMMANDS if "specs/resnet.yaml" in command and command not in SET_UP]
ON_ONES_OWN = [command for command in COMMANDS if command not in SET_UP and command not in ON_THE_EXAMPLE]


def run(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command with this Python's scripts first on the path and no trace of a CI service."""
    variables = {name: value for name, value in os.environ.items() if name not in CI_VARIABLES}
    variables |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", **environment}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=variables, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the section on one's first spec describes, with real images and models."""
    folder = tmp_path_factory.mktemp("own")
    random = np.random.default_rng(0)
    for channel, name in enumerate(("cat", "dog")):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(12):
            pixels = random.integers(60, 180, (260, 300, 1), np.uint8).repeat(3, axis=2)
            pixels[..., channel] += 10 + number
            Image.fromarray(pixels).save(folder / "images" / name / f"{number:04}.jpg")
            path = folder / "train" / name / f"{number:04}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[::-1]).save(path)
    (folder / "models").mkdir()
    weights = np.array([[0.9, 0.1], [0.1, 0.9], [0.5, 0.5]], np.float32)
    classifier(folder / "models" / "net.onnx", weights, size=224)
    classifier(folder / "models" / "net_v2.onnx", weights * 2, size=224)
    classifier(folder / "models" / "other.onnx", weights[:, ::-1], size=224)
    (folder / "specs").mkdir()
    (folder / "specs" / "net.yaml").write_text(SPECS[0] + PROFILES)
    for name, key in (
        ("attacks", "suite: adversarial"),
        ("fingerprint", "suite: fingerprint"),
        ("enhanced", "enhancer:"),
    ):
        (text,) = (text for text in SPECS if key in text)
        (folder / "specs" / f"{name}.yaml").write_text(text)
    return folder


def test_two_commands_do_all_the_set_up() -> None:
    assert len(SET_UP) == 2
    assert "rm -rf .venv" in (ROOT / ".ci" / "run").read_text(), "the checks run them in a fresh environment"


def test_the_main_job_passes_on_the_example() -> None:
    done = run(SET_UP[0].split("&& .venv/bin/")[-1], ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\nresnet: \d+ PASS\n", done.stdout)


def test_the_gate_refuses_the_worse_model_and_names_the_cells() -> None:
    assert len(ON_THE_EXAMPLE) == 1
    done = run(ON_THE_EXAMPLE[0], ROOT)
    assert done.returncode == 1
    assert "FAILED specs/resnet.yaml::resnet::clean - accuracy 9" in done.stdout
    assert "Traceback" not in done.stdout


def test_every_other_command_runs_in_the_order_of_the_text(own: Path) -> None:
    assert len(ON_ONES_OWN) == 18
    for command in ON_ONES_OWN:
        done = run(command, own)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    for name in (
        "golden/net/net.json",
        "report.json",
        "report.npz",
        "report.md",
        "junit.xml",
        "transfer.png",
        "models/dyntta.onnx",
    ):
        assert (own / name).is_file(), name


def test_the_gate_passes_in_ci_too(own: Path) -> None:
    gate = "pytest --robust-spec specs/net.yaml"
    assert gate in COMMANDS
    if not (own / "golden").exists():
        assert run(f"{gate} --robust-update", own).returncode == 0
    assert run(gate, own, CI="true").returncode == 0


def test_every_spec_shown_is_valid(own: Path) -> None:
    assert len(SPECS) + len(WORKFLOWS) + 2 == len(blocks("yaml")), "a block of YAML that no test looks at"
    for number, text in enumerate([*SPECS, SPECS[0] + PROFILES, SPECS[0].replace("thresholds:\n", EXPECTED)]):
        path = own / "specs" / f"shown{number}.yaml"
        path.write_text(text)
        assert load_plan(path, catalog()).cells


def test_the_python_shown_runs(own: Path) -> None:
    for text in blocks("python"):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", text], cwd=own, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert ("(2, 32, 32, 3)" if "augment" in text else "gaussian_noise") in done.stdout


def test_a_limit_that_is_known_not_to_hold_fails_once_it_holds(own: Path) -> None:
    lines = SPECS[0].replace("thresholds:\n", EXPECTED).splitlines(keepends=True)
    text = "".join(line for line in lines if "golden" not in line)
    for floor, code, outcome in (("0.99", 0, "1 xfailed"), ("0.1", 1, "1 failed")):
        (own / "specs" / "expected.yaml").write_text(text.replace("0.99", floor))
        done = run("pytest --robust-spec specs/expected.yaml -rx -k jpeg_compression-5", own)
        assert (done.returncode, outcome in done.stdout) == (code, True), done.stdout
        assert "never seen in training" in done.stdout
    assert "UNEXPECTED_PASS" in done.stdout


def test_the_table_of_verdicts_is_complete() -> None:
    assert re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE) == [one.name for one in Verdict]


def test_the_table_of_shifts_is_complete() -> None:
    import pytest_robust

    for shift in pytest_robust.list_shifts():
        assert f"`{shift.name}`" in README
        assert shift.suite == "clean" or f"`{shift.suite}`" in README


def test_links_lead_to_files() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target
