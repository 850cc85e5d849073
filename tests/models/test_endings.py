"""Whether an output holds logits or probabilities, as the end of the graph shows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pytest_robust.models.endings import endings

GEMM = ("Gemm", "x weights -> a")
SOFT = ("Softmax", "a -> p")


def ending(*steps: tuple[str, str]) -> str:
    """The ending of a graph written as `operator`, `inputs -> output` pairs; the last output is the graph's."""
    nodes = [helper.make_node(name, *(side.split() for side in text.split("->"))) for name, text in steps]
    last = nodes[-1].output[0]
    constants = [numpy_helper.from_array(np.ones((2, 2), np.float32), name) for name in ("weights", "c")]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, ["N", 2])],
        constants,
    )
    return endings(graph)[last]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([GEMM], "logits"),
        ([GEMM, SOFT], "probabilities"),
        # a bias, a temperature, a pool behind: still logits
        ([("MatMul", "x weights -> a"), ("Add", "c a -> b")], "logits"),
        ([GEMM, ("Div", "a c -> b"), ("Identity", "b -> d")], "logits"),
        ([("Conv", "x weights -> a"), ("Relu", "a -> b"), ("GlobalAveragePool", "b -> d")], "logits"),
        ([GEMM, ("LogSoftmax", "a -> b")], "logits"),
        # what a dynamic quantization leaves behind: the scale comes from the image
        (
            [
                ("DynamicQuantizeLinear", "x -> q s z"),
                ("MatMulInteger", "q weights -> a"),
                ("Mul", "s c -> m"),
                ("Mul", "a m -> b"),
            ],
            "logits",
        ),
        # moved, cut and rounded probabilities are probabilities
        ([GEMM, SOFT, ("Slice", "p c -> b"), ("Cast", "b -> d")], "probabilities"),
        ([GEMM, SOFT, ("QuantizeLinear", "p c -> b"), ("DequantizeLinear", "b c -> d")], "probabilities"),
        ([GEMM, ("QLinearSoftmax", "a c -> p"), ("DequantizeLinear", "p c -> d")], "probabilities"),
        # these are neither, or may be either
        ([GEMM, ("Sigmoid", "a -> b")], "Sigmoid"),
        ([GEMM, SOFT, ("Mul", "p c -> b")], "Mul"),
        ([GEMM, SOFT, ("Clip", "p c -> b")], "Clip"),
        ([GEMM, SOFT, ("Softmax", "x -> q"), ("Add", "p q -> b"), ("Div", "b c -> d")], "Div"),
        ([GEMM, ("LogSoftmax", "a -> b"), ("Exp", "b -> d")], "Exp"),
        ([GEMM, ("Exp", "a -> e"), ("ReduceSum", "e -> s"), ("Div", "e s -> d")], "Div"),
        ([("Identity", "x -> a")], "its input"),
        ([("Add", "x x -> a"), ("Add", "a a -> b"), ("Add", "b b -> d")], "Add"),
    ],
)
def test_endings(steps: list[tuple[str, str]], expected: str) -> None:
    assert ending(*steps) == expected


def test_a_long_ladder_is_climbed_once() -> None:
    """Every rung doubles the paths down: 2**50 of them."""
    rungs = [step for at in range(50) for step in (("Relu", f"a{at} -> r{at}"), ("Add", f"a{at} r{at} -> a{at + 1}"))]
    assert ending(("Sigmoid", "x -> a0"), *rungs) == "Add"
    assert ending(("Gemm", "x weights -> a0"), *rungs) == "logits"


def test_real_models(shared_data: Path) -> None:
    entries = json.loads((shared_data / "models.json").read_text())["models"]
    assert len(entries) == 15
    for entry in entries:
        model = onnx.load_model(str(shared_data / entry["file"]), load_external_data=False)
        kind = entry["output"]["kind"].split()[0]
        assert endings(model.graph) == {entry["output"]["name"]: kind}, entry["file"]
