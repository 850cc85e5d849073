"""`pytest-robust fingerprint`: the same bytes for the same command, and one sentence for what cannot be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Said
from tests.onnx_models import BRIGHTEST, classifier

Command = Callable[..., Said]
FEW = ("--count", "6", "--iterations", "4")
SPEC = """\
format: 1
models:
  first: {path: m.onnx, preprocess: {size: 12, mean: [0.5], std: [0.25]}}
  second: {like: first, path: m.onnx, preprocess: {size: 10}}
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return classifier(tmp_path / "m.onnx", BRIGHTEST * 0.7)


def test_the_same_command_writes_the_same_bytes(command: Command, model: Path) -> None:
    said = [
        command(model.parent, "fingerprint", "m.onnx", "--size", "12", "--out", f"{name}/fp.npz", *FEW)
        for name in ("a", "b")
    ]
    assert [code for code, _, _ in said] == [0, 0]
    assert "6 images of 12x12 pixels, all confirmed by ONNX Runtime, " in said[0][1]
    first = model.parent / "a" / "fp.npz"
    assert first.read_bytes() == (model.parent / "b" / "fp.npz").read_bytes()
    assert sorted(one.name for one in first.parent.iterdir()) == ["fp.npz"]
    with np.load(first, allow_pickle=False) as archive:
        found = dict(archive)
    assert found["x"].shape == (6, 12, 12, 3)
    assert found["x"].dtype == np.uint8
    assert found["y"].dtype == np.uint16
    assert (int(found["format"]), str(found["kind"])) == (1, "rc")
    assert str(found["sha256"]) == hashlib.sha256(model.read_bytes()).hexdigest()
    assert int(found["tried"]) >= 6
    assert f"{found['tried']} tried" in said[0][1]
    assert json.loads(str(found["parameters"])) == {
        "epsilon": 16 / 255, "iterations": 4, "delta": 0.01, "draws": 4, "seed": 0,
    }  # fmt: skip


def test_a_spec_says_how_the_model_is_fed(command: Command, model: Path) -> None:
    (model.parent / "s.yaml").write_text(SPEC)
    own = ("--size", "12", "--mean", "0.5", "--std", "0.25")
    assert command(model.parent, "fingerprint", "m.onnx", "--out", "own.npz", *own, *FEW)[0] == 0
    assert command(model.parent, "fingerprint", "--spec", "s.yaml", "--out", "spec.npz", *FEW)[0] == 0
    assert (model.parent / "own.npz").read_bytes() == (model.parent / "spec.npz").read_bytes()
    asked = ("--spec", "s.yaml", "--model", "second", "--delta", "0.02", "--draws", "1", "--classes", "2")
    code, out, _ = command(model.parent, "fingerprint", *asked, "--out", "small.npz", "--count", "3")
    assert code == 0
    assert "3 images of 10x10 pixels" in out
    with np.load(model.parent / "small.npz") as archive:
        assert set(archive["y"]) <= {0, 1}
        found = json.loads(str(archive["parameters"]))
    assert (found["delta"], found["draws"]) == (0.02, 1)


def test_the_size_that_a_graph_fixes_needs_not_be_said(command: Command, tmp_path: Path) -> None:
    classifier(tmp_path / "fixed.onnx", BRIGHTEST, size=(8, 9), layout="nhwc")
    options = ("--layout", "nhwc", "--kind", "vanilla", "--epsilon", "0.2", "--out", "fp.npz", *FEW)
    code, out, _ = command(tmp_path, "fingerprint", "fixed.onnx", *options)
    assert code == 0
    assert "6 images of 8x9 pixels" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "fp.npz"], "name the model: MODEL.onnx, or --spec SPEC with --model NAME"),
        (["m.onnx", "--spec", "s.yaml", "--out", "fp.npz"], "name the model: MODEL.onnx, or --spec SPEC"),
        (["m.onnx", "--out", "fp.png"], "--out fp.png: a fingerprint is a .npz file"),
        (["m.onnx", "--out", "fp.npz"], "m.onnx takes images of any size: say which by --size"),
        (["m.onnx", "--out", "fp.npz", "--size", "0"], "--size must be from 1 to 4096 pixels, and --scale above 0"),
        (["m.onnx", "--out", "fp.npz", "--size", "100000"], "--size must be from 1 to 4096 pixels"),
        (["m.onnx", "--out", "fp.npz", "--size", "8", "--seed", "9" * 23], "a seed of 0 or more and below 2**63"),
        (["m.onnx", "--out", "fp.npz", "--size", "8", "--seed", str(2**63)], "of 0 or more and below 2**63"),
        (["m.onnx", "--out", "s.npz", "--size", "8"], "the fingerprint s.npz cannot be written (it is a folder)"),
        (["m.onnx", "--out", "fp.npz", "--std", "0"], "--std: give one number or three, and a std above 0"),
        (["m.onnx", "--out", "fp.npz", "--mean", "1", "2"], "--mean: give one number or three"),
        (["m.onnx", "--out", "fp.npz", "--size", "8", "--count", "0"], "make 1 image or more"),
        (["m.onnx", "--out", "fp.npz", "--size", "8", "--kind", "vanilla", "--delta", "0.1"],
         "--delta is not for the kind vanilla; leave it out"),
        (["m.onnx", "--out", "fp.npz", "--size", "8", "--epsilon", "9"], "take an epsilon above 0 and up to 1"),
        (["m.onnx", "--out", "fp.npz", "--model", "net"], "it names a model of a spec; give --spec as well"),
        *(
            (["m.onnx", "--out", "fp.npz", "--size", "8", "--classes", classes], "take 2 to 3, for which the model has")
            for classes in ("-2", "0", "1", "4")
        ),
        (["none.onnx", "--out", "fp.npz", "--size", "8"], "none.onnx does not exist: correct the path"),
        (["s.yaml", "--out", "fp.npz", "--size", "8"], "is no ONNX model"),
        (["--spec", "none.yaml", "--out", "fp.npz"], "there is no file none.yaml"),
        (["--spec", "s.yaml", "--out", "fp.npz", "--mean", "0"], "--mean: the spec says how the model is fed"),
        (["--spec", "s.yaml", "--out", "fp.npz", "--model", "frist"], "no such model, did you mean 'first'?"),
        (["m.onnx", "--out", "m.onnx/fp.npz", "--size", "12", *FEW], "cannot be written"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(command: Command, model: Path, arguments: list[str], said: str) -> None:
    (model.parent / "s.yaml").write_text(SPEC)
    (model.parent / "s.npz").mkdir()
    code, _, error = command(model.parent, "fingerprint", *arguments)
    assert code == 2
    assert said in error
    assert error.count("\n") == 1
    assert not (model.parent / "fp.npz").exists()


def test_mistakes_of_the_spec_are_its_own(command: Command, model: Path) -> None:
    (model.parent / "s.yaml").write_text(SPEC.replace("mean: [0.5]", "maen: [0.5]"))
    code, _, error = command(model.parent, "fingerprint", "--spec", "s.yaml", "--out", "fp.npz")
    assert code == 1
    assert "s.yaml:3:" in error


@pytest.mark.parametrize("text", ["1/0", "x", "nan", "inf", "1e999999999"])
@pytest.mark.parametrize("option", ["--delta", "--epsilon", "--mean"])
def test_a_number_that_is_none_is_an_error_of_usage(
    command: Command, model: Path, capfd: pytest.CaptureFixture[str], option: str, text: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        command(model.parent, "fingerprint", "m.onnx", "--out", "fp.npz", option, text)
    assert ended.value.code == 2
    assert f"argument {option}: '{text}' is no number such as 0.1 or 16/255" in capfd.readouterr().err


def test_the_largest_seed(command: Command, model: Path) -> None:
    options = ("--size", "12", "--seed", str(2**63 - 1), *FEW)
    assert command(model.parent, "fingerprint", "m.onnx", "--out", "fp.npz", *options)[0] == 0


def test_a_place_that_cannot_be_written_is_known_before_the_model_is_opened(command: Command, model: Path) -> None:
    code, _, error = command(model.parent, "fingerprint", "none.onnx", "--size", "12", "--out", "m.onnx/fp.npz")
    assert (code, error) == (
        2, "the fingerprint m.onnx/fp.npz cannot be written (Not a directory); choose another place\n"
    )  # fmt: skip


def test_many_images_are_made_a_few_at_a_time(command: Command, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_robust import models

    opened, sizes = models.open_model, []

    def watched(*args: object, **options: object) -> object:
        sizes.append(options["batch_size"])
        return opened(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(models, "open_model", watched)
    options = ("--size", "8", "--count", "120", "--kind", "vanilla", "--iterations", "2", "--epsilon", "1")
    assert command(model.parent, "fingerprint", "m.onnx", "--out", "fp.npz", *options)[0] == 0
    assert sizes == [50]
