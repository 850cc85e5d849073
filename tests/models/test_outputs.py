from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from pytest_robust.errors import RobustError
from pytest_robust.measurement import NO_LABEL
from pytest_robust.models.outputs import Classes, decide
from tests.models.opening import colours, opened, sentence
from tests.onnx_models import BRIGHTEST, classifier, identity_model, zipmap_classifier

SCORES = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.integers(2, 9)),
    elements=st.floats(-100, 100, width=32) | st.sampled_from([0.0, 1.0]),
)


@settings(max_examples=100, deadline=None)
@given(
    scores=hnp.arrays(np.float32, (4, 7), elements=st.floats(-100, 100, width=32)),
    kept=st.lists(st.integers(0, 5), min_size=2, max_size=6, unique=True),
    offset=st.integers(0, 1),
)
def test_a_label_subset_is_as_if_the_other_outputs_were_not_there(
    scores: NDArray[np.float32], kept: list[int], offset: int
) -> None:
    made = decide(scores, offset, kept)
    alone = decide(scores[:, [offset + label for label in kept]], 0)
    assert made.predicted.tolist() == [kept[position] for position in alone.predicted]
    assert made.near_tie.tolist() == alone.near_tie.tolist()
    # probabilities that are renormalised over the kept classes choose alike
    shares = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    columns = np.array(kept) + offset
    shares = shares[:, columns] / np.maximum(shares[:, columns].sum(axis=1, keepdims=True), 1e-300)
    chosen = [kept.index(label) for label in made.predicted.tolist()]
    assert (shares[np.arange(4), chosen] == shares.max(axis=1)).all()


def test_a_label_subset_by_hand() -> None:
    scores = np.array([[9, 1, 5, 4], [0, 7, 2, 3], [1, 1, 1, 1]], np.float32)
    assert decide(scores, 0).predicted.tolist() == [0, 1, 0]
    assert decide(scores, 0, [2, 3]).predicted.tolist() == [2, 3, 2]
    # the first output is a background class
    assert decide(scores, 1, [0, 2]).predicted.tolist() == [2, 0, 0]


@settings(max_examples=100, deadline=None)
@given(scores=SCORES, offset=st.integers(0, 3))
def test_decisions_follow_the_definition(scores: NDArray[np.float32], offset: int) -> None:
    made = decide(scores, offset)
    for row, predicted, near in zip(scores.astype(np.float64), made.predicted, made.near_tie, strict=True):
        best = max(range(len(row)), key=lambda index: (row[index], -index))
        assert predicted == (best - offset if best >= offset else NO_LABEL)
        first, second = sorted(row.tolist(), reverse=True)[:2]
        assert near == (first - second <= 1e-3 * np.sqrt(np.mean(row**2)))
    assert (made.predicted.dtype, made.near_tie.dtype) == (np.uint16, np.bool_)


@pytest.mark.parametrize(
    ("row", "near"),
    [
        ([5.0, 5.0], True),
        ([5.001, 5.0], True),
        ([5.01, 5.0], False),
        ([0.0, 0.0, 0.0], True),
        ([0.5001, 0.4999], True),
        ([0.501, 0.499], False),
        ([9.0, 1.0, -4.0], False),
    ],
)
def test_near_ties_are_found_for_two_classes_too(row: list[float], near: bool) -> None:
    assert decide(np.array([row], np.float32), 0).near_tie.tolist() == [near]


def test_softmax_and_trailing_ones_change_no_prediction(tmp_path: Path) -> None:
    images = colours("b", "r", "g", "g")
    for kind in ({}, {"softmax": True}, {"trailing_ones": True}, {"softmax": True, "trailing_ones": True}):
        path = classifier(tmp_path / "model.onnx", **kind)  # type: ignore[arg-type]
        assert opened(path, classes=3).predict(images).predicted.tolist() == [2, 0, 1, 1]


def test_a_label_offset_drops_the_background(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx")
    made = opened(path, classes=2, label_offset=1).predict(colours("r", "g", "b"))
    assert made.predicted.tolist() == [NO_LABEL, 0, 1]


def wide(path: Path, outputs: int, **more: Any) -> Path:
    return classifier(path, np.zeros((3, outputs)), bias=np.arange(outputs) == 7, **more)


def test_1001_outputs_for_1000_classes_name_the_remedy(tmp_path: Path) -> None:
    path = wide(tmp_path / "model.onnx", 1001)
    with pytest.raises(RobustError) as caught:
        opened(path, classes=1000)
    assert sentence(caught, path) == "has 1001 outputs for 1000 classes: set output.label_offset: 1"
    assert opened(path, classes=1000, label_offset=1).predict(colours("r")).predicted.tolist() == [6]


@pytest.mark.parametrize(
    ("outputs", "fields", "said"),
    [
        (10, {"classes": 1000}, "has 10 outputs for 1000 classes: let dataset.classes list every class"),
        (1000, {"classes": 10}, "has 1000 outputs for 10 classes: let dataset.classes list every class"),
        (1000, {"classes": 1000, "label_offset": 1}, "label_offset 1: correct output.label_offset"),
        (10, {"max_label": 10}, "too few for the data set's label 10"),
        (10, {"max_label": 9, "label_offset": 1}, "too few for the data set's label 9"),
        (1, {}, "has 1 output(s) per image, and a classifier needs 2 or more"),
        (3, {"label_offset": 3}, "has 3 output(s) per image, and a classifier needs 4 or more"),
        (65536, {}, "more than the 65535 classes that can be stored"),
    ],
)
def test_outputs_that_do_not_fit_the_classes(tmp_path: Path, outputs: int, fields: dict[str, int], said: str) -> None:
    path = wide(tmp_path / "model.onnx", outputs)
    with pytest.raises(RobustError) as caught:
        opened(path, **fields)
    assert said in sentence(caught, path)


@settings(max_examples=60)
@given(
    outputs=st.integers(2, 50), offset=st.integers(0, 2), count=st.none() | st.integers(1, 50), label=st.integers(0, 60)
)
def test_a_complaint_is_made_exactly_when_a_label_could_not_be_predicted(
    outputs: int, offset: int, count: int | None, label: int
) -> None:
    fits = outputs - offset == count if count else offset + label < outputs
    assert (Classes(offset, count, label).complaint(outputs) is None) == (fits and outputs > offset)


def test_a_free_width_is_checked_when_it_is_seen(tmp_path: Path) -> None:
    path = identity_model(tmp_path / "model.onnx", [["N", 3, 8, 8]])
    with pytest.raises(RobustError, match="has 2 outputs for 5 classes"):
        opened(path, classes=5).predict(colours("r"))


def test_two_fitting_outputs_are_an_error_that_names_them(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx", also=[("aux", 3)])
    with pytest.raises(RobustError) as caught:
        opened(path, classes=3)
    text = sentence(caught, path)
    assert "has 2 outputs of shape (N, classes), 'scores'" in text
    assert "'aux'" in text
    assert text.endswith("name one with output: {name: scores}")
    assert opened(path, classes=3, output="scores").predict(colours("b")).predicted.tolist() == [2]
    assert opened(path, classes=3, output="aux").predict(colours("b")).predicted.tolist() == [2]


def test_an_embedding_beside_the_scores_does_not_mislead(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx", also=[("embedding", 7)])
    assert opened(path, classes=3).predict(colours("g")).predicted.tolist() == [1]
    with pytest.raises(RobustError, match="name one with output"):
        opened(path)


def test_an_unknown_output_lists_what_there_is(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx")
    with pytest.raises(RobustError) as caught:
        opened(path, output="logits")
    assert sentence(caught, path).startswith("has no output 'logits': output.name must be one of 'scores' (tensor")


@pytest.mark.parametrize("name", [None, "probabilities"])
def test_a_zipmap_is_an_error_with_the_remedy(tmp_path: Path, name: str | None) -> None:
    path = zipmap_classifier(tmp_path / "model.onnx")
    with pytest.raises(RobustError) as caught:
        opened(path, output=name)
    assert sentence(caught, path).endswith("export it without ZipMap (options={'zipmap': False})")


def test_labels_are_no_scores(tmp_path: Path) -> None:
    path = zipmap_classifier(tmp_path / "model.onnx")
    with pytest.raises(RobustError, match=r"'label' \(tensor\(int64\).*not of shape"):
        opened(path, output="label")


def test_nan_is_an_error_and_never_a_prediction(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx", BRIGHTEST, bias=[-0.1] * 3, root_of_score=True)
    bright = np.full((3, 8, 8, 3), 200, np.uint8)
    model = opened(path)
    assert model.predict(bright).predicted.tolist() == [0, 0, 0]
    dark = bright.copy()
    dark[1, ..., 2] = 0
    with pytest.raises(RobustError) as caught:
        model.predict(dark)
    assert sentence(caught, path).startswith("gave NaN or infinity for 1 of 3 images")


def test_float16_overflow_is_an_error(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx", BRIGHTEST * 1e6, dtype="float16")
    with pytest.raises(RobustError, match="NaN or infinity for 2 of 2 images"):
        opened(path).predict(colours("r", "g"))
