"""A session fed with tensors where they lie gives the bits that it gives for arrays; on the CPU, the same code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pytest_robust.errors import RobustError
from pytest_robust.models import Model
from pytest_robust.models.binding import padded
from pytest_robust.models.files import read_model
from pytest_robust.models.runtime import load_runtime
from pytest_robust.models.session import Network
from pytest_robust.spec.plan import Preprocess
from tests.models.opening import colours, opened, sentence, text_of
from tests.onnx_models import classifier, conv_classifier, enhancer

FLAT = np.random.default_rng(5).standard_normal((3 * 6 * 5, 7)).astype(np.float32)
"""Weights under which every value of an image counts, so that none may be misplaced."""


def network(path: Path, batch: int = 4) -> Network:
    return Network(load_runtime(), read_model(text_of(path)), None, 1, batch)


def values(*shape: int, dtype: str = "float32") -> NDArray[Any]:
    random = np.random.default_rng(1)
    return random.integers(0, 256, shape).astype(dtype) if dtype == "uint8" else random.random(shape).astype(dtype)


def alike(one: NDArray[Any], other: torch.Tensor) -> None:
    """Equal bits, equal types."""
    assert one.dtype == other.numpy().dtype
    np.testing.assert_array_equal(one, other.numpy(), strict=True)


@pytest.mark.parametrize("count", [1, 3, 4, 8, 9])
@pytest.mark.parametrize("batch", ["N", 3])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_bound_and_copied_runs_give_the_same_bits(
    tmp_path: Path, dtype: Any, layout: Any, batch: int | str, count: int
) -> None:
    made = network(
        classifier(tmp_path / "net.onnx", FLAT, size=(6, 5), pool=False, dtype=dtype, layout=layout, batch=batch)
    )
    given = values(count, *((3, 6, 5) if layout == "nchw" else (6, 5, 3)), dtype=dtype)
    before = given.copy()
    bound = made.run_bound(torch.from_numpy(given), "scores")
    alike(made.run(given, "scores"), bound)
    assert len(bound) == count
    np.testing.assert_array_equal(given, before)


def test_convolutions_too(tmp_path: Path) -> None:
    made = network(conv_classifier(tmp_path / "net.onnx"), 16)
    given = values(37, 3, 24, 20)
    alike(made.run(given, "scores"), made.run_bound(torch.from_numpy(given), "scores"))


def test_a_tensor_that_is_not_contiguous_is_read_by_its_strides(tmp_path: Path) -> None:
    made = network(classifier(tmp_path / "net.onnx", FLAT, size=(6, 5), pool=False))
    whole = torch.from_numpy(values(8, 6, 10, 3))
    for view in (whole[:, :, :5], whole[:, :, ::2], whole.flip(2)[:, :, :5], whole[::2, :, 5:]):
        view = view.permute(0, 3, 1, 2)
        alike(made.run(np.ascontiguousarray(view.numpy()), "scores"), made.run_bound(view, "scores"))


def test_an_output_outlives_the_runs_after_it(tmp_path: Path) -> None:
    made = network(classifier(tmp_path / "net.onnx", FLAT, size=(6, 5), pool=False), 8)
    first = torch.from_numpy(values(8, 3, 6, 5))
    kept = made.run_bound(first, "scores")
    was = kept.clone()
    for _ in range(20):
        made.run_bound(torch.rand_like(first), "scores")
    assert torch.equal(kept, was)


def test_padding_repeats_the_last_row_and_copies_nothing_that_is_full() -> None:
    rows = torch.arange(6).reshape(3, 2)
    assert padded(rows, 5).tolist() == [[0, 1], [2, 3], [4, 5], [4, 5], [4, 5]]
    assert padded(rows, 3) is rows


@pytest.mark.parametrize(
    ("shape", "dtype", "said"),
    [
        ((2, 3, 6, 4), torch.float32, "Got invalid dimensions for input: image"),
        ((2, 3, 30), torch.float32, "Invalid rank for input: image Got: 3 Expected: 4"),
        ((2, 3, 6, 5), torch.float16, "Unexpected input data type. Actual: (tensor(float16))"),
        ((2, 3, 6, 5), torch.uint8, "Unexpected input data type. Actual: (tensor(uint8))"),
    ],
)
def test_what_the_model_does_not_take_is_one_sentence(
    tmp_path: Path, shape: tuple[int, ...], dtype: torch.dtype, said: str
) -> None:
    path = classifier(tmp_path / "net.onnx", FLAT, size=(6, 5), pool=False)
    with pytest.raises(RobustError) as caught:
        network(path, 2).run_bound(torch.zeros(shape, dtype=dtype), "scores")
    assert sentence(caught, path).startswith(f"failed on an input of shape {shape}: {said}")


def test_an_output_without_a_row_for_each_image_is_refused(tmp_path: Path) -> None:
    path = classifier(tmp_path / "net.onnx", FLAT, size=(6, 5), pool=False)
    made = network(path, 2)
    with pytest.raises(RobustError) as caught:
        made._check_rows((1, 7), 2)
    assert sentence(caught, path).startswith("gave an output of shape (1, 7) for 2 images")


PLANS: list[dict[str, Any]] = [
    {},
    {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
    {"channels": "bgr", "scale": 1.0, "mean": (103.939, 116.779, 123.68)},
    {"size": 5},
    {"size": 13, "channels": "bgr"},
    {"size": 6, "fit": "crop"},
]


def both(model: Model, images: NDArray[np.uint8], **options: Any) -> None:
    """The outputs for arrays and for tensors are the same bits."""
    np.testing.assert_array_equal(
        model.outputs(images, **options), model.outputs(torch.from_numpy(images), **options), strict=True
    )


@pytest.mark.parametrize("front", [None, "front"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("plan", PLANS)
def test_a_model_says_the_same_of_tensors(
    tmp_path: Path, plan: dict[str, Any], dtype: Any, layout: Any, front: str | None
) -> None:
    path = classifier(tmp_path / "net.onnx", FLAT[:3], dtype=dtype, layout=layout)
    before = enhancer(tmp_path / "front.onnx", gain=(0.9, 1.3, 0.4), offset=0.01, batch=3) if front else None
    model = opened(path, enhancer=before, preprocess=Preprocess(layout=layout, **plan))
    both(model, values(9, 11, 8, 3, dtype="uint8"))


@pytest.mark.parametrize("front", [None, "front"])
@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_so_does_one_that_takes_uint8(tmp_path: Path, channels: str, front: str | None) -> None:
    path = classifier(tmp_path / "net.onnx", FLAT[:3], dtype="uint8")
    before = enhancer(tmp_path / "front.onnx", gain=(0.9, 1.3, 0.4)) if front else None
    model = opened(path, enhancer=before, preprocess=Preprocess(scale=1.0, channels=channels, size=7))
    both(model, values(9, 11, 8, 3, dtype="uint8"))


def test_predictions_scores_and_sizes_are_kept(tmp_path: Path) -> None:
    model = opened(conv_classifier(tmp_path / "net.onnx"), preprocess=Preprocess(size=8))
    images, labels = values(11, 16, 12, 3, dtype="uint8"), np.arange(11, dtype=np.uint16) % 10
    there = torch.from_numpy(images)
    for options in ({}, {"keep_size": True}, {"kept": [1, 4, 7]}, {"labels": labels}):
        one, other = model.predict(images, **options), model.predict(there, **options)  # type: ignore[arg-type]
        np.testing.assert_array_equal(one.predicted, other.predicted)
        np.testing.assert_array_equal(one.near_tie, other.near_tie)
        if one.scores and other.scores:
            np.testing.assert_array_equal(one.scores.nll, other.scores.nll)
    both(model, images, keep_size=True)
    np.testing.assert_array_equal(images, values(11, 16, 12, 3, dtype="uint8"))
    assert len(model.predict(there[:0]).predicted) == 0


def test_mistakes_read_alike(tmp_path: Path) -> None:
    path = classifier(tmp_path / "net.onnx", size=16)
    front = enhancer(tmp_path / "halved.onnx", halve=True)
    nan = enhancer(tmp_path / "nan.onnx", offset=float("nan"))
    for model in (
        opened(path),
        opened(path, preprocess=Preprocess(size=16, fit="crop")),
        opened(classifier(tmp_path / "free.onnx"), enhancer=front),
        opened(tmp_path / "free.onnx", enhancer=nan),
    ):
        said = []
        for images in (colours("r"), torch.from_numpy(colours("r"))):
            with pytest.raises(RobustError) as caught:
                model.predict(images)
            said.append(str(caught.value))
        assert said[0] == said[1]


@pytest.mark.parametrize("name", ["mobilenet_v2_100_224_fp32", "mobilenet_v2_100_224_int8", "cifar10_resnet20"])
def test_real_models_too(shared_data: Path, name: str) -> None:
    side = 32 if name.startswith("cifar") else 224
    model = opened(shared_data / "models" / f"{name}.onnx", batch_size=2, preprocess=Preprocess(size=side))
    both(model, values(3, side + 8, side, 3, dtype="uint8"))
