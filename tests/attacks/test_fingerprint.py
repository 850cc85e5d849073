"""Fingerprints: confirmed, inside their ball, the same again, and answered by copies rather than by other models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnxruntime.quantization import quantize_dynamic

from pytest_robust.attacks import Fingerprint, Recipe, make_fingerprint, open_victim
from pytest_robust.attacks.fingerprint import Kind, _Hardened, high_pass, noisy, seed_images
from pytest_robust.attacks.goal import Goal, Problem
from pytest_robust.attacks.victim import as_pixels
from pytest_robust.errors import RobustError
from pytest_robust.spec.plan import Preprocess
from tests.attacks.conftest import Source
from tests.conftest import CHECKOUT
from tests.models.opening import opened, plan_of
from tests.onnx_models import BRIGHTEST, classifier

SHORT = Recipe("vanilla", iterations=5)
SIDES = (32, 32)


def made(source: Source, recipe: Recipe = SHORT, **options: int) -> Fingerprint:
    side = source.samples.canvases.shape[1]
    return make_fingerprint(recipe, source.victim, source.predict, (side, side), **{"count": 8, **options})


@pytest.mark.parametrize("kind", ["vanilla", "rc", "ltrc"])
def test_examples_are_confirmed_inside_the_ball_and_unlike_their_noise(digits: Source, kind: Kind) -> None:
    found = made(digits, replace(SHORT, kind=kind, draws=2))
    assert found.images.dtype == np.uint8
    assert found.tried >= 8
    fresh = opened(CHECKOUT / "specs" / "resnet.onnx", preprocess=Preprocess(mean=(0.5,) * 3, std=(0.5,) * 3))
    np.testing.assert_array_equal(fresh.predict(found.images).predicted, found.labels)
    seeds = seed_images([f"{one:06d}" for one in range(found.tried)], found.images.shape[1:3], 0)
    moved = np.abs(found.images.astype(int)[:, None] - seeds[None]).max((2, 3, 4)).min(1)
    assert moved.max() <= 16
    assert moved.min() > 0
    own = np.abs(found.images.astype(int)[:, None] - seeds[None]).max((2, 3, 4)).argmin(1)
    assert (np.diff(own) > 0).all(), "in the order of their tries"
    assert (fresh.predict(seeds[own]).predicted != found.labels).all()


def test_the_same_call_gives_the_same_bytes_and_another_seed_others(digits: Source) -> None:
    recipe = Recipe("rc", iterations=3, draws=1)
    first, again, other = made(digits, recipe), made(digits, recipe), made(digits, recipe, seed=1)
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert (first.images != other.images).mean() > 0.9


def test_the_batch_changes_nothing_but_last_bits(digits: Source) -> None:
    recipe = Recipe("rc", iterations=3, draws=1)
    whole, parts = made(digits, recipe), made(digits, recipe, batch_size=3)
    assert whole.tried == parts.tried
    np.testing.assert_array_equal(whole.labels, parts.labels)
    assert (whole.images == parts.images).mean() > 0.99


def test_no_noise_and_no_filter_is_vanilla(digits: Source) -> None:
    np.testing.assert_array_equal(
        made(digits, replace(SHORT, kind="rc", delta=0.0, draws=1)).images, made(digits).images
    )


def test_the_slope_is_the_mean_over_the_draws_without_low_frequencies(digits: Source) -> None:
    pixels = as_pixels(digits.samples.canvases[:2])
    goal = Goal(torch.tensor([3, 4]), targeted=True)
    weights = digits.victim.weights
    recipe = Recipe("rc", draws=3, delta=0.05)

    def slope(one: Recipe) -> torch.Tensor:
        draw = torch.Generator().manual_seed(5)
        return _Hardened(digits.victim, pixels, goal, (), one, weights, draw).climb(pixels, "cross_entropy")[0]

    draw, alone = torch.Generator().manual_seed(5), []
    for _ in range(3):
        moved = {name: noisy(value, 0.05, draw) for name, value in weights.items()}
        kept = {name: value.clone() for name, value in weights.items()}
        for name, value in weights.items():
            value.copy_(moved[name])
        alone.append(Problem(digits.victim, pixels, goal, ()).climb(pixels, "cross_entropy")[0])
        for name, value in weights.items():
            value.copy_(kept[name])
    torch.testing.assert_close(slope(recipe), torch.stack(alone).mean(0))
    assert not torch.allclose(alone[0], alone[1])
    filtered = slope(replace(recipe, kind="ltrc", radius=0.5))
    torch.testing.assert_close(filtered, high_pass(slope(recipe), 0.5))
    spectrum = torch.fft.fft2(filtered).abs()
    assert spectrum[..., :2, :2].max() < 1e-5 * spectrum.max()


@given(st.integers(2, 9), st.integers(2, 9), st.floats(0, 0.99), st.integers(0, 2**31 - 1))
def test_high_pass_is_a_projection_that_takes_the_disk_away(height: int, width: int, radius: float, seed: int) -> None:
    images = torch.rand((2, 3, height, width), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    passed = high_pass(images, radius)
    torch.testing.assert_close(high_pass(passed, radius), passed)
    down, right = np.meshgrid(np.fft.fftfreq(height) * 2, np.fft.fftfreq(width) * 2, indexing="ij")
    inside = np.hypot(down, right) / np.sqrt(2) <= radius
    clear = np.abs(np.hypot(down, right) / np.sqrt(2) - radius) > 1e-6
    expected = np.where(inside, 0, np.fft.fft2(images.numpy()))
    np.testing.assert_allclose(np.fft.fft2(passed.numpy())[..., clear], expected[..., clear], atol=1e-9)


def test_noise_is_bounded_and_leaves_variances_positive() -> None:
    draw = torch.Generator().manual_seed(0)
    weights = torch.linspace(-1, 1, 1000)
    change = noisy(weights, 0.25, draw) - weights
    assert 0.2 < change.max() <= 0.2501
    assert -0.2501 <= change.min() < -0.2
    variances = torch.full((1000,), 1e-3)
    assert noisy(variances, 0.25, draw).min() >= 5e-4 * 0.999


def pruned(source: Path, share: float, out: Path) -> Path:
    model = onnx.load(str(source))
    for tensor in model.graph.initializer:
        if len(tensor.dims) > 1:
            weights = numpy_helper.to_array(tensor)
            kept = np.where(np.abs(weights) <= np.quantile(np.abs(weights), share), 0, weights)
            tensor.CopyFrom(numpy_helper.from_array(kept.astype(weights.dtype), tensor.name))
    onnx.save(model, str(out))
    return out


def test_copies_of_a_real_network_match_and_others_do_not(shared_data: Path, tmp_path: Path) -> None:
    imagenet = Preprocess(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    folder = shared_data / "models"
    owner = folder / "cifar10_resnet20.onnx"

    def answers(path: Path, images: NDArray[np.uint8]) -> NDArray[np.uint16]:
        return opened(path, batch_size=20, preprocess=imagenet).predict(images).predicted

    victim = open_victim(plan_of(owner, preprocess=imagenet))
    assert victim.sides == SIDES
    found = make_fingerprint(Recipe("rc", draws=1), victim, lambda images: answers(owner, images), SIDES, count=20)
    rates = {
        name: float(np.mean(answers(path, found.images) == found.labels))
        for name, path in {
            "self": owner,
            "int8": folder / "cifar10_resnet20_int8.onnx",
            "pruned": pruned(owner, 0.2, tmp_path / "pruned.onnx"),
            "other": folder / "cifar10_resnet32.onnx",
        }.items()
    }
    assert rates["self"] == 1
    assert min(rates["int8"], rates["pruned"]) >= 0.9
    assert rates["other"] <= 0.4


def small(path: Path, recipe: Recipe = SHORT, **options: int) -> Fingerprint:
    model = opened(path)
    return make_fingerprint(
        recipe, open_victim(plan_of(path)), lambda images: model.predict(images).predicted, (12, 12), **options
    )


def test_only_the_first_classes_are_aimed_at(tmp_path: Path) -> None:
    path = classifier(tmp_path / "m.onnx", BRIGHTEST)
    assert set(small(path, count=12).labels) == {0, 1, 2}
    assert set(small(path, count=12, classes=2).labels) == {0, 1}
    for classes in (4, 1, 0, -2):
        with pytest.raises(RobustError, match=f"the first {classes} classes was asked for: take 2 to 3, for which"):
            small(path, classes=classes)


def test_an_unreachable_class_is_said_with_the_counts(tmp_path: Path) -> None:
    path = classifier(tmp_path / "m.onnx", BRIGHTEST, bias=[9, 0, 0])
    with pytest.raises(RobustError, match="confirms 0 of 30 tried examples, and 3 are wanted: raise epsilon"):
        small(path, count=3)


def test_integer_weights_take_no_noise_and_whole_floats_do(tmp_path: Path) -> None:
    path = classifier(tmp_path / "m.onnx", BRIGHTEST * 7)
    assert len(small(path, replace(SHORT, kind="rc"), count=5).images) == 5
    quantize_dynamic(path, tmp_path / "q.onnx")
    assert any(one.data_type == TensorProto.INT8 for one in onnx.load(tmp_path / "q.onnx").graph.initializer)
    with pytest.raises(RobustError, match="the model is quantized and keeps its weights as integers"):
        small(tmp_path / "q.onnx", replace(SHORT, kind="rc"))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "robust"}, "one of vanilla, rc, ltrc"),
        ({"epsilon": 0.0}, "epsilon above 0"),
        ({"epsilon": 16.0}, "epsilon above 0 and up to 1"),
        ({"delta": -0.1}, "a delta of 0 or more"),
        ({"delta": float("nan")}, "a delta of 0 or more"),
        ({"radius": 1.0}, "a radius from 0 to below 1"),
        ({"iterations": 0}, "take 1 or more of both"),
        ({"draws": 0}, "take 1 or more of both"),
    ],
)
def test_recipes_that_cannot_be(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(RobustError, match=said):
        Recipe(**wrong)  # type: ignore[arg-type]
