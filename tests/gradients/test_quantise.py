"""Quantized graphs: forwards as ONNX Runtime rounds and saturates, backwards straight through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

from pytest_robust.gradients import load
from tests.gradients.oracle import assert_same, by_onnxruntime, by_torch, check, write

TYPES = {"uint8": TensorProto.UINT8, "int8": TensorProto.INT8, "uint16": TensorProto.UINT16, "int16": TensorProto.INT16}


def pair(path: Path, scale: Any, zero: Any, axis: int = 1, opset: int = 21, **attributes: Any) -> Path:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], axis=axis, **attributes),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], axis=axis, **attributes),
    ]
    return write(path, nodes, ["N", 3, 8], {"s": scale, "z": zero}, opset=opset)


@pytest.mark.parametrize("kind", TYPES)
def test_rounding_and_saturation_are_exact(kind: str, tmp_path: Path) -> None:
    limits = np.iinfo(kind)
    zero = np.array(limits.min // 2 + limits.max // 2 + 3, kind)
    scale = np.float32(0.1)
    path = pair(tmp_path / "q.onnx", scale, zero)
    # Halves between two steps, which round to even, and values far outside.
    steps = np.arange(-12, 12, dtype=np.float32).reshape(1, 3, 8) / 2
    x = np.concatenate([steps * scale, steps * 1e5, steps])
    np.testing.assert_array_equal(by_torch(load(path), x), by_onnxruntime(path, x))


@pytest.mark.parametrize("scale", [0.1, 0.003, 0.07, 1 / 3, 0.0235])
def test_halves_are_found_by_division(scale: float, tmp_path: Path) -> None:
    """Multiplying by the reciprocal, as torch's own fake quantization does, rounds some of these the other way."""
    path = pair(tmp_path / "q.onnx", np.float32(scale), np.uint8(128))
    x = (np.arange(-120, 120, dtype=np.float32).reshape(10, 3, 8) / 2 * np.float32(scale)).astype(np.float32)
    np.testing.assert_array_equal(by_torch(load(path), x), by_onnxruntime(path, x))


def test_casts_to_bytes_cut_fractions_off(tmp_path: Path) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["b"], to=TensorProto.UINT8), helper.make_node("Cast", ["b"], ["y"], to=1)]
    path = write(tmp_path / "c.onnx", nodes, ["N", 8])
    x = np.random.default_rng(0).uniform(0, 255, (4, 8)).astype(np.float32)
    np.testing.assert_array_equal(by_torch(load(path), x), by_onnxruntime(path, x))


@pytest.mark.parametrize("axis", [1, -1, 2])
def test_one_scale_per_channel(axis: int, tmp_path: Path) -> None:
    width = (3, 8)[axis % 3 - 1]
    scale = np.linspace(0.01, 0.2, width, dtype=np.float32)
    zero = np.arange(width).astype(np.uint8) * 9
    path = pair(tmp_path / "q.onnx", scale, zero, axis)
    x = np.random.default_rng(1).normal(size=(2, 3, 8)).astype(np.float32) * 4
    np.testing.assert_array_equal(by_torch(load(path), x), by_onnxruntime(path, x))


def test_one_scale_per_block(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    scale = draw.uniform(0.01, 0.2, (2, 3, 2)).astype(np.float32)
    zero = draw.integers(0, 200, (2, 3, 2)).astype(np.uint8)
    path = pair(tmp_path / "q.onnx", scale, zero, 2, block_size=4)
    x = draw.normal(size=(2, 3, 8)).astype(np.float32) * 4
    np.testing.assert_array_equal(by_torch(load(path), x), by_onnxruntime(path, x))


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-4, 10), st.integers(0, 255), st.integers(0, 2**32 - 1))
def test_the_gradient_passes_straight_through(tmp_path_factory: Any, scale: float, zero: int, seed: int) -> None:
    """One where the rounded value is within the type's limits, nothing where it saturates."""
    path = pair(tmp_path_factory.mktemp("q") / "q.onnx", np.float32(scale), np.uint8(zero))
    x = (np.random.default_rng(seed).normal(size=(4, 3, 8)) * 200 * scale).astype(np.float32)
    images = torch.from_numpy(x).requires_grad_()
    weights = torch.linspace(-1, 1, 96).reshape(4, 3, 8)
    (load(path)(images) * weights).sum().backward()
    level = np.round(x / np.float32(scale)) + zero
    expected = np.where((level >= 0) & (level <= 255), weights.numpy(), 0)
    assert images.grad is not None
    np.testing.assert_allclose(images.grad.numpy(), expected, rtol=1e-6)


class Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, images: NDArray[np.float32]) -> None:
        self._left = iter([{name: images}])

    def get_next(self) -> Any:
        return next(self._left, None)


IMAGES = np.random.default_rng(4).normal(size=(4, 3, 32, 32)).astype(np.float32)


@pytest.fixture(scope="module")
def quantized(
    exports: dict[tuple[str, str], Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str, bool], Path]:
    """(family, format, per channel) -> a network quantized by ONNX Runtime, calibrated on `IMAGES`."""
    folder = tmp_path_factory.mktemp("quantized")
    made = {}
    for family in ("vgg", "mobilenet"):
        source = exports[family, "torchscript"]
        for form in (QuantFormat.QDQ, QuantFormat.QOperator):
            for channels in (False, True):
                path = folder / f"{family}_{form.name}_{channels}.onnx"
                kind = QuantType.QInt8 if channels else QuantType.QUInt8
                quantize_static(
                    source, path, Reader("images", IMAGES), form, per_channel=channels, weight_type=kind,
                    activation_type=QuantType.QUInt8,
                )  # fmt: skip
                made[family, form.name, channels] = path
    return made


@pytest.mark.parametrize("channels", [False, True])
@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
@pytest.mark.parametrize("family", ["vgg", "mobilenet"])
@pytest.mark.filterwarnings("ignore")
def test_a_network(
    quantized: dict[tuple[str, str, bool], Path],
    exports: dict[tuple[str, str], Path],
    family: str,
    form: str,
    channels: bool,
) -> None:
    """Sums in another order turn single roundings, so outputs agree to a few steps; so do gradients to the float's."""
    path = quantized[family, form, channels]
    graph, source = load(path), load(exports[family, "torchscript"])
    expected = by_onnxruntime(path, IMAGES)
    assert_same(by_torch(graph, IMAGES), expected, 0.02)
    gradients = []
    for one in (graph, source):
        images = torch.from_numpy(IMAGES).requires_grad_()
        one(images)[:, 1].sum().backward()
        assert images.grad is not None
        gradients.append(images.grad.flatten())
    assert float(torch.cosine_similarity(*gradients, dim=0)) > 0.9


def straight(x: torch.Tensor, scale: float, zero: int) -> torch.Tensor:
    """The textbook estimator: the float value clamped to the range, plus what rounding changes, as a constant."""
    inside = x.clamp((0 - zero) * scale, (255 - zero) * scale)
    rounded = (torch.round(x / scale) + zero).clamp(0, 255).sub(zero).mul(scale)
    return inside + (rounded - inside).detach()


def test_a_small_network_by_hand(tmp_path: Path) -> None:
    """Conv, quantization, ReLU, quantization, Conv: gradients equal those of the textbook estimator."""
    draw = np.random.default_rng(3)
    first, second = (draw.integers(-127, 128, size).astype(np.int8) for size in ((4, 3, 3, 3), (2, 4, 3, 3)))
    numbers = {"ws": np.float32(0.02), "wz": np.int8(0), "s": np.float32(0.11), "z": np.uint8(90)}
    numbers |= {"r": np.float32(0.05), "n": np.uint8(0)}
    nodes = [
        helper.make_node("DequantizeLinear", ["w1", "ws", "wz"], ["f1"]),
        helper.make_node("DequantizeLinear", ["w2", "ws", "wz"], ["f2"]),
        helper.make_node("Conv", ["x", "f1"], ["a"]),
        helper.make_node("QuantizeLinear", ["a", "s", "z"], ["aq"]),
        helper.make_node("DequantizeLinear", ["aq", "s", "z"], ["b"]),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "r", "n"], ["cq"]),
        helper.make_node("DequantizeLinear", ["cq", "r", "n"], ["d"]),
        helper.make_node("Conv", ["d", "f2"], ["y"]),
    ]
    path = write(tmp_path / "net.onnx", nodes, ["N", 3, 9, 9], {"w1": first, "w2": second, **numbers}, opset=17)
    x = draw.normal(size=(2, 3, 9, 9)).astype(np.float32) * 2
    graph = load(path)
    assert_same(by_torch(graph, x), by_onnxruntime(path, x), 1e-3)
    # The weights are dequantized once, at load.
    assert [step.label.rsplit("(", 1)[1] for step in graph._steps].count("DequantizeLinear)") == 2

    ours, by_hand = (torch.from_numpy(x.astype(np.float64)).requires_grad_() for _ in range(2))
    graph.double()(ours).square().sum().backward()
    scales = {name: float(value) for name, value in numbers.items()}
    one, two = (torch.from_numpy(weight.astype(np.float32) * numbers["ws"]).double() for weight in (first, second))
    inner = straight(torch.nn.functional.conv2d(by_hand, one), scales["s"], 90)
    inner = straight(torch.relu(inner), scales["r"], 0)
    torch.nn.functional.conv2d(inner, two).square().sum().backward()
    assert ours.grad is not None
    assert by_hand.grad is not None
    torch.testing.assert_close(ours.grad, by_hand.grad, rtol=1e-9, atol=1e-9)


@pytest.mark.filterwarnings("ignore")
def test_dynamic_quantization(exports: dict[tuple[str, str], Path], tmp_path: Path) -> None:
    """Ranges measured anew in each batch, products of integers."""
    path = tmp_path / "dynamic.onnx"
    quantize_dynamic(exports["vit", "torchscript"], path, weight_type=QuantType.QInt8)
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert {"DynamicQuantizeLinear", "MatMulInteger", "ConvInteger"} <= kinds
    graph = load(path)
    assert_same(by_torch(graph, IMAGES), by_onnxruntime(path, IMAGES), 0.02)
    images = torch.from_numpy(IMAGES).requires_grad_()
    graph(images)[:, 1].sum().backward()
    assert images.grad is not None
    assert images.grad.abs().max() > 0


def test_integer_products(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    zeros = {"az": np.array(7, np.uint8), "bz": np.array([3, -4, 0, 9], np.int8)}
    constants = {"s": np.float32(0.05), "w": draw.integers(-99, 99, (6, 4)).astype(np.int8), **zeros}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "az"], ["q"]),
        helper.make_node("MatMulInteger", ["q", "w", "az", "bz"], ["i"]),
        helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["f", "s"], ["y"]),
    ]
    path = write(tmp_path / "m.onnx", nodes, ["N", 6], constants)
    check(path, draw.normal(size=(5, 6)).astype(np.float32), gradient=False)
