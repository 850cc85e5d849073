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
        (["m.onnx", "--out", "fp.npz", "--size", "0"], "--size and --scale must be above 0"),
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


def test_a_number_that_is_none_is_an_error_of_usage(command: Command, model: Path) -> None:
    for text in ("1/0", "x"):
        with pytest.raises(SystemExit):
            command(model.parent, "fingerprint", "m.onnx", "--out", "fp.npz", "--epsilon", text)
