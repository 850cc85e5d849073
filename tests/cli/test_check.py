"""The command line beside pytest's own."""

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from pytest_robust.cli import _COMMANDS, main

ROOT = Path(__file__).parents[2]
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
    assert main(["schema", "--report"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "pytest-robust report"
    for path in sorted((ROOT / "specs").glob("*.yaml")):
        as_json = json.loads(json.dumps(yaml.safe_load(path.read_text())))  # whose keys are strings, as for editors
        jsonschema.validate(as_json, schema)
    broken = yaml.safe_load((ROOT / "specs" / "resnet.yaml").read_text())
    broken["shifts"][0]["severites"] = [1]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


@pytest.mark.parametrize("name", [None, *(command.NAME for command in _COMMANDS)])
def test_help_tells_what_the_exit_codes_mean_and_fits_a_terminal(
    name: str | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"] if name else ["--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: pytest-robust")
    codes = text[text.index("exit codes") :]
    assert all(re.search(rf"\b{code}\b ", codes) for code in ("0", "2")), "each code with its meaning"
    assert ("1 " in codes) == (name not in ("init", "schema", "matrix")), "which never say no"
    assert "\n  pytest" in text, "an example to copy"
    positional = text.partition("positional arguments:\n")[2].partition("\n\n")[0]
    assert all(len(line.split()) > 1 for line in positional.splitlines() if line not in ("  COMMAND", "  ACTION"))
    assert max(map(len, text.splitlines())) <= 100


def test_the_examples_in_the_help_are_command_lines_that_parse(capsys: pytest.CaptureFixture[str]) -> None:
    import argparse
    import shlex

    from pytest_robust import cli

    for command in cli._COMMANDS:
        examples = [
            shlex.split(line.partition("     ")[0])
            for line in command.EPILOG.splitlines()
            if line.startswith("  pytest-robust ")
        ]
        assert examples, command.NAME
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        for words in examples:
            assert words[1] == command.NAME
            parser.parse_args(words[2:])


def test_no_command_imports_a_library_before_it_runs(tmp_path: Path) -> None:
    code = (
        "import sys, pytest_robust.cli; "
        "print(sorted({'torch', 'onnxruntime', 'onnx', 'cv2', 'PIL', 'scipy', 'numpy', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
