"""`pytest-robust enhance`: from a spec to an enhancer, killed and resumed, and what it chooses."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from pytest_robust.data import digits_arrays
from pytest_robust.data.dataset import rank
from pytest_robust.enhance import NAMES, DynTTA, export
from tests.cli.conftest import Said
from tests.conftest import CHECKOUT
from tests.interrupts import heeds_ctrl_c
from tests.one_thread import one_thread  # noqa: F401

SPEC = """\
format: 1
dataset: {source: digits, limit: 20}
models:
  net: {path: resnet.onnx, preprocess: {mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}}
  pair: {like: net, enhancer: {path: made.onnx}}
shifts:
  - {suite: imagenet-c, corruptions: [fog], severities: [3], table: 224}
thresholds:
  - {where: {model: pair, shift: clean}, min_accuracy: 0.5}
"""
SHORT = ("--limit", "24", "--batch", "8", "--epochs", "2")
NON_BLIND = ("train", "--spec", "net.yaml", "--model", "net", "--mode", "non-blind", "--out", "made.onnx", *SHORT)


def rank_of(places: range) -> list[int]:
    """Positions in the test split in the order in which a limit keeps them."""
    ids = digits_arrays("test")[2]
    return sorted(places, key=lambda place: rank("0", ids[place]))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "net.yaml").write_text(SPEC)
    shutil.copy(CHECKOUT / "specs" / "resnet.onnx", tmp_path)
    return tmp_path


@pytest.fixture
def enhance(command: Callable[..., Said]) -> Callable[..., Said]:
    return lambda folder, *arguments: command(folder, "enhance", *arguments)


def test_train_weights_and_gate(project: Path, enhance: Callable[..., Said]) -> None:
    blind = [one if one != "non-blind" else "blind" for one in NON_BLIND]
    code, out, err = enhance(project, *blind)
    assert code == 0, err
    assert out.startswith("made.onnx written: 2 epochs over 24 images; ONNX Runtime and torch agree within ")
    assert sorted(one.name for one in project.iterdir()) == ["made.csv", "made.onnx", "net.yaml", "resnet.onnx"]
    code, out, err = enhance(project, "weights", "--spec", "net.yaml", "--model", "pair", "--images", "6", "--top", "2")
    assert code == 0, err
    head, *lines = out.splitlines()
    assert head.split() == ["shift", "images", "1.", "2."]
    assert [line.split()[:2] for line in lines] == [["clean", "6"], ["imagenet-c.fog-3", "6"]]
    images, _, _ = digits_arrays("test")
    session = onnxruntime.InferenceSession(str(project / "made.onnx"), providers=["CPUExecutionProvider"])
    chosen = sorted(rank_of(range(len(images)))[:20])[:6]
    pixels = np.ascontiguousarray(images[chosen].transpose(0, 3, 1, 2), np.float32) / 255
    mean = session.run(["weights"], {"pixels": pixels})[0].mean(0)
    first, second = np.argsort(-mean)[:2]
    assert lines[0].split()[2:] == [NAMES[first], f"{mean[first]:.1%}", NAMES[second], f"{mean[second]:.1%}"]


def test_a_killed_training_resumes_to_the_same_bytes(project: Path, enhance: Callable[..., Said]) -> None:
    whole = project / "whole"
    whole.mkdir()
    for name in ("net.yaml", "resnet.onnx"):
        shutil.copy(project / name, whole)
    assert enhance(whole, *NON_BLIND)[0] == 0
    line = [sys.executable, "-m", "pytest_robust", "enhance", *NON_BLIND]
    child = subprocess.Popen(line, cwd=project, env={**os.environ, "OMP_NUM_THREADS": "1"})
    state = project / "made.onnx.training"
    began = time.monotonic()
    while not state.exists() and child.poll() is None:
        assert time.monotonic() - began < 120
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not (project / "made.onnx").exists()
    code, _, err = enhance(project, *NON_BLIND)
    assert (code, err.count("unfinished training")) == (2, 1)
    code, _, err = enhance(project, *NON_BLIND, "--resume")
    assert code == 0, err
    assert (project / "made.onnx").read_bytes() == (whole / "made.onnx").read_bytes()
    assert not state.exists()


def test_an_interrupt_says_how_to_go_on(project: Path) -> None:
    line = [sys.executable, "-m", "pytest_robust", "enhance", *NON_BLIND, "--epochs", "9999"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(
        line, cwd=project, env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=heeds_ctrl_c
    )
    state = project / "made.onnx.training"
    began = time.monotonic()
    while not state.exists() and child.poll() is None:
        assert time.monotonic() - began < 120
        time.sleep(0.005)
    child.send_signal(signal.SIGINT)
    try:
        _, err = child.communicate(timeout=60)
    finally:
        child.kill()
    assert (child.returncode, err) == (
        2,
        "the training was broken off; go on from made.onnx.training with --resume\n",
    )


def test_mistakes_are_one_sentence(project: Path, enhance: Callable[..., Said]) -> None:
    def said(*changes: str, base: tuple[str, ...] = NON_BLIND) -> str:
        code, _, err = enhance(project, *base, *changes)
        assert code == 2
        assert len(err.strip().splitlines()) == 1
        return err

    assert "did you mean 'net'" in said("--model", "nett")
    assert "there is no file none.yaml" in said("--spec", "none.yaml")
    assert "an enhancer is a .onnx file" in said("--out", "made.pt")
    assert "choose cpu, cuda or cuda:N" in said("--device", "tpu")
    assert "leave it out" in said("--mode", "blind", "--table", "224")
    assert "batch must be 2 or more" in said("--batch", "1")
    images, labels, _ = digits_arrays("test")
    np.savez(project / "test.npz", x=images[:20], y=labels[:20])
    assert "there is no folder or file" in said("--data", "nothing")
    (project / "empty").mkdir()
    assert said("--data", "empty").startswith("--data: ")
    (project / "net.yaml").write_text(SPEC.replace("{source: digits, limit: 20}", "{source: npz, path: test.npz}"))
    assert "--data is missing: name the images to train on" in said()
    (project / "net.yaml").write_text(
        SPEC.replace("{source: digits, limit: 20}", "{source: npz, path: test.npz, limit: 3}")
    )
    assert "the spec judges by 0" in said("--data", "test.npz", "--limit", "50"), "some of them are enough"
    weights = ("weights", "--spec", "net.yaml", "--model")
    assert "net has no enhancer" in said("net", base=weights)
    shutil.copy(project / "resnet.onnx", project / "made.onnx")
    assert "has no outputs `weights` and `magnitudes`" in said("pair", base=weights)
    assert "take 1 or more" in said("pair", "--images", "0", base=weights)


def test_a_spec_with_mistakes_is_exit_code1(project: Path, enhance: Callable[..., Said]) -> None:
    (project / "net.yaml").write_text(SPEC + "wrong: 1\n")
    code, _, err = enhance(project, *NON_BLIND)
    assert code == 1
    assert "wrong" in err


def arrays(split: str, count: int) -> dict[str, np.ndarray]:
    images, labels, _ = digits_arrays(split)
    return {"x": images[:count], "y": labels[:count]}


def test_what_goes_into_a_training_is_never_overwritten(project: Path, enhance: Callable[..., Said]) -> None:
    before = (project / "resnet.onnx").read_bytes()
    code, _, err = enhance(project, *NON_BLIND, "--out", "resnet.onnx")
    assert (code, err.count("would overwrite resnet.onnx, which is read; choose another name")) == (2, 1)
    (project / "train.csv").write_text("path,label\n")
    code, _, err = enhance(project, *NON_BLIND, "--data", "train.csv", "--out", "train.onnx")
    assert (code, err.count("--out train.onnx would overwrite train.csv, which is read")) == (2, 1)
    assert (project / "resnet.onnx").read_bytes() == before
    assert (project / "train.csv").read_text() == "path,label\n"


def test_one_judged_image_among_others_is_refused(project: Path, enhance: Callable[..., Said]) -> None:
    """Whatever file it comes in, and whatever it is called there."""
    mixed, judged = arrays("train", 40), arrays("test", 597)
    mixed["x"][33] = judged["x"][rank_of(range(597))[-1]]
    np.savez(project / "mixed.npz", **mixed)
    code, _, err = enhance(project, *NON_BLIND, "--data", "mixed.npz", "--limit", "40")
    assert code == 0, "only the first 20 by rank are judged"
    (project / "net.yaml").write_text(SPEC.replace("{source: digits, limit: 20}", "{source: digits}"))
    code, _, err = enhance(project, *NON_BLIND, "--data", "mixed.npz", "--limit", "40")
    assert (code, len(err.strip().splitlines())) == (2, 1)
    assert "the spec judges by 000033 too" in err


def test_class_folders_of_fewer_classes_keep_the_outputs_of_the_spec(
    project: Path, enhance: Callable[..., Said]
) -> None:
    for split, kinds in (("test", range(10)), ("train", (1, 2))):
        images, labels, _ = digits_arrays(split)
        for kind in kinds:
            (project / split / str(kind)).mkdir(parents=True)
            for place in np.flatnonzero(labels == kind)[:8]:
                Image.fromarray(images[place]).save(project / split / str(kind) / f"{place}.png")
    (project / "net.yaml").write_text(SPEC.replace("{source: digits, limit: 20}", "{source: folder, path: test}"))
    code, _, err = enhance(project, *NON_BLIND, "--data", "train", "--limit", "16")
    assert code == 0, err
    (row,) = list(csv.DictReader((project / "made.csv").read_text().splitlines()))[:1]
    assert float(row["accuracy"]) > 0.4, "ones are taken for ones, and not for zeros"


def test_weights_leave_out_what_is_crafted_on_a_model(project: Path, enhance: Callable[..., Said]) -> None:
    export(DynTTA("small"), project / "made.onnx", torch.rand(2, 3, 32, 32))
    attack = "shifts:\n  - {suite: adversarial, attack: fgsm, epsilons: [0.01]}\n"
    (project / "net.yaml").write_text(SPEC.replace("shifts:\n", attack))
    code, out, err = enhance(project, "weights", "--spec", "net.yaml", "--model", "pair", "--images", "2")
    assert code == 0, err
    assert [line.split()[0] for line in out.splitlines()] == ["shift", "clean", "imagenet-c.fog-3"]
