"""The torch twin says what ONNX Runtime says, through every part of a spec's preprocess."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pytest_robust.attacks import black_box, check_twin, open_victim
from pytest_robust.attacks.victim import as_pixels
from pytest_robust.errors import RobustError
from pytest_robust.spec.plan import Preprocess
from tests.attacks.conftest import Source
from tests.models.opening import opened, plan_of, sentence
from tests.onnx_models import classifier, enhancer

WEIGHTS = np.random.default_rng(1).normal(size=(3, 5)) * 8


def canvases(count: int = 6, height: int = 12, width: int = 12) -> NDArray[np.uint8]:
    return np.random.default_rng(2).integers(0, 256, (count, height, width, 3), np.uint8)


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "mean_std_bgr": ({}, {"preprocess": Preprocess(mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4), channels="bgr")}),
    "nhwc_raw": ({"layout": "nhwc"}, {"preprocess": Preprocess(scale=1.0, layout="nhwc", std=(50.0,))}),
    "uint8": ({"dtype": "uint8"}, {"preprocess": Preprocess(scale=1.0)}),
    "crop": ({"size": 7}, {"preprocess": Preprocess(size=7, fit="crop")}),
    "fixed_batch": ({"batch": 4}, {}),
    "trailing_ones": ({"trailing_ones": True}, {}),
    "offset": ({}, {"label_offset": 1}),
}


@pytest.mark.parametrize("case", CASES)
def test_logits_are_those_of_onnxruntime(tmp_path: Path, case: str) -> None:
    made, spec = CASES[case]
    path = classifier(tmp_path / "model.onnx", WEIGHTS, **made)
    victim, model = open_victim(plan_of(path, **spec)), opened(path, **spec)
    with torch.no_grad():
        scores = victim(as_pixels(canvases())).numpy()
    np.testing.assert_allclose(scores, model.outputs(canvases()), rtol=1e-4, atol=1e-4)
    assert check_twin(victim, canvases(), model.predict(canvases()).predicted) == 1


def test_probabilities_become_their_logarithms(tmp_path: Path) -> None:
    plain = opened(classifier(tmp_path / "logits.onnx", WEIGHTS))
    path = classifier(tmp_path / "probabilities.onnx", WEIGHTS, softmax=True)
    with torch.no_grad():
        scores = open_victim(plan_of(path))(as_pixels(canvases())).numpy()
    logits = plain.outputs(canvases())
    np.testing.assert_allclose(scores - scores[:, :1], logits - logits[:, :1], atol=1e-4)
    np.testing.assert_allclose(black_box(opened(path), probabilities=True)(canvases()), scores, atol=1e-4)


def test_a_probability_of_zero_is_finite_and_so_is_its_gradient(tmp_path: Path) -> None:
    path = classifier(tmp_path / "sure.onnx", np.array([[1e4, -1e4]] * 3), softmax=True)
    pixels = as_pixels(canvases()).requires_grad_()
    scores = open_victim(plan_of(path))(pixels)
    (gradient,) = torch.autograd.grad(scores.sum(), pixels)
    assert scores.isfinite().all()
    assert gradient.isfinite().all()


def test_a_resize_differs_by_the_rounding_to_grey_levels_alone(tmp_path: Path) -> None:
    spec = {"preprocess": Preprocess(size=8)}
    path = classifier(tmp_path / "model.onnx", np.eye(3 * 64, 20), pool=False, size=8)
    for images in (canvases(3, 20, 30), canvases(3, 5, 6)):
        with torch.no_grad():
            scores = open_victim(plan_of(path, **spec))(as_pixels(images)).numpy()
        assert np.abs(scores - opened(path, **spec).outputs(images)).max() <= 0.75 / 255


def test_an_enhancer_stands_in_front(tmp_path: Path) -> None:
    spec = {"enhancer": enhancer(tmp_path / "enhancer.onnx", gain=(1.5, 0.5, 1.0), offset=-0.1)}
    path = classifier(tmp_path / "model.onnx", WEIGHTS)
    with torch.no_grad():
        scores = open_victim(plan_of(path, **spec))(as_pixels(canvases())).numpy()
    model = opened(path, **spec)
    np.testing.assert_allclose(scores, model.outputs(canvases()), rtol=1e-4, atol=1e-4)


def test_a_twin_that_disagrees_is_refused(digits: Source) -> None:
    assert check_twin(digits.victim, digits.samples.canvases, digits.samples.predicted.astype(np.uint16)) == 1
    others = ((digits.samples.predicted + (np.arange(24) < 2)) % 10).astype(np.uint16)
    with pytest.raises(RobustError, match=r"agrees with ONNX Runtime on 91\.7% of 24 clean images"):
        check_twin(digits.victim, digits.samples.canvases, others)
    assert check_twin(digits.victim, digits.samples.canvases, others, least=0.9) == pytest.approx(22 / 24)


def test_an_ending_that_hides_what_it_is_is_refused(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx", np.abs(WEIGHTS), root_of_score=True)
    with pytest.raises(RobustError) as caught:
        open_victim(plan_of(path))
    assert "set output: {kind: logits}" in sentence(caught, path)
    assert open_victim(plan_of(path, output_kind="logits"))


def test_a_crop_larger_than_the_image(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx", WEIGHTS)
    victim = open_victim(plan_of(path, preprocess=Preprocess(size=20, fit="crop")))
    with pytest.raises(RobustError, match="centre crop of 20 pixels was wanted from images of 12x12"):
        victim(as_pixels(canvases()))
