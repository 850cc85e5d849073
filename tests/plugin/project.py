"""A small project of a user's: real images, real ONNX models, a spec; and pytest runs over it."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.onnx_models import BRIGHTEST, classifier

SPEC = """\
format: 1
dataset: {source: npz, path: ../data.npz, classes: 3}
models:
  net: {path: ../net.onnx}
shifts:
  - {suite: imagenet-c, corruptions: [gaussian_noise, contrast], severities: [1, 3]}
  - {suite: scaling, mode: down_up, multiples: [0.5, 2]}
thresholds:
  - {min_accuracy: 0.5}
  - {max_regression: 0.02, max_negative_flips: 0.05}
golden: ../golden
"""

LABELS = [
    "clean",
    "imagenet-c.gaussian_noise-1",
    "imagenet-c.gaussian_noise-3",
    "imagenet-c.contrast-1",
    "imagenet-c.contrast-3",
    "scaling.down_up-0.5",
    "scaling.down_up-2",
]
NET = [f"specs/small.yaml::net::{label}" for label in LABELS]

COUNT = 300


class Project:
    """The user's folder, and a way to run pytest in it.

    The images are grey noise with a tint of 4 to 42 grey levels in one channel, which is the class. `net.onnx`
    answers the brightest channel: all right, and right under every shift. `model(name, bias)` adds `bias` grey
    levels to the first class, so that it takes weakly tinted images of the others for its own.
    """

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.path = pytester.path
        self.spec_text = SPEC
        random = np.random.default_rng(0)
        labels = np.arange(COUNT) % 3
        images = random.integers(60, 180, (COUNT, 16, 16, 1), np.uint8).repeat(3, axis=3)
        tints = np.linspace(4, 42, COUNT).astype(np.uint8)
        images[np.arange(COUNT), :, :, labels] += tints[:, None, None]
        np.savez(self.path / "data.npz", x=images, y=labels)
        self.model("net")
        self.spec(SPEC)
        pytester.makefile(".toml", pyproject="[tool.pytest]\nminversion = '9.0'\n")

    def model(self, name: str, bias: float = 0.0) -> Path:
        """Write `<name>.onnx`; its scores are channel means in [0, 1] plus `bias` grey levels for class 0."""
        return classifier(self.path / f"{name}.onnx", BRIGHTEST, bias=[bias / 255, 0, 0])

    def spec(self, text: str, name: str = "specs/small.yaml") -> Path:
        """Write a spec."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def edit(self, old: str, new: str, name: str = "specs/small.yaml") -> None:
        """Replace a piece of the spec, which must be there."""
        path = self.path / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def run(self, *args: str, spec: bool = True, process: bool = False) -> Run:
        """Run pytest; `process` in a process of its own, as workers and start-up tests need."""
        options = ["--robust-spec=specs/small.yaml"] if spec else []
        run = self.pytester.runpytest_subprocess if process else self.pytester.runpytest_inprocess
        return Run(run(*options, *args, "-p", "no:cov"), self.path)

    def record(self) -> None:
        """Record goldens and commit them, so to speak."""
        assert self.run("--robust-update").code == 0

    def golden(self, model: str = "net") -> dict[str, Any]:
        """A golden's JSON."""
        found: dict[str, Any] = json.loads((self.path / "golden" / f"{model}.json").read_text())
        return found

    def files(self) -> dict[str, bytes]:
        """Every golden file with its content."""
        return {path.name: path.read_bytes() for path in (self.path / "golden").glob("*") if path.is_file()}


class Run:
    """What a pytest run printed and returned."""

    def __init__(self, result: pytest.RunResult, folder: Path) -> None:
        self.result = result
        self.code = int(result.ret)
        self.text = result.stdout.str() + result.stderr.str()
        self._folder = folder

    @property
    def outcomes(self) -> dict[str, int]:
        """Counts by outcome."""
        return self.result.parseoutcomes()

    @property
    def collected(self) -> list[str]:
        """Node ids that `--collect-only -q` lists."""
        return [line for line in self.result.outlines if "::" in line and " " not in line]

    def line(self, pattern: str) -> str:
        """The first line that matches a regular expression; fails with the whole text."""
        for line in self.text.splitlines():
            if re.search(pattern, line):
                return line
        raise AssertionError(f"no line matches {pattern!r} in:\n{self.text}")

    def has(self, pattern: str) -> bool:
        """Whether any line matches."""
        return re.search(pattern, self.text, re.MULTILINE) is not None
