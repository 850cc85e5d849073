"""The whole module: its blend, its ONNX file, and that file in front of a classifier."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch.nn import functional

from pytest_robust.attacks import check_twin, open_victim
from pytest_robust.data import digits_arrays
from pytest_robust.enhance import NAMES, DynTTA, export
from pytest_robust.enhance.augmentations import RULES
from pytest_robust.enhance.exporting import OUTPUTS, difference, serialised
from pytest_robust.enhance.networks import ImageToImage, _pooled, resnet18
from pytest_robust.errors import RobustError
from tests.enhance.conftest import HALVES, RESNET, awake, pictures
from tests.models.opening import opened, plan_of


def test_the_blend_is_the_weighted_sum_of_all_fifty() -> None:
    enhancer, images = awake(), pictures(3, 16, 16)
    with torch.no_grad():
        made, magnitudes, weights = enhancer(images)
        parts = [one(images, magnitudes[:, place]) for place, one in enumerate(RULES)]
        parts.append(enhancer.network(images))
        expected = (torch.stack(parts, 1) * weights[:, :, None, None, None]).sum(1).clamp(0, 1)
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(weights.sum(1), torch.ones(3))
    assert weights.shape == magnitudes.shape == (3, len(NAMES))
    assert 0 <= float(made.min()) <= float(made.max()) <= 1


def test_an_image_depends_on_itself_alone() -> None:
    enhancer, images = awake(), pictures(5, 16, 16)
    with torch.no_grad():
        together = enhancer(images)
        alone = enhancer(images[2:3])
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one[2:3], other, rtol=0, atol=1e-6)


def test_an_untrained_enhancer_changes_little() -> None:
    torch.manual_seed(0)
    enhancer = DynTTA("small").eval()
    images = torch.from_numpy(digits_arrays("train")[0][:8].transpose(0, 3, 1, 2)).float() / 255
    with torch.no_grad():
        made, magnitudes, _ = enhancer(images)
    assert (made - images).abs().mean() < 0.05
    for place, one in enumerate(RULES):
        if one.magnitude is not None:
            assert magnitudes[:, place].mean() == pytest.approx(one.magnitude.neutral, abs=0.1 * one.magnitude.factor)


def test_every_weight_of_both_networks_learns() -> None:
    enhancer = awake().train()
    enhancer(pictures(4, 16, 16))[0].square().sum().backward()
    silent = [name for name, value in enhancer.named_parameters() if value.grad is None or not value.grad.any()]
    assert not silent


def test_the_networks_are_those_of_the_papers() -> None:
    assert sum(value.numel() for value in resnet18(1000).parameters()) == 11_689_512
    network = ImageToImage(32)
    shapes = [tuple(value.shape) for value in network.parameters() if value.ndim == 4 and value.shape[2] > 1]
    pairs = [(64, 32), (64, 64), (32, 128), (16, 64)]
    assert shapes == [(32, 3, 9, 9), *((*pair, 3, 3) for pair in pairs for _ in range(2)), (3, 16, 3, 3)]


@pytest.mark.parametrize("sides", [(16, 16), (7, 10), (4, 5)])
def test_the_coarse_grid_is_adaptive_pooling(sides: tuple[int, int]) -> None:
    images = pictures(2, *sides)
    torch.testing.assert_close(_pooled(images), functional.adaptive_avg_pool2d(images, 4))


@pytest.mark.parametrize("size", ["small", "resnet18"])
def test_onnxruntime_does_the_same_at_any_size_and_number(size: str) -> None:
    enhancer = awake(size)
    content = serialised(enhancer, pictures(1, 32, 32))
    for count, sides in ((1, (32, 32)), (5, (37, 50)), (3, (64, 8))):
        assert difference(enhancer, content, pictures(count, *sides, seed=count)) < 1e-5


@pytest.mark.parametrize("size", ["small", "resnet18"])
def test_an_image_has_the_same_bits_in_a_batch_of_any_size(size: str) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(serialised(awake(size), pictures(1, 32, 32)), options)
    images = pictures(16, 32, 32).numpy()
    together = session.run(None, {"pixels": images})
    for batch in (1, 3, 5, 7):
        for start in range(0, 14, batch):
            part = session.run(None, {"pixels": images[start : start + batch]})
            for name, one, other in zip(OUTPUTS, together, part, strict=True):
                assert np.array_equal(one[start : start + batch], other), (name, batch, start)


def test_a_file_that_differs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enhancer, other = awake(), awake(seed=1)
    monkeypatch.setattr("pytest_robust.enhance.exporting.serialised", lambda _, pixels: serialised(other, pixels))
    with pytest.raises(RobustError, match=r"was not written: ONNX Runtime differs from torch by \d"):
        export(enhancer, tmp_path / "out.onnx", pictures(2, 16, 16))
    assert not list(tmp_path.iterdir())


def test_the_pair_as_a_spec_runs_it_and_its_twin(tmp_path: Path) -> None:
    """The enhancer's further outputs are in nobody's way: not in ONNX Runtime's, not in an attack's."""
    path = tmp_path / "dyntta.onnx"
    enhancer = awake()
    canvases, _, _ = digits_arrays("test")
    canvases = canvases[:32]
    pixels = torch.from_numpy(canvases.transpose(0, 3, 1, 2)).float() / 255
    assert export(enhancer, path, pixels) < 1e-4
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert tuple(one.name for one in session.get_outputs()) == OUTPUTS
    pair = opened(RESNET, enhancer=path, preprocess=HALVES)
    victim = open_victim(plan_of(RESNET, enhancer=path, preprocess=HALVES))
    assert check_twin(victim, canvases, pair.predict(canvases).predicted) == 1
    alone = open_victim(plan_of(RESNET, preprocess=HALVES))
    with torch.no_grad():
        expected = alone(enhancer(pixels)[0])
    np.testing.assert_allclose(pair.outputs(canvases), expected.numpy(), atol=1e-3)
    leaf = pixels[:4].clone().requires_grad_()
    (slope,) = torch.autograd.grad(victim(leaf).logsumexp(1).sum(), leaf)
    assert slope.isfinite().all()
    assert slope.abs().max() > 0
