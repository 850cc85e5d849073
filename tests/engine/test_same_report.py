"""One spec, run in every way there is: alone, by workers, in shards, after a kill, in small batches and on Ray."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import Any

import pytest

from pytest_robust.settings import CI_VARIABLES
from tests.conftest import CHECKOUT
from tests.folder import Folder
from tests.onnx_models import weighing
from tests.ray.conftest import needs_ray

SPEC = """\
format: 1
seed: 3
scores: true
dataset: {source: digits, split: test, limit: 96}
models:
  net:
    path: ../net.onnx
    preprocess: {mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}
  other: {like: net, path: ../other.onnx}
  cropped: {like: net, geometry: {crop: 28}}
  enhanced: {like: net, enhancer: {path: ../front.onnx}}
shifts:
  - {suite: imagenet-c, corruptions: [gaussian_noise, glass_blur, snow], severities: [1, 5], table: 224}
  - {suite: scaling, mode: down_up, multiples: [0.25, 0.5, 2]}
  - {name: fed, suite: scaling, mode: feed_scaled, multiples: [0.75]}
  - {suite: mine}
  - {suite: lp-noise, norms: {inf: [0.1], 2: [3]}}
  - {suite: fourier, amplitude_swap: [0.5], phase_swap: [0.9]}
  - {suite: adversarial, attack: fgsm}
  - {name: fresh, dataset: {source: digits, split: train, limit: 70}}
exclude:
  - {model: enhanced, suite: [imagenet-c, lp-noise, fourier, adversarial, mine]}
thresholds:
  - {min_accuracy: 0.3}
  - {where: {suite: imagenet-c}, max_drop: 0.3}
  - {max_regression: 0.01, max_negative_flips: 0.05}
aggregates:
  - {mce: {suite: imagenet-c, reference: other, model: net}, max: 1, max_regression: 0.005}
  - {trend: {suite: scaling, mode: down_up}, min_spearman: 0.5}
  - {monotone: {suite: scaling, mode: down_up, allowance: 0.02}}
  - {compare: {model: net, against: other, suite: imagenet-c}, min_gain: 0, max_clean_loss: 0.01}
  - {scores: {suite: imagenet-c, metric: ece}, max: 0.2}
golden: ../golden
"""
"""Pixel shifts, one that changes the size, one of the user's own, views, an attack, other data, scores, an enhancer
that gives weights, aggregates."""

OWN_SHIFT = """
import os
import signal
from pathlib import Path

from pytest_robust.shifts.base import PixelShift


def resolve(parameters, height, width):
    return {"severity": parameters["severity"]}


def dim(images, bits, severity):
    if Path("deadly").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return images - images // (4 * severity)


def pytest_robust_register(registry):
    registry.add(PixelShift("dim", "mine", 1, "our own camera", [1, 2], resolve, dim))
"""

OF_THE_CLOCK = {"run": ("started", "duration_s"), "cells": ("seconds", "cached")}
"""All that two reports may differ in."""


def outcome(project: Folder, name: str) -> tuple[dict[str, Any], bytes]:
    """A report without what the clock says, and the bytes of its samples."""
    found = project.json(f"{name}.json")
    for part in (found["run"], *found["cells"]):
        for key in OF_THE_CLOCK["run" if part is found["run"] else "cells"]:
            del part[key]
    return found, (project.path / f"{name}.npz").read_bytes()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """With goldens of the two models, which have then changed places."""
    found = Folder(tmp_path_factory.mktemp("project"))
    models = found.path / "net.onnx", found.path / "other.onnx"
    for model, source in zip(models, ("resnet", "resnet_worse"), strict=True):
        shutil.copy(CHECKOUT / "specs" / f"{source}.onnx", model)
    weighing(found.path / "front.onnx")
    (found.path / "conftest.py").write_text(OWN_SHIFT)
    found.spec(SPEC)
    alone(found, "--robust-update")
    models[0].rename(found.path / "was.onnx")
    models[1].rename(models[0])
    (found.path / "was.onnx").rename(models[1])
    return found


@pytest.fixture(scope="module")
def expected(project: Folder) -> tuple[dict[str, Any], bytes]:
    """What one process makes of it, cell after cell."""
    alone(project, "--robust-report=serial.json")
    found = outcome(project, "serial")
    verdicts = {cell["verdict"] for cell in found[0]["cells"]}
    assert verdicts >= {"PASS", "BELOW_FLOOR", "REGRESSED"}
    assert not verdicts & {"ERROR", "NO_GOLDEN"}
    assert len(found[0]["cells"]) == 3 * 19 + 6
    assert sum("enhancer_weights" in cell for cell in found[0]["cells"]) == 6
    assert len(found[0]["aggregates"]) == 13
    return found


def alone(project: Folder, *options: str, kept: str = "--robust-no-cache") -> subprocess.CompletedProcess[str]:
    """A run of pytest in a process of its own."""
    return process(project, "pytest", "--robust-spec=specs/small.yaml", kept, *options)


def process(project: Folder, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module in the project, as if neither CI nor a worker of pytest had started it."""
    foreign = (*CI_VARIABLES, "GITHUB_STEP_SUMMARY", *(name for name in os.environ if name.startswith("PYTEST_")))
    home = {name: value for name, value in os.environ.items() if name not in foreign}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=project.path, env=home, capture_output=True, text=True, check=False)


def compared(found: tuple[dict[str, Any], bytes], expected: tuple[dict[str, Any], bytes]) -> None:
    """Fail at the first part that differs, and not by pages."""
    report, samples = found
    for name in ("cells", "aggregates"):
        assert [one["id"] for one in report[name]] == [one["id"] for one in expected[0][name]]
        for one, other in zip(report[name], expected[0][name], strict=True):
            assert one == other
    for name in expected[0]["run"]:
        assert report["run"][name] == expected[0]["run"][name], name
    assert report == expected[0]
    assert samples == expected[1]


@pytest.mark.parametrize(
    "options",
    [
        ("-n2", "--dist=load"),
        ("-n2", "--dist=loadscope"),
        ("--robust-batch-size=7",),
        ("--robust-batch-size=64",),
        pytest.param(("--robust-engine=ray", "--robust-batch-size=32"), marks=needs_ray),
    ],
    ids=" ".join,
)
def test_workers_batches_and_ray(
    project: Folder, expected: tuple[dict[str, Any], bytes], options: tuple[str, ...]
) -> None:
    run = alone(project, "--robust-report=other.json", *options)
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout
    compared(outcome(project, "other"), expected)


def test_shards_merged(project: Folder, expected: tuple[dict[str, Any], bytes]) -> None:
    for part in "12":
        alone(project, f"--robust-shard={part}/2", f"--robust-report=shard{part}.json")
    merge = process(project, "pytest_robust", "merge", "shard1.json", "shard2.json", "--out=merged.json")
    assert merge.returncode == 1, merge.stderr
    assert "2 reports, 63 cells, 13 aggregates merged" in merge.stdout
    compared(outcome(project, "merged"), expected)


def test_killed_and_resumed(project: Folder, expected: tuple[dict[str, Any], bytes]) -> None:
    deadly = project.path / "deadly"
    deadly.touch()
    killed = alone(project, "--robust-report=resumed.json", kept="--robust-cache=kept")
    deadly.unlink()
    assert killed.returncode == -signal.SIGKILL
    assert not (project.path / "resumed.json").exists()
    alone(project, "--robust-report=resumed.json", kept="--robust-cache=kept")
    cached = [cell["cached"] for cell in project.json("resumed.json")["cells"]]
    assert 0 < sum(cached) < len(cached)
    compared(outcome(project, "resumed"), expected)
