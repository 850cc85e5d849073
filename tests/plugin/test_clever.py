"""CLEVER in a run: what it says of models without a slope, of scores at the radius and of gradients that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch  # noqa: F401 - runs within one process, which can load it once only
from onnx import TensorProto, helper, numpy_helper

from tests.onnx_models import BRIGHTEST, classifier
from tests.plugin.project import Project

SPEC = """\
format: 1
dataset: {source: npz, path: ../data.npz, classes: 3}
models:
  net: {path: ../net.onnx}
  flat: {path: ../flat.onnx}
  root: {path: ../root.onnx, output: {kind: logits}}
shifts: []
aggregates:
  - {clever: {samples: 12, batches: 2, points: 2, radius: 0.01}}
"""


def rooted(path: Path) -> None:
    """The root of a score that is cut off at 0 and weighed: a number everywhere, whose slope is none at 0."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["score"]),
        helper.make_node("Relu", ["score"], ["cut"]),
        helper.make_node("Mul", ["cut", "flat"], ["product"]),
        helper.make_node("Sqrt", ["product"], ["scores"]),
    ]
    stored = {"weights": BRIGHTEST, "bias": np.full(3, -0.49)}
    graph = helper.make_graph(
        nodes,
        "root",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, None, None])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in stored.items()],
    )
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]), path)


@pytest.fixture
def scored(project: Project) -> dict[str, dict[str, Any]]:
    classifier(project.path / "flat.onnx", np.zeros((3, 3)), bias=[1, 0, 0])
    rooted(project.path / "root.onnx")
    project.spec(SPEC)
    project.run("--robust-report=out.json")
    report = json.loads((project.path / "out.json").read_text())
    return {found["models"][0]: found for found in report["aggregates"]}


def test_a_model_without_slope_and_scores_at_the_radius_are_noted(scored: dict[str, dict[str, Any]]) -> None:
    flat, net = scored["flat"], scored["net"]
    count = flat["clever"]["scored"]
    assert flat["value"] == pytest.approx(0.01)
    assert f"{count} of {count} images have no slope within the radius: gradients may be masked" in flat["reasons"]
    assert not any("caps" in reason for reason in flat["reasons"]), "said once"
    assert "12 of 12 scores at the radius, which caps them: a larger one may tell more" in net["reasons"]
    assert not any("masked" in reason for reason in net["reasons"])


def test_a_gradient_that_is_no_number_names_the_model(scored: dict[str, dict[str, Any]]) -> None:
    root = scored["root"]
    assert root["verdict"] == "ERROR"
    assert "CLEVER of root: " in root["reasons"][0]
    assert "no finite number" in root["reasons"][0]
