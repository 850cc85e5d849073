"""ONNX Runtime as the oracle of outputs, finite differences in double precision as that of gradients."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from pytest_robust.gradients import TorchGraph, load

_TYPES = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8, "float16": TensorProto.FLOAT16}


def write(
    path: Path,
    nodes: Sequence[Any],
    shape: Sequence[int | str],
    constants: dict[str, Any] | None = None,
    *,
    opset: int = 20,
    outputs: Sequence[str] = ("y",),
    output_type: int = TensorProto.FLOAT,
    dtype: str = "float32",
    microsoft: bool = False,
) -> Path:
    """A model of those nodes from `x` of that shape to `y`."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("x", _TYPES[dtype], list(shape))],
        [helper.make_tensor_value_info(name, output_type, None) for name in outputs],
        [
            value if isinstance(value, TensorProto) else numpy_helper.from_array(np.asarray(value), name)
            for name, value in (constants or {}).items()
        ],
    )
    imports = [helper.make_opsetid("", opset)]
    if microsoft:
        imports.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8 if opset < 21 else 11), str(path))
    return path


def by_onnxruntime(path: Path, x: NDArray[Any], output: str | None = None, optimise: bool = False) -> NDArray[Any]:
    """What ONNX Runtime makes of the batch; as the file says it, or with its graph optimisations."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    fixed = session.get_inputs()[0].shape[0]
    step = fixed if isinstance(fixed, int) else len(x)
    parts = [session.run(output and [output], {name: x[i : i + step]})[0] for i in range(0, len(x), step)]
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def by_torch(graph: TorchGraph, x: NDArray[Any]) -> NDArray[Any]:
    with torch.no_grad():
        return graph(torch.from_numpy(x.astype(np.float32))).numpy()


def assert_same(made: NDArray[Any], expected: NDArray[Any], tolerance: float = 1e-5) -> None:
    """Equal shapes, and values within a share of the largest."""
    assert made.shape == expected.shape
    assert np.isfinite(made).all()
    np.testing.assert_allclose(made, expected, rtol=0, atol=tolerance * max(1e-3, np.abs(expected).max(initial=0)))


def assert_gradient(graph: TorchGraph, x: NDArray[Any], *, directions: int = 3, step: float = 1e-6) -> None:
    """Derivatives along random directions agree with central differences, all in double precision.

    A kink between the two points of a difference spoils it, which is rare at this step: most directions must agree.
    """
    draw = np.random.default_rng(5)
    graph = graph.double()
    images = torch.from_numpy(x.astype(np.float64)).requires_grad_()
    scores = graph(images)
    weights = torch.from_numpy(draw.normal(size=tuple(scores.shape)))
    (gradient,) = torch.autograd.grad((scores * weights).sum(), images)
    assert gradient.abs().max() > 0
    good = 0
    for _ in range(directions):
        along = torch.from_numpy(draw.normal(size=x.shape))
        with torch.no_grad():
            ahead, behind = (((graph(images + side * step * along)) * weights).sum() for side in (1, -1))
        difference = float(ahead - behind) / (2 * step)
        slope = float((gradient * along).sum())
        good += abs(slope - difference) <= 1e-5 * max(abs(slope), float(gradient.norm()))
    assert good > directions / 2


def check(path: Path, x: NDArray[Any], *, gradient: bool = True, tolerance: float = 1e-5) -> TorchGraph:
    """Hold a graph to both oracles."""
    graph = load(path)
    assert_same(by_torch(graph, x), by_onnxruntime(path, x).astype(np.float32), tolerance)
    if gradient:
        assert_gradient(load(path), x)
    return graph
