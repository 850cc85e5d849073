"""Networks as torch's two exporters write them, and one laid out as TensorFlow's are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper

from pytest_robust.gradients import load
from tests.gradients.networks import DEPLOYED, FAMILIES
from tests.gradients.oracle import assert_same, by_torch, check, write

Exports = dict[tuple[str, str], Path]
IMAGES = np.random.default_rng(4).normal(size=(4, 3, 32, 32)).astype(np.float32)


@pytest.mark.parametrize(
    ("family", "exporter"),
    [(family, "torchscript") for family in FAMILIES] + [(family, "dynamo") for family in DEPLOYED],
)
def test_a_family(exports: Exports, family: str, exporter: str) -> None:
    check(exports[family, exporter], IMAGES)


@pytest.mark.parametrize("family", ["vit", "fixed_vit"])
def test_any_number_of_images(exports: Exports, family: str) -> None:
    """Also where the model fixes its batch at 2, alone and with what fills up the last batch."""
    graph = load(exports[family, "torchscript"])
    all_at_once = by_torch(graph, IMAGES)
    for count in (1, 3):
        assert_same(by_torch(graph, IMAGES[:count]), all_at_once[:count])
    images = torch.from_numpy(IMAGES[:3]).requires_grad_()
    graph(images)[1].sum().backward()
    assert images.grad is not None
    assert [bool(one.any()) for one in images.grad] == [False, True, False]


def test_folded_batch_normalisation(exports: Exports, tmp_path: Path) -> None:
    """The exporters fold it into the convolution before it; kept apart it gives the same."""
    kept = [node.op_type for node in onnx.load(exports["resnet", "dynamo"]).graph.node]
    assert "BatchNormalization" not in kept
    weights = np.random.default_rng(2).normal(size=(4, 3, 3, 3)).astype(np.float32)
    four = {name: np.random.default_rng(seed).random(4).astype(np.float32) for seed, name in enumerate("sbmv")}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], strides=[2, 2]),
        helper.make_node("BatchNormalization", ["c", *"sbmv"], ["n"]),
        helper.make_node("Relu", ["n"], ["y"]),
    ]
    apart = write(tmp_path / "apart.onnx", nodes, ["N", 3, 32, 32], {"w": weights, **four}, opset=15)
    check(apart, IMAGES)
    scale = four["s"] / np.sqrt(four["v"] + 1e-5)
    folded = {"w": weights * scale[:, None, None, None], "b": four["b"] - four["m"] * scale}
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["y"]),
    ]
    together = write(tmp_path / "folded.onnx", nodes, ["N", 3, 32, 32], folded, opset=15)
    gradients = []
    for path in (apart, together):
        images = torch.from_numpy(IMAGES).requires_grad_()
        load(path)(images).square().sum().backward()
        assert images.grad is not None
        gradients.append(images.grad.numpy())
    assert_same(gradients[0], gradients[1])


def test_channels_last_as_tensorflow_exports(tmp_path: Path) -> None:
    draw = np.random.default_rng(6)
    constants = {
        "w": draw.normal(size=(8, 3, 3, 3)).astype(np.float32),
        "depth": draw.normal(size=(8, 1, 3, 3)).astype(np.float32),
        "b": draw.normal(size=8).astype(np.float32),
        "dense": draw.normal(size=(8, 5)).astype(np.float32),
        "mean": np.float32(127.5),
        "axes": np.array([1, 2]),
        "six": np.float32(6),
        "zero": np.float32(0),
        "columns": np.array([-1, 8]),
    }
    nodes = [
        helper.make_node("Sub", ["x", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "mean"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["planar"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planar", "w"], ["c"], auto_pad="SAME_UPPER", strides=[2, 2]),
        helper.make_node("Transpose", ["c"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Add", ["last", "b"], ["biased"]),
        helper.make_node("Clip", ["biased", "zero", "six"], ["relu6"]),
        helper.make_node("Transpose", ["relu6"], ["again"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["again", "depth"], ["d"], auto_pad="SAME_UPPER", strides=[2, 2], group=8),
        helper.make_node("Transpose", ["d"], ["deep"], perm=[0, 2, 3, 1]),
        helper.make_node("ReduceMean", ["deep", "axes"], ["pooled"], keepdims=0),
        helper.make_node("Reshape", ["pooled", "columns"], ["flat"]),
        helper.make_node("MatMul", ["flat", "dense"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["y"]),
    ]
    path = write(tmp_path / "tf.onnx", nodes, ["N", 32, 32, 3], constants, opset=18)
    check(path, (IMAGES.transpose(0, 2, 3, 1) * 60 + 127).astype(np.float32))
