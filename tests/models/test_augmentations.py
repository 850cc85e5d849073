"""The weights that an enhancer gives beside its images: exact sums, and what is no such output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from pytest_robust.errors import RobustError
from pytest_robust.models.augmentations import NAMES, added, weight_means, weight_sums
from pytest_robust.models.files import read_model
from tests.models.opening import colours, opened, sentence, text_of
from tests.onnx_models import classifier, weighing

COUNT = len(NAMES)


@given(st.data(), st.integers(1, 40))
def test_sums_are_the_same_however_the_images_are_cut(data: st.DataObject, images: int) -> None:
    shares = st.floats(0, 1, width=32)
    weights: NDArray[np.float32] = data.draw(arrays(np.float32, (images, COUNT), elements=shares))
    cuts = sorted(data.draw(st.sets(st.integers(1, images - 1)))) if images > 1 else []
    order = data.draw(st.permutations(range(images)))
    file = None
    whole = weight_sums(weights, file)  # type: ignore[arg-type]
    parts = added([weight_sums(one, file) for one in np.split(weights[order], cuts)])  # type: ignore[arg-type]
    assert parts is not None
    np.testing.assert_array_equal(parts, whole, strict=True)
    means = weight_means(whole, images)
    assert list(means) == list(NAMES)
    np.testing.assert_allclose(list(means.values()), weights.astype(np.float64).mean(0), rtol=0, atol=2**-21)
    assert max(means.values()) <= 1


def test_nothing_adds_up_to_nothing() -> None:
    assert added([None, None]) is None


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("batch", ["N", 3])
def test_a_prediction_has_the_sums_of_its_images_and_not_of_the_padding(
    tmp_path: Path, batch: int | str, there: bool
) -> None:
    model = opened(classifier(tmp_path / "net.onnx"), enhancer=weighing(tmp_path / "front.onnx", batch=batch))
    images = colours(*"rgrbgrb")
    found = model.predict(torch.from_numpy(images) if there else images)
    assert found.predicted.tolist() == [0, 1, 0, 2, 1, 0, 2]
    assert found.weight_sums is not None
    each = np.rint(images[..., 0].reshape(7, -1)[:, 0] / np.float32(255) * 2.0**20)
    assert found.weight_sums.tolist() == [int(each.sum()), *[0] * (COUNT - 1)]


@pytest.mark.parametrize("there", [False, True])
def test_another_output_of_that_name_is_left_alone(tmp_path: Path, there: bool) -> None:
    path = weighing(tmp_path / "front.onnx", factor=99, beside="gains")
    model = opened(classifier(tmp_path / "net.onnx"), enhancer=path)
    found = model.predict(torch.from_numpy(colours("r")) if there else colours("r"))
    assert (found.predicted.tolist(), found.weight_sums) == ([0], None)


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"factor": 2.0}, "gave 'weights' from 0 to 1.57: those of augmentations are shares of 1"),
        ({"factor": -0.1}, "gave 'weights' from -0.0784 to 0: those of augmentations are shares of 1"),
        ({"factor": float("nan")}, "gave 'weights' from nan to nan: those of augmentations are shares of 1"),
        (
            {"width": 7},
            "gave 'weights' of shape (1, 7), which beside 'magnitudes' are those of 50 augmentations: give the output "
            "another name",
        ),
    ],
)
def test_weights_that_are_none_are_refused(tmp_path: Path, fields: dict[str, float], said: str, there: bool) -> None:
    path = weighing(tmp_path / "front.onnx", **fields)  # type: ignore[arg-type]
    model = opened(classifier(tmp_path / "net.onnx"), enhancer=path)
    with pytest.raises(RobustError) as caught:
        model.predict(torch.from_numpy(colours("r")) if there else colours("r"))
    assert sentence(caught, path) == said


def test_both_outputs_come_of_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = weighing(tmp_path / "front.onnx")
    model = opened(classifier(tmp_path / "net.onnx"), enhancer=path)
    assert read_model(text_of(path)).sha256 in {one.sha256 for one in model._files if one}
    network = model._networks[1]
    assert network is not None
    asked: list[list[str]] = []

    class Counted:
        def run(self, names: list[str], given: object) -> object:
            asked.append(names)
            return session.run(names, given)

    session = network._session
    monkeypatch.setattr(network, "_session", Counted())
    model.predict(colours(*"rgb"))
    assert asked == [["image", "weights"]]
