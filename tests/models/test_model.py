from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from pytest_robust.errors import RobustError
from pytest_robust.models import Model
from pytest_robust.spec.plan import Geometry, Preprocess
from tests.models.opening import colours, opened, sentence
from tests.onnx_models import classifier, conv_classifier, identity_model, save

RANDOM = np.random.default_rng(5)
IMAGES = (RANDOM.random((23, 12, 12, 3)) * RANDOM.integers(0, 256, (23, 1, 1, 3))).astype(np.uint8)


@pytest.fixture(scope="module")
def conv(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return opened(conv_classifier(tmp_path_factory.mktemp("conv") / "model.onnx"), batch_size=8)


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(23)), count=st.integers(1, 23))
def test_a_prediction_depends_on_its_image_alone(conv: Model, order: list[int], count: int) -> None:
    whole = conv.predict(IMAGES)
    assert len(set(whole.predicted.tolist())) > 1
    chosen = order[:count]
    part = conv.predict(IMAGES[chosen])
    assert part.predicted.tolist() == whole.predicted[chosen].tolist()
    assert part.near_tie.tolist() == whole.near_tie[chosen].tolist()


@pytest.mark.parametrize("batch_size", [1, 3, 23, 64])
def test_the_batch_size_changes_no_prediction(conv: Model, tmp_path: Path, batch_size: int) -> None:
    model = opened(conv_classifier(tmp_path / "model.onnx"), batch_size=batch_size)
    assert model.batch_size == batch_size
    assert model.predict(IMAGES).predicted.tolist() == conv.predict(IMAGES).predicted.tolist()


def test_no_images_are_no_predictions(conv: Model) -> None:
    made = conv.predict(IMAGES[:0])
    assert (made.predicted.shape, made.near_tie.shape) == ((0,), (0,))
    assert (made.predicted.dtype, made.near_tie.dtype) == (np.uint16, np.bool_)


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("count", [1, 4, 5, 6, 12])
def test_a_fixed_batch_is_fed_exactly_so(tmp_path: Path, batch: int, count: int) -> None:
    names = ("rgbbgrgbrbgr")[:count]
    model = opened(classifier(tmp_path / "model.onnx", batch=batch), batch_size=4)
    assert model.batch_size == batch
    assert model.predict(colours(*names)).predicted.tolist() == ["rgb".index(name) for name in names]


def test_a_free_batch_is_always_of_one_size(tmp_path: Path) -> None:
    """The model's own answer tells the batch that it saw: class 1 where it had four rows."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Shape", ["flat"], ["rows"], start=0, end=1),
        helper.make_node("Equal", ["rows", "four"], ["is_four"]),
        helper.make_node("Cast", ["is_four"], ["one_if_four"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["zero", "one_if_four"], ["row"], axis=0),
        helper.make_node("MatMul", ["flat", "nothing"], ["zeros"]),
        helper.make_node("Add", ["zeros", "row"], ["scores"]),
    ]
    constants = {
        "four": np.array([4], np.int64),
        "zero": np.array([0.5], np.float32),
        "nothing": np.zeros((3, 2), np.float32),
    }
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, "H", "W"])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 2])
    path = save(tmp_path / "model.onnx", nodes, [image], [scores], constants)
    for count in range(1, 10):
        made = opened(path, batch_size=4).predict(IMAGES[:count]).predicted
        assert made.tolist() == [1] * count
    assert opened(path, batch_size=3).predict(IMAGES[:4]).predicted.tolist() == [0] * 4


def test_an_output_without_the_batch_is_an_error(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Reshape", ["pooled", "one_row"], ["scores"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, "H", "W"])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, None)
    path = save(tmp_path / "model.onnx", nodes, [image], [scores], {"one_row": np.array([1, -1], np.int64)})
    with pytest.raises(RobustError) as caught:
        opened(path).predict(colours("r", "g"))
    assert sentence(caught, path).startswith("gave an output of shape (1, 12) for 4 images: export it with a batch")


def test_a_failure_while_running_is_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = classifier(tmp_path / "model.onnx", np.zeros((3 * 16, 2)), pool=False)
    model = opened(path)
    with pytest.raises(RobustError) as caught:
        model.predict(colours("r"))
    assert sentence(caught, path).startswith("failed on an input of shape (4, 3, 8, 8): Gemm")
    assert capfd.readouterr() == ("", "")


def test_a_newer_opset_and_a_newer_format_are_said_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    base = onnx.load_model(str(classifier(tmp_path / "model.onnx")))
    for name, said in (("opset", "opset 999 is newer than its newest, "), ("ir", "Unsupported model IR version: 999")):
        model = onnx.ModelProto()
        model.CopyFrom(base)
        if name == "ir":
            model.ir_version = 999
        else:
            model.opset_import[0].version = 999
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(model.SerializeToString())
        with pytest.raises(RobustError) as caught:
            opened(path)
        assert sentence(caught, path).startswith("is refused by onnxruntime ")
        assert said in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_an_unknown_operator_is_named(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx")
    path.write_bytes(path.read_bytes().replace(b"GlobalAveragePool", b"GlobalAverageFool"))
    with pytest.raises(RobustError) as caught:
        opened(path)
    assert "No Op registered for GlobalAverageFool" in sentence(caught, path)


@pytest.mark.parametrize(
    ("shapes", "kind", "said"),
    [
        ([["N", 3, 8, 8], ["N", 4]], TensorProto.FLOAT, "has 2 inputs ('input0' tensor(float)"),
        ([["N", 192]], TensorProto.FLOAT, "with 2 dimensions: images need four"),
        ([["N", 3, 8, 8, 1]], TensorProto.FLOAT, "with 5 dimensions: images need four"),
        ([None], TensorProto.FLOAT, "with no declared number of dimensions"),
        ([["N", 3, 8, 8]], TensorProto.INT64, "tensor(int64) ['N', 3, 8, 8]: float32, float16 or uint8 is needed"),
        ([["N", 3, 8, 8]], TensorProto.DOUBLE, "float32, float16 or uint8 is needed"),
    ],
)
def test_models_that_take_no_image(tmp_path: Path, shapes: list[list[int | str | None]], kind: int, said: str) -> None:
    path = identity_model(tmp_path / "model.onnx", shapes, kind)
    with pytest.raises(RobustError) as caught:
        opened(path)
    assert said in sentence(caught, path)


def test_provenance_says_what_made_a_measurement(tmp_path: Path) -> None:
    plain = opened(classifier(tmp_path / "model.onnx")).provenance
    assert plain.options == {"use_deterministic_compute": 1}
    fields = {
        "preprocess": Preprocess(size=8, mean=(0.5,), channels="bgr"),
        "output": "scores",
        "label_offset": 1,
        "geometry": Geometry(resize=10, crop=8),
    }
    changed = opened(tmp_path / "model.onnx", **fields).provenance
    told = json.loads(changed.preprocess)
    assert (told["size"], told["mean"], told["channels"], told["label_offset"]) == (8, [0.5], "bgr", 1)
    assert json.loads(changed.geometry) == {
        "resize": 10,
        "crop": 8,
        "interpolation": "bilinear",
        "rounding": "torchvision",
    }
    assert changed.preprocess != plain.preprocess
    assert changed.geometry != plain.geometry
    assert changed.model_sha256 == plain.model_sha256


def test_a_closed_model_frees_its_session(tmp_path: Path) -> None:
    model = opened(classifier(tmp_path / "model.onnx"))
    model.close()
    with pytest.raises(AttributeError):
        model.predict(colours("r"))


def test_a_label_subset_must_be_among_the_outputs(tmp_path: Path) -> None:
    model = opened(classifier(tmp_path / "model.onnx"))
    assert model.predict(colours("r", "g", "b"), kept=[1, 2]).predicted.tolist()[1:] == [1, 2]
    with pytest.raises(RobustError) as caught:
        model.predict(colours("r"), kept=[1, 3])
    text = sentence(caught, tmp_path / "model.onnx")
    assert text.startswith("has 3 outputs and label_offset 0, and none for the class 3 of the label_subset")
