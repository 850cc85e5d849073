from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pytest_robust.errors import Mark, RobustError
from pytest_robust.models import Model, open_model
from pytest_robust.spec.plan import EnhancerPlan, ModelPlan, Preprocess
from tests.models.opening import colours, opened, sentence, text_of
from tests.onnx_models import classifier, enhancer

HALF = [[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
"""Class 0 where the mean of red is above the bias of class 1."""


def above(path: Path, level: float, **fields: object) -> Path:
    return classifier(path, HALF, bias=[0.0, level], **fields)  # type: ignore[arg-type]


def test_the_classifier_sees_what_the_enhancer_made(tmp_path: Path) -> None:
    front = enhancer(tmp_path / "front.onnx", gain=(0.0, 1.0, 5.0))
    model = opened(classifier(tmp_path / "model.onnx"), enhancer=front)
    image = np.broadcast_to(np.uint8([250, 90, 20]), (1, 8, 8, 3))
    assert opened(tmp_path / "model.onnx").predict(image).predicted.tolist() == [0]
    assert model.predict(image).predicted.tolist() == [2]


@pytest.mark.parametrize(
    ("gain", "offset", "mean"), [(1.0, 0.0, 100 / 255), (1.0, -0.5, 0.0), (1.0, 1.1, 1.0), (0.5, 0.1, 50 / 255 + 0.1)]
)
def test_enhanced_pixels_are_clipped_and_not_rounded(tmp_path: Path, gain: float, offset: float, mean: float) -> None:
    front = enhancer(tmp_path / "front.onnx", gain=(gain,) * 3, offset=offset)
    image = np.full((2, 8, 8, 3), 100, np.uint8)
    for level, expected in ((mean - 1e-4, 0), (mean + 1e-4, 1)):
        path = above(tmp_path / "model.onnx", level)
        assert opened(path, enhancer=front).predict(image).predicted.tolist() == [expected] * 2


def test_enhanced_pixels_are_resized_as_floats_and_rounded_only_for_uint8(tmp_path: Path) -> None:
    front = enhancer(tmp_path / "front.onnx", gain=(1.0 + 0.6 / 100,) * 3)
    image = np.full((1, 8, 8, 3), 100, np.uint8)
    path = above(tmp_path / "float.onnx", 100.7, size=5)
    model = opened(path, enhancer=front, preprocess=Preprocess(size=5, scale=1))
    assert model.predict(image).predicted.tolist() == [1]
    path = above(tmp_path / "uint8.onnx", 100.7, dtype="uint8")
    assert opened(path, enhancer=front, preprocess=Preprocess(scale=1)).predict(image).predicted.tolist() == [0]


@pytest.mark.parametrize("batch", [1, 3, "N"])
def test_an_enhancer_of_any_batch_serves_a_classifier_of_any_other(tmp_path: Path, batch: int | str) -> None:
    front = enhancer(tmp_path / "front.onnx", batch=batch)
    model = opened(classifier(tmp_path / "model.onnx", batch=2), enhancer=front)
    assert model.predict(colours(*"rgbgb")).predicted.tolist() == [0, 1, 2, 1, 2]


def test_an_identical_enhancer_changes_no_prediction(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 3), np.uint8)
    path = classifier(tmp_path / "model.onnx")

    def said(model: Model) -> list[int]:
        return list(model.predict(images).predicted.tolist())

    assert said(opened(path, enhancer=enhancer(tmp_path / "front.onnx"))) == said(opened(path))


def test_a_wrong_enhancer_is_named(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx")
    wrong = enhancer(tmp_path / "wrong.onnx", size=16)
    with pytest.raises(RobustError) as caught:
        opened(path, enhancer=wrong).predict(colours("r"))
    assert sentence(caught, wrong).startswith("takes (any, 3, 16, 16) and the images have 8x8 pixels")
    halved = enhancer(tmp_path / "halved.onnx", halve=True)
    with pytest.raises(RobustError) as caught:
        opened(path, enhancer=halved).predict(colours("r"))
    assert "an enhancer must keep their size" in sentence(caught, halved)
    nan = enhancer(tmp_path / "nan.onnx", offset=float("nan"))
    with pytest.raises(RobustError) as caught:
        opened(path, enhancer=nan).predict(colours("r"))
    assert sentence(caught, nan) == "gave NaN or infinity: check its weights"
    for name, offset, said in (("levels", 200.0, "200 to 201"), ("normalised", -0.75, "-0.672 to 0.0343")):
        other = enhancer(tmp_path / f"{name}.onnx", offset=offset)
        with pytest.raises(RobustError) as caught:
            opened(path, enhancer=other).predict(colours("r"))
        assert sentence(caught, other).startswith(f"gave values from {said}: an enhancer gives pixels in [0, 1]")
    with pytest.raises(RobustError) as caught:
        opened(path, enhancer=path)
    assert sentence(caught, path) == "has 0 float32 image outputs: an enhancer has exactly one"
    uint8 = classifier(tmp_path / "uint8.onnx", dtype="uint8")
    with pytest.raises(RobustError) as caught:
        opened(path, enhancer=uint8)
    assert "an enhancer takes float32 (N, 3, H, W)" in sentence(caught, uint8)


def test_an_enhancer_has_a_pin_of_its_own(tmp_path: Path) -> None:
    front = enhancer(tmp_path / "front.onnx")
    path = classifier(tmp_path / "model.onnx")
    pinned = EnhancerPlan(text_of(front), sha256="0" * 64)
    plan = ModelPlan("model", text_of(path), Mark("s", 1, 1), enhancer=pinned, candidate=True)
    with pytest.raises(RobustError) as caught:
        open_model(plan, device="cpu", classes=3, threads=1, batch_size=4)
    assert "not the pinned 0000" in sentence(caught, front)
