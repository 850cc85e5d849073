"""What a reader of a cell must know beside the numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.onnx_models import classifier
from tests.plugin.project import Project


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("{suite: lp-noise, set: lp-imperceptible, data: cifar}", True),
        ("{suite: lp-noise, norms: {2: [0.5]}}", False),
    ],
)
def test_a_set_for_canvases_of_another_size_says_so(project: Project, entry: str, told: bool) -> None:
    project.spec(project.spec_text.partition("shifts:")[0] + f"shifts: [{entry}]\n")
    assert project.run("-k", "l2 or clean", "--robust-report=out.json").code == 0
    clean, shifted = json.loads((project.path / "out.json").read_text())["cells"]
    said = "the strength is meant for canvases of 32x32 pixels and these have 16x16, where it is another one"
    assert (said in shifted["reasons"]) is told
    assert said not in clean["reasons"]


def test_a_set_on_its_own_canvases_is_told_nothing(project: Project) -> None:
    project.spec(
        "format: 1\ndataset: {source: digits, limit: 5}\nmodels: {net: {path: ../ten.onnx}}\n"
        "shifts: [{suite: lp-noise, set: lp-imperceptible, data: cifar}]\n"
    )
    classifier(project.path / "ten.onnx", np.eye(3, 10, dtype=np.float32))
    assert project.run("-k", "l2", "--robust-report=out.json").code == 0
    (cell,) = json.loads((project.path / "out.json").read_text())["cells"]
    assert not any("meant for canvases" in reason for reason in cell["reasons"])
