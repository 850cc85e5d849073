"""What outputs say of the true labels, against torch and scikit-learn, and by hand."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper
from sklearn.metrics import log_loss, top_k_accuracy_score

from pytest_robust.errors import Mark, RobustError
from pytest_robust.measurement import Scores
from pytest_robust.models.files import ModelFile
from pytest_robust.models.scoring import LEAST, Scorer, joined, kind_of
from tests.models.opening import colours, opened, sentence
from tests.onnx_models import classifier, save

FILE = ModelFile(Path("model.onnx"), Mark("specs/colours.yaml", 7, 11), "0" * 64, (), False)
QUANTIZED = replace(FILE, integer=True)
LOGITS = Scorer("logits", 0, FILE)
PROBABILITIES = Scorer("probabilities", 0, FILE)


def drawn(n: int = 300, classes: int = 12, seed: int = 3) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    random = np.random.default_rng(seed)
    return (3 * random.standard_normal((n, classes))).astype(np.float32), random.integers(0, classes, n).astype(
        np.uint16
    )


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return torch.softmax(torch.from_numpy(logits), dim=1).numpy()


def same(one: Scores, other: Scores) -> bool:
    return one.to_plain() == other.to_plain()


def near(one: Scores, other: Scores) -> bool:
    return np.array_equal(one.top5, other.top5) and all(
        np.allclose(getattr(one, name), getattr(other, name), rtol=1e-5, atol=1e-6)
        for name in ("confidence", "nll", "brier")
    )


def test_by_hand() -> None:
    rows = np.array([[0.5, 0.25, 0.125, 0.125, 0, 0], [0, 0, 0, 0, 0, 1], [0.125, 0.125, 0.25, 0, 0, 0.5]], np.float32)
    made = PROBABILITIES(rows, np.array([1, 0, 4], np.uint16))
    assert made.confidence.tolist() == [0.5, 1, 0.5]
    assert made.nll.tolist() == pytest.approx([math.log(4), 23 * math.log(2), 23 * math.log(2)], rel=1e-6)
    assert made.brier.tolist() == [0.25 + 0.5625 + 2 / 64, 2, 2 / 64 + 1 / 16 + 1 / 4 + 1]
    # of equals the lower index comes first: label 0 is the second, label 4 the sixth
    assert made.top5.tolist() == [True, True, False]
    assert np.finfo(np.float32).eps == LEAST


def test_logits_are_torchs() -> None:
    logits, labels = drawn()
    made = LOGITS(logits, labels)
    exact, truth = torch.from_numpy(logits.astype(np.float64)), torch.from_numpy(labels.astype(np.int64))
    wanted = torch.nn.functional.cross_entropy(exact, truth, reduction="none").numpy()
    assert np.allclose(made.nll, wanted, rtol=1e-6)
    chances = torch.softmax(exact, dim=1)
    assert np.allclose(made.confidence, chances.max(dim=1).values, rtol=1e-6)
    errors = (chances - torch.nn.functional.one_hot(truth, 12)) ** 2
    assert np.allclose(made.brier, errors.sum(dim=1), rtol=1e-6)
    assert made.top5.tolist() == (exact.topk(5).indices == truth[:, None]).any(dim=1).tolist()
    assert made.outputs == "logits"


def test_probabilities_are_scikit_learns() -> None:
    logits, labels = drawn()
    chances, every = softmax(10 * logits), np.arange(12)
    made = PROBABILITIES(chances, labels)
    assert made.nll.max() == pytest.approx(-math.log(LEAST))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # float32 rows miss the sum 1 by more than it likes
        # which clips float32 at the same place
        assert made.nll.mean() == pytest.approx(log_loss(labels, chances, labels=every), rel=1e-4)
    assert made.top5.mean() == top_k_accuracy_score(labels, logits, k=5, labels=every)
    assert made.brier.mean() == pytest.approx(np.sum((chances - np.eye(12)[labels]) ** 2) / 300, rel=1e-5)


@given(st.integers(1, 30), st.integers(2, 15), st.integers(0, 2**32), st.data())
def test_a_softmax_behind_the_logits_changes_nothing(n: int, classes: int, seed: int, data: st.DataObject) -> None:
    """Nor does what was cut off before or after it."""
    logits, labels = drawn(n, classes, seed)
    assert near(PROBABILITIES(softmax(logits), labels), LOGITS(logits, labels))
    background = np.concatenate([logits[:, :1], logits], axis=1)
    assert near(PROBABILITIES(softmax(background)[:, 1:], labels), LOGITS(logits, labels))
    kept = data.draw(st.permutations(range(classes)))[: max(2, classes // 2)]
    own = np.array(kept, np.uint16)[labels % len(kept)]
    alone = LOGITS(logits[:, kept], labels % len(kept))
    assert near(PROBABILITIES(softmax(logits), own, kept), LOGITS(logits, own, kept))
    assert same(LOGITS(logits, own, kept), alone)


@given(st.integers(1, 40), st.integers(0, 2**32), st.integers(2, 300), st.booleans(), st.booleans())
def test_a_score_depends_on_its_own_sample_alone(
    size: int, seed: int, classes: int, subset: bool, as_logits: bool
) -> None:
    logits, labels = drawn(40, classes, seed)
    kept = [*range(classes - 1, 0, -1), 0][: max(2, classes // 2)] if subset else None
    outputs, scorer = (logits, LOGITS) if as_logits else (softmax(logits), PROBABILITIES)
    whole = scorer(outputs, labels, kept)
    parts = [scorer(outputs[at : at + size], labels[at : at + size], kept) for at in range(0, 40, size)]
    assert same(joined(parts), whole)


def test_a_background_class_among_the_outputs_is_one_that_may_be_predicted() -> None:
    logits, labels = drawn()
    made = Scorer("logits", 1, FILE)(logits, labels % 11)
    assert same(made, LOGITS(logits, labels % 11 + 1))


def test_a_label_without_an_output_has_no_likelihood() -> None:
    logits, _ = drawn(3, 6)
    labels = np.array([0, 1, 2], np.uint16)
    for made in (Scorer("logits", -1, FILE)(logits, labels), LOGITS(logits, labels, [1, 2, 5])):
        assert np.isnan(made.nll).tolist() == np.isnan(made.brier).tolist() == [True, False, False]
        assert not made.top5[0]
        assert np.isfinite(made.confidence).all()
    assert np.isnan(LOGITS(logits, labels + 4).nll).tolist() == [False, False, True]


def test_large_logits_neither_overflow_nor_vanish() -> None:
    made = LOGITS(np.array([[3e38, -3e38], [3e38, -3e38]], np.float32), np.array([0, 1]))
    assert made.nll.tolist() == pytest.approx([0, -math.log(LEAST)])
    assert made.brier.tolist() == [0, 2]


def test_quantized_probabilities_may_miss_the_sum() -> None:
    """A uniform 1/300 is rounded to 1/256 or to nothing, a true answer all the same."""
    labels = np.arange(2)
    up, down = np.full((2, 300), 1 / 256, np.float32), np.zeros((2, 300), np.float32)
    scorer = Scorer("probabilities", 0, QUANTIZED)
    assert same(scorer(up, labels), scorer(down, labels))
    assert scorer(down, labels).nll.tolist() == pytest.approx([math.log(300)] * 2)
    with pytest.raises(RobustError, match=r"sums up to 1\.172, no probabilities"):
        PROBABILITIES(up, labels)


@pytest.mark.parametrize("outputs", [[[0.5, -0.01]], [[1.2, 0.1]], [[0.9, 0.9]], [[0.5, 0.5], [12.0, 3.0]]])
def test_what_is_no_probability(outputs: list[list[float]]) -> None:
    with pytest.raises(RobustError, match=r"model.onnx gives numbers from .* no probabilities: set output: {kind: log"):
        PROBABILITIES(np.array(outputs, np.float32), np.zeros(len(outputs), np.uint16))


def test_what_is_stated_goes_before_what_the_graph_shows(tmp_path: Path) -> None:
    file = replace(FILE, endings={"a": "logits", "b": "probabilities", "c": "Sigmoid"})
    assert [kind_of(None, name, file) for name in "ab"] == ["logits", "probabilities"]
    assert [kind_of("logits", name, file) for name in "abc"] == ["logits"] * 3
    with pytest.raises(RobustError, match="ends in Sigmoid, which does not show whether 'c' holds logits or prob"):
        kind_of(None, "c", file)


LABELS = np.array([0, 1, 2, 2], np.uint16)
IMAGES = colours("r", "g", "b", "r")
WEIGHTS = 4 * np.eye(3, dtype=np.float32)


def test_a_model_scores_only_what_it_is_asked_to(tmp_path: Path) -> None:
    logits = opened(classifier(tmp_path / "logits.onnx", WEIGHTS))
    chances = opened(classifier(tmp_path / "chances.onnx", WEIGHTS, softmax=True))
    assert logits.predict(IMAGES).scores is None
    one, other = (model.predict(IMAGES, labels=LABELS).scores for model in (logits, chances))
    assert one is not None
    assert other is not None
    assert (one.outputs, other.outputs) == ("logits", "probabilities")
    assert near(one, other)
    # means of 200, 20 and 20 grey levels
    high = math.exp(4 * 180 / 255)
    assert one.confidence.tolist() == pytest.approx([high / (high + 2)] * 4)
    assert one.nll.tolist() == pytest.approx([-math.log(high / (high + 2))] * 3 + [math.log(high + 2)], rel=1e-6)
    subset = logits.predict(IMAGES[:2], kept=[0, 1], labels=LABELS[:2]).scores
    assert subset is not None
    assert subset.confidence.tolist() == pytest.approx([high / (high + 1)] * 2)


def hidden(path: Path, *last: tuple[str, int]) -> Path:
    """`classifier` with further operators behind its softmax, each with itself or a unit matrix."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights"], ["linear"]),
        helper.make_node("Softmax", ["linear"], ["s0"]),
    ]
    for number, (operator, inputs) in enumerate(last):
        nodes.append(helper.make_node(operator, [f"s{number}", "unit"][:inputs], [f"s{number + 1}"]))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, "H", "W"])
    scores = helper.make_tensor_value_info(f"s{len(last)}", TensorProto.FLOAT, ["N", 3])
    return save(path, nodes, [image], [scores], {"weights": WEIGHTS, "unit": np.eye(3, dtype=np.float32)})


def test_a_graph_that_shows_nothing_asks_to_be_told(tmp_path: Path) -> None:
    path = hidden(tmp_path / "model.onnx", ("Softplus", 1))
    assert opened(path).predict(IMAGES).predicted.tolist() == [0, 1, 2, 0]
    with pytest.raises(RobustError) as caught:
        opened(path).predict(IMAGES, labels=LABELS)
    assert sentence(caught, path) == (
        "ends in Softplus, which does not show whether 's1' holds logits or probabilities: for scores set "
        "output: {kind: logits} or {kind: probabilities}"
    )
    assert opened(path, output_kind="logits").predict(IMAGES, labels=LABELS).scores is not None


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_wrong_guess_is_named_when_the_set_was_seen(tmp_path: Path, size: int) -> None:
    """A linear operator behind a softmax looks like logits, and gives probabilities all the same."""
    path = hidden(tmp_path / "model.onnx", ("MatMul", 2))
    for model in (opened(path), opened(hidden(path), output_kind="logits")):
        starts = range(0, 4, size)
        parts = [model.predict(IMAGES[at : at + size], labels=LABELS[at : at + size]) for at in starts]
        with pytest.raises(RobustError) as caught:
            model.scores(parts)
        assert sentence(caught, path).endswith(
            "from 0 to 1 with the sum 1 for every image, which are no logits: set output: {kind: probabilities}"
        )
    told = opened(path, output_kind="probabilities")
    assert told.scores([told.predict(IMAGES, labels=LABELS)]).outputs == "probabilities"


def test_one_image_whose_logits_sum_to_1_is_no_mistake(tmp_path: Path) -> None:
    model = opened(classifier(tmp_path / "model.onnx", 255 / 240 * np.eye(3)))
    parts = [model.predict(colours("r"), labels=LABELS[:1]), model.predict(colours("r", level=100), labels=LABELS[:1])]
    assert [part.dubious for part in parts] == [True, False]
    assert len(model.scores(parts).nll) == 2


def test_logits_stated_to_be_probabilities_are_refused(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx", WEIGHTS)
    with pytest.raises(RobustError) as caught:
        opened(path, output_kind="probabilities").predict(IMAGES, labels=LABELS)
    assert sentence(caught, path).startswith(
        "gives numbers from 0.3137 to 3.137 with sums up to 3.765, no probabilities"
    )


def test_whole_numbers_have_no_scale(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights"], ["linear"]),
        helper.make_node("QuantizeLinear", ["linear", "step", "zero"], ["scores"]),
    ]
    constants = {"weights": WEIGHTS, "step": np.float32(0.02), "zero": np.uint8(0)}
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, "H", "W"])
    scores = helper.make_tensor_value_info("scores", TensorProto.UINT8, ["N", 3])
    path = save(tmp_path / "model.onnx", nodes, [image], [scores], constants)
    assert opened(path).predict(IMAGES).predicted.tolist() == [0, 1, 2, 0]
    with pytest.raises(RobustError) as caught:
        opened(path).predict(IMAGES, labels=LABELS)
    assert sentence(caught, path) == (
        "gives 'scores' as whole numbers without a scale: for scores let it end in DequantizeLinear"
    )


def test_the_classes_of_a_subset_need_outputs_on_both_sides(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx")
    with pytest.raises(RobustError) as caught:
        opened(path, label_offset=-1).predict(IMAGES, kept=[0, 2])
    assert sentence(caught, path).startswith("has 3 outputs and label_offset -1, and none for the class 0")
