"""The command line beside pytest's own."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from pytest_robust.cli import main

ROOT = Path(__file__).parent.parent
GOOD = "format: 1\nmodels:\n  net: {path: net.onnx}\nshifts:\n  - {suite: imagenet-c}\n"


def command(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-W", "error", "-m", "pytest_robust", *arguments]
    return subprocess.run(call, cwd=folder, capture_output=True, text=True, check=False)


def test_check_passes_a_spec_whose_files_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    done = command("check", "a.yaml", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("a.yaml: ok, 1 model, ")
    assert done.stderr == ""


def test_check_names_every_mistake_of_every_spec(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD.replace("suite: imagenet-c", "suite: imagenetc, severities: [9]"))
    (tmp_path / "b.yaml").write_text("format: 1\nmodel: {}\n")
    done = command("check", "a.yaml", "b.yaml", folder=tmp_path)
    assert done.returncode == 1
    assert "a.yaml:5:" in done.stderr
    assert "did you mean 'imagenet-c'" in done.stderr
    assert "b.yaml:2:1: " in done.stderr
    assert "did you mean 'models'" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_knows_what_a_conftest_registers(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD.replace("imagenet-c", "mine"))
    assert command("check", "a.yaml", folder=tmp_path).returncode == 1
    (tmp_path / "conftest.py").write_text(
        """
from pytest_robust.shifts.base import PixelShift

def pytest_robust_register(registry):
    registry.add(PixelShift(
        name="invert", suite="mine", version=1, source="ours", severities=[1],
        resolve=lambda parameters, height, width: {"strength": 1},
        apply=lambda images, bits, strength: 255 - images,
    ))
"""
    )
    done = command("check", "a.yaml", folder=tmp_path)
    assert done.returncode == 0, done.stderr


def test_check_takes_the_options_of_the_users_own_pytest(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -n2 -q --strict-markers\nfilterwarnings = error\n")
    done = command("check", "a.yaml", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("a.yaml: ok")


def test_check_imports_no_runtime(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    code = (
        "import sys; from pytest_robust.cli import main; main(['check', 'a.yaml']); "
        "print(sorted({'torch', 'onnxruntime', 'onnx', 'cv2', 'PIL', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_missing_spec_is_one_sentence(tmp_path: Path) -> None:
    done = command("check", "none.yaml", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "there is no file none.yaml\n"


def test_the_schema_accepts_the_example_and_refuses_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert main(["schema", "--out", str(tmp_path / "robust.schema.json")]) == 0
    assert json.loads((tmp_path / "robust.schema.json").read_text()) == schema
    assert main(["schema", "--out", str(tmp_path / "no" / "folder.json")]) == 2
    for path in sorted((ROOT / "specs").glob("*.yaml")):
        jsonschema.validate(yaml.safe_load(path.read_text()), schema)
    broken = yaml.safe_load((ROOT / "specs" / "resnet.yaml").read_text())
    broken["shifts"][0]["severites"] = [1]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"], ["schema", "--help"]])
def test_help_is_there(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 0
    assert "usage: pytest-robust" in capsys.readouterr().out
