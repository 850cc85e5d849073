"""A project with attacks on linear models, of which every answer is known.

A model that compares channel means sees an image of tint t fall to an L-infinity attack of e grey levels where
t < 2 e: the own channel loses e and another gains it. At t = 2 e the lower class wins.
"""

import json
import re
from pathlib import Path

import numpy as np
import torch  # noqa: F401

import pytest_robust.attacks
import pytest_robust.engine.attacker  # noqa: F401
from tests.plugin.project import COUNT, Project

SPEC = """\
format: 1
dataset: {source: npz, path: ../data.npz, classes: 3}
models:
  net: {path: ../net.onnx}
  other: {path: ../other.onnx}
shifts:
  - {suite: adversarial, attack: fgsm, epsilons: [8], units: levels%s}
"""
TINTS = np.linspace(4, 42, COUNT).astype(np.uint8).astype(int)
LABELS = np.arange(COUNT) % 3
FALLS = TINTS < 16
"""Unequal to 16, where a tie goes to the lower class."""

WRITES_DOWN = """
import sys

import pytest_robust.engine.crafting as crafting

made = crafting.Crafting._attacker


def writing_down(self, want, shape):
    with open("crafted.txt", "a") as file:
        print(want.cell.source.name, want.cell.shift.shift, file=file)
    return made(self, want, shape)


crafting.Crafting._attacker = writing_down


def pytest_unconfigure(config):
    from pathlib import Path

    Path("loaded.txt").write_text(" ".join(sorted({"torch", "onnxruntime", "onnx"} & set(sys.modules))))
"""


def cells(project: Project, *args: str, process: bool = False) -> dict:
    run = project.run("--robust-report=r.json", "--robust-device=cpu", *args, process=process)
    assert run.code == 0, run.text
    found = json.loads((project.path / "r.json").read_text())["cells"]
    return {one["id"].removeprefix("specs/small.yaml::"): one for one in found}


def predicted(project: Project, cell: str) -> np.ndarray:
    with np.load(project.path / "r.npz") as arrays:
        (name,) = [one for one in arrays.files if one.startswith("predicted/") and one.endswith(f"::{cell}")]
        return arrays[name]


def crafted(project: Project) -> list[str]:
    return sorted((project.path / "crafted.txt").read_text().splitlines())


def damage(pack: Path) -> None:
    """Change one bit of one of its images."""
    content = bytearray(pack.read_bytes())
    content[content.index(b"canvases.npy") + 5000] ^= 1
    pack.write_bytes(content)


def refused(project: Project, sentence: str, cell: str = "") -> None:
    run = project.run("--robust-device=cpu")
    assert run.code != 0
    assert re.search(sentence, run.text), run.text
    assert "Traceback" not in run.text
    assert not cell or run.has(f"FAILED specs/small.yaml::{cell}")
