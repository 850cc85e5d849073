"""Real trained classifiers on real images: outputs, labels, gradients, and what a gradient is good for."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from pytest_robust.gradients import TorchGraph, load
from tests.gradients.oracle import assert_gradient, assert_same, by_onnxruntime, by_torch

FLOAT = [
    *("cifar10_resnet20", "cifar10_resnet32", "cifar10_resnet56", "cifar10_resnet8_fp32"),
    *("cifar10_resnet2b_advtrained", "mobilenet_v1_025_128_fp32", "mobilenet_v1_050_160_fp32"),
    *("mobilenet_v2_100_224_fp32", "squeezenet1_0"),
]
INTEGER = [
    *("cifar10_resnet20_int8", "cifar10_resnet8_int8", "mobilenet_v1_025_128_int8", "mobilenet_v1_050_160_int8"),
    *("mobilenet_v2_100_224_int8", "squeezenet1_0_int8"),
]


@cache
def facts(shared: Path) -> dict[str, Any]:
    models = json.loads((shared / "models.json").read_text())["models"]
    return {Path(one["file"]).stem: one for one in models}


def images(shared: Path, name: str, count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The model's input for the first images of its data set, and their labels."""
    fact = facts(shared)[name]
    size, rule = fact["size"], fact["preprocess"]
    if name.startswith("cifar10"):
        with np.load(shared / "cifar10" / "test_lossless_100.npz") as arrays:
            pixels, labels = arrays["x"][:count], arrays["y"][:count]
    else:
        folder = shared / "imagenet_val227"
        rows = list(csv.DictReader((folder / "labels.csv").read_text().splitlines()))[:count]
        opened = [Image.open(folder / row["file"]).convert("RGB").resize((size, size), 2) for row in rows]
        pixels, labels = np.stack([np.asarray(one) for one in opened]), np.array([int(row["label"]) for row in rows])
    x = ((pixels * rule["scale"] - np.array(rule["mean"])) / np.array(rule["std"])).astype(np.float32)
    return x if fact["layout"] == "NHWC" else np.ascontiguousarray(x.transpose(0, 3, 1, 2)), labels


def opened(shared: Path, name: str) -> tuple[Path, TorchGraph]:
    path = shared / "models" / f"{name}.onnx"
    return path, load(path)


@pytest.mark.parametrize("name", FLOAT)
def test_a_float_model(shared_data: Path, name: str) -> None:
    path, graph = opened(shared_data, name)
    x, _ = images(shared_data, name, 4)
    assert_same(by_torch(graph, x), by_onnxruntime(path, x, optimise=True))
    # In plain areas of a picture the maxima of a pool are equal and have no derivative; noise makes them differ.
    noise = np.random.default_rng(0).normal(size=x[:1].shape) * abs(x).max()
    assert_gradient(graph, x[:1] + noise / 100, directions=1, step=1e-9 * abs(x).max())


@pytest.mark.parametrize("name", INTEGER)
def test_an_integer_model(shared_data: Path, name: str) -> None:
    """Outputs differ from ONNX Runtime's by no more than its own do with and without graph optimisations, about."""
    path, graph = opened(shared_data, name)
    x, _ = images(shared_data, name, 8)
    made, plain, fused = by_torch(graph, x), by_onnxruntime(path, x), by_onnxruntime(path, x, optimise=True)
    spread = np.sqrt(np.mean((plain - fused) ** 2))
    step = np.diff(np.unique(plain)).min()
    assert np.sqrt(np.mean((made - plain) ** 2)) <= 2 * spread + step / 10
    assert np.mean(made.argmax(1) == plain.argmax(1)) >= 7 / 8


@pytest.mark.parametrize(
    ("integer", "real"),
    [("cifar10_resnet20_int8", "cifar10_resnet20"), ("mobilenet_v1_025_128_int8", "mobilenet_v1_025_128_fp32")],
)
def test_an_integer_model_has_the_gradient_of_its_float_twin(shared_data: Path, integer: str, real: str) -> None:
    x, labels = images(shared_data, integer, 4)
    gradients = [gradient_of_loss(opened(shared_data, name)[1], x, labels).flatten() for name in (integer, real)]
    assert float(torch.cosine_similarity(*gradients, dim=0)) > 0.6


def gradient_of_loss(graph: TorchGraph, x: NDArray[np.float32], labels: NDArray[np.int64]) -> torch.Tensor:
    inputs = torch.from_numpy(x).requires_grad_()
    scores = graph(inputs)
    torch.nn.functional.cross_entropy(scores, torch.from_numpy(labels)).backward()
    assert inputs.grad is not None
    return inputs.grad


@pytest.mark.parametrize(
    ("name", "least"), [("cifar10_resnet20", 0.7), ("cifar10_resnet20_int8", 0.7), ("cifar10_resnet2b_advtrained", 0.0)]
)
def test_one_signed_step_fools_onnxruntime(shared_data: Path, name: str, least: float) -> None:
    """FGSM at 8/255: the gradient points where ONNX Runtime's own answers get worse, less so after robust training."""
    path, graph = opened(shared_data, name)
    x, labels = images(shared_data, name, 32)
    step = 8 / 255 / np.array(facts(shared_data)[name]["preprocess"]["std"], np.float32).reshape(1, 3, 1, 1)
    right = by_onnxruntime(path, x).argmax(1) == labels
    direction = gradient_of_loss(graph, x, labels).sign().numpy()
    fooled = by_onnxruntime(path, x + step * direction).argmax(1) != labels
    noise = np.random.default_rng(0).choice([-1, 1], x.shape).astype(np.float32)
    by_noise = by_onnxruntime(path, x + step * noise).argmax(1) != labels
    assert fooled[right].mean() > max(least, by_noise[right].mean() + 0.1)
