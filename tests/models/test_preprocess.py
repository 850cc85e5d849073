from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image

from pytest_robust.errors import RobustError
from pytest_robust.models.files import ModelFile
from pytest_robust.models.preprocess import Fitted, Preprocessor
from pytest_robust.models.session import ImageInput
from pytest_robust.spec.plan import Preprocess
from tests.models.opening import MARK, colours, opened, sentence
from tests.onnx_models import BRIGHTEST, classifier, identity_model, save

FILE = ModelFile(Path("model.onnx"), MARK, "0" * 64, (), False)
PIXELS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7), st.just(3)))
THREE = st.tuples(*[st.floats(-1, 1, width=32)] * 3)


def prepare(images: NDArray[Any], dtype: type[np.generic] = np.float32, **plan: Any) -> NDArray[Any]:
    free = (None, 3, None, None) if plan.get("layout", "nchw") == "nchw" else (None, None, None, 3)
    return Preprocessor(Preprocess(**plan), ImageInput("image", np.dtype(dtype), free), FILE)(images)


def textbook(images: NDArray[Any], plan: Preprocess) -> NDArray[np.float64]:
    """The rule as written, in float64."""
    ordered = images if plan.channels == "rgb" else images[..., ::-1]
    made = (ordered.astype(np.float64) * plan.scale - np.array(plan.mean)) / np.array(plan.std)
    return made if plan.layout == "nhwc" else made.transpose(0, 3, 1, 2)


@settings(max_examples=60, deadline=None)
@given(
    images=PIXELS,
    scale=st.sampled_from([1 / 255, 1.0, 1 / 127.5]),
    mean=THREE,
    std=st.tuples(*[st.floats(0.125, 4, width=32)] * 3),
    channels=st.sampled_from(["rgb", "bgr"]),
    layout=st.sampled_from(["nchw", "nhwc"]),
)
def test_the_tensor_is_the_textbook_rule(images: NDArray[np.uint8], **fields: Any) -> None:
    plan = Preprocess(**fields)
    expected = textbook(images, plan)
    made = prepare(images, **fields)
    bound = 4 * np.finfo(np.float32).eps * (255 * plan.scale + 1) / min(plan.std)
    assert made.dtype == np.float32
    assert made.flags.c_contiguous
    np.testing.assert_allclose(made, expected, rtol=0, atol=bound)
    half = prepare(images, np.float16, **fields)
    np.testing.assert_array_equal(half, made.astype(np.float16))


@settings(max_examples=30, deadline=None)
@given(images=PIXELS, channels=st.sampled_from(["rgb", "bgr"]), layout=st.sampled_from(["nchw", "nhwc"]))
def test_uint8_inputs_get_the_pixels_themselves(images: NDArray[np.uint8], **fields: Any) -> None:
    made = prepare(images, np.uint8, scale=1, **fields)
    assert made.dtype == np.uint8
    assert made.flags.c_contiguous
    np.testing.assert_array_equal(made, textbook(images, Preprocess(scale=1, **fields)))


@settings(max_examples=30, deadline=None)
@given(images=PIXELS, mean=THREE, layout=st.sampled_from(["nchw", "nhwc"]))
def test_an_image_is_prepared_alike_in_any_batch(images: NDArray[np.uint8], **fields: Any) -> None:
    whole = prepare(images, **fields)
    for index in range(len(images)):
        np.testing.assert_array_equal(prepare(images[index : index + 1], **fields)[0], whole[index])


def test_one_mean_and_one_std_serve_all_channels() -> None:
    images = colours("r", "g", "b")
    made = prepare(images, mean=(0.5,), std=(0.25,)).copy()
    np.testing.assert_array_equal(made, prepare(images, mean=(0.5,) * 3, std=(0.25,) * 3))


def test_mean_and_std_are_in_the_models_channel_order() -> None:
    image = np.array([[[[10, 20, 30]]]], np.uint8)
    made = prepare(image, scale=1, mean=(1.0, 2.0, 3.0), std=(1.0, 1.0, 9.0), channels="bgr")
    assert made[0, :, 0, 0].tolist() == pytest.approx([29, 18, 7 / 9])


@pytest.mark.parametrize("shape", [(40, 40), (33, 57), (16, 16), (15, 90)])
def test_resize_is_pillows(shape: tuple[int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, *shape, 3), np.uint8)
    expected = np.stack(
        [np.asarray(Image.fromarray(one).resize((24, 24), Image.Resampling.BILINEAR)) for one in images]
    )
    made = prepare(images, scale=1, size=24, layout="nhwc").copy()
    np.testing.assert_array_equal(made, expected)
    floats = prepare(images.astype(np.float32), scale=1, size=24, layout="nhwc")
    # Pillow's uint8 path rounds after each of its two passes.
    assert np.abs(floats - expected).max() <= 1.01
    assert np.abs(floats - expected).mean() < 0.5


def test_models_of_one_size_share_the_resized_images() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 9, 9, 3), dtype=np.uint8)
    target = ImageInput("image", np.dtype(np.float32), (None, 3, None, None))
    shared: Fitted = {}
    one, bgr, cropped, other, free = (
        Preprocessor(Preprocess(**plan), target, FILE)
        for plan in ({"size": 7}, {"size": 7, "channels": "bgr"}, {"size": 7, "fit": "crop"}, {"size": 8}, {})
    )
    first = one.fitted(images, shared)
    assert bgr.fitted(images, shared) is first
    for rule in (one, bgr, cropped, other, free):
        fitted = rule.fitted(images, shared)
        np.testing.assert_array_equal(rule(fitted).copy(), rule(images))
    assert len(shared) == 3


def test_a_canvas_of_the_right_size_is_not_touched() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 24, 24, 3), np.uint8)
    np.testing.assert_array_equal(prepare(images, scale=1, size=24, layout="nhwc"), images)


def test_crop_takes_the_centre() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 10, 14, 3), np.uint8)
    made = prepare(images, scale=1, size=6, fit="crop", layout="nhwc")
    np.testing.assert_array_equal(made, images[:, 2:8, 4:10])


def test_a_crop_larger_than_the_image_is_an_error(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx")
    with pytest.raises(RobustError) as caught:
        opened(path, preprocess=Preprocess(size=9, fit="crop")).predict(colours("r"))
    assert "a centre crop of 9 pixels from images of 8x8" in sentence(caught, path)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("channels", ["rgb", "bgr"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_real_models_of_every_kind_see_the_right_colour(tmp_path: Path, layout: str, channels: str, dtype: str) -> None:
    weights = BRIGHTEST if channels == "rgb" else BRIGHTEST[::-1]
    path = classifier(tmp_path / "model.onnx", weights, layout=layout, dtype=dtype)
    scale = {"scale": 1.0} if dtype == "uint8" else {}
    model = opened(path, preprocess=Preprocess(channels=channels, layout=layout, **scale))
    assert model.predict(colours("r", "g", "b", "b", "r", size=(4, 6))).predicted.tolist() == [0, 1, 2, 2, 0]


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_rows_and_columns_are_not_swapped(tmp_path: Path, layout: str) -> None:
    """Class = position of the one bright green pixel in row order."""
    height, width = 3, 5
    weights = np.zeros((3, height * width, height * width), np.float32)
    weights[1] = np.eye(height * width)
    path = classifier(
        tmp_path / "model.onnx", weights.reshape(-1, height * width), size=(height, width), layout=layout, pool=False
    )
    images = np.zeros((height * width, height, width, 3), np.uint8)
    images.reshape(height * width, height * width, 3)[np.arange(15), np.arange(15), 1] = 255
    model = opened(path, preprocess=Preprocess(layout=layout))
    assert model.predict(images).predicted.tolist() == list(range(height * width))


@pytest.mark.parametrize(("layout", "right"), [("nchw", "nhwc"), ("nhwc", "nchw")])
def test_a_mixed_up_layout_is_named(tmp_path: Path, layout: str, right: str) -> None:
    path = classifier(tmp_path / "model.onnx", size=8, layout=right)
    with pytest.raises(RobustError) as caught:
        opened(path, preprocess=Preprocess(layout=layout))
    text = sentence(caught, path)
    assert text.endswith(f"read as {layout} has 8 channels: set preprocess.layout: {right}")


def test_a_grey_model_is_named(tmp_path: Path) -> None:
    path = identity_model(tmp_path / "model.onnx", [["N", 1, 8, 8]])
    with pytest.raises(RobustError) as caught:
        opened(path)
    assert sentence(caught, path).endswith("has 1 channels, and 3 are needed")


def test_a_wrong_size_is_an_error_naming_both_and_the_remedy(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx", size=7)
    with pytest.raises(RobustError) as caught:
        opened(path, preprocess=Preprocess(size=8))
    expected = "takes exactly 7x7 pixels and preprocess.size is 8: set preprocess: {size: 7}"
    assert sentence(caught, path) == expected
    with pytest.raises(RobustError) as caught:
        opened(path).predict(colours("r"))
    expected = "takes exactly 7x7 pixels and the images have 8x8: set preprocess: {size: 7}"
    assert sentence(caught, path) == expected
    assert opened(path, preprocess=Preprocess(size=7)).predict(colours("b")).predicted.tolist() == [2]


def test_keep_size_feeds_the_canvas_unresized(tmp_path: Path) -> None:
    """A model of free size that counts pixels would tell: its sum over 64 pixels exceeds that over 16."""
    nodes = [
        helper.make_node("ReduceSum", ["image", "axes"], ["sum"], keepdims=0),
        helper.make_node("Flatten", ["sum"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["scores"]),
    ]
    path = save(
        tmp_path / "count.onnx",
        nodes,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, "H", "W"])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 2])],
        {
            "axes": np.array([2, 3], np.int64),
            "weights": np.array([[1, 0], [0, 0], [0, 0]], np.float32),
            "bias": np.array([0, 32], np.float32),
        },
    )
    model = opened(path, preprocess=Preprocess(size=4))
    image = np.full((3, 8, 8, 3), 255, np.uint8)
    assert model.predict(image, keep_size=True).predicted.tolist() == [0, 0, 0]
    assert model.predict(image).predicted.tolist() == [1, 1, 1]


def test_scaled_canvases_need_a_model_of_free_size(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx", size=8)
    model = opened(path, preprocess=Preprocess(size=8))
    assert model.predict(colours("g"), keep_size=True).predicted.tolist() == [1]
    with pytest.raises(RobustError) as caught:
        model.predict(colours("g", size=(16, 16)), keep_size=True)
    text = sentence(caught, path)
    assert text.startswith("takes exactly 8x8 pixels and cannot be shown images of 16x16: export it with a free")


@pytest.mark.parametrize("plan", [{}, {"scale": 1.0, "mean": (1.0, 0.0, 0.0)}, {"scale": 1.0, "std": (1.0, 2.0, 1.0)}])
def test_uint8_inputs_take_no_scaling(tmp_path: Path, plan: dict[str, Any]) -> None:
    path = classifier(tmp_path / "model.onnx", dtype="uint8")
    with pytest.raises(RobustError) as caught:
        opened(path, preprocess=Preprocess(**plan))
    assert "set preprocess.scale: 1 and leave out mean and std" in sentence(caught, path)
