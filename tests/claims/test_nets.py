"""The architectures of the claims are what their papers say, and their ONNX files what torch computes."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from pytest_robust.data import digits_arrays
from specs.claims import dyntta
from specs.claims.nets import CoConv, coresnet, dacnn, resnet, vgg
from specs.claims.normalizer_free import NormalizerFree, baked, relu_of_variance_one
from specs.claims.recipes import RECIPES, Recipe
from specs.claims.resnet_rs import resnet_rs
from specs.claims.train import BATCH, export, train


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a plain net lies, and an enhancer in front of it."""
    place = tmp_path_factory.mktemp("claims")
    with torch.random.fork_rng():
        export(few(RECIPES["plain"], place), place / "plain-0.onnx")
    images, labels, ids = digits_arrays("train")
    dyntta.train_enhancer(place, 1, images[:BATCH], labels[:BATCH], ids[:BATCH])
    return place


def few(recipe: Recipe, folder: Path, seed: int = 0) -> nn.Module:
    """A net after one epoch over one batch."""
    images, labels, ids = (one[:BATCH] for one in digits_arrays("train"))
    return train(recipe, seed, 1, images, labels, ids, folder)


def size(net: nn.Module) -> int:
    return sum(weights.numel() for weights in net.parameters())


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains_and_its_file_computes_what_torch_does(name: str, folder: Path) -> None:
    net = few(RECIPES[name], folder)
    path = folder / f"own-{name}.onnx"
    export(net, path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for shape in ((3, 3, 32, 32), (2, 3, 64, 48), (1, 3, 16, 16)):
        images = torch.randn(shape)
        with torch.no_grad():
            expected = net(images).numpy()
        assert expected.shape == (shape[0], 10)
        np.testing.assert_allclose(session.run(["logits"], {"input": images.numpy()})[0], expected, atol=1e-4)
    assert path.stat().st_size < 80_000


def test_a_seed_gives_one_net(folder: Path) -> None:
    recipe = RECIPES["apr"]
    first, again, other = (few(recipe, folder, seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_an_augmentation_and_a_pair_change_what_is_learnt(folder: Path) -> None:
    nets = [few(RECIPES[name], folder) for name in ("plain", "l0", "l2", "c1", "augmix", "apr", "estimated")]
    nets.append(few(Recipe(augment=RECIPES["apr"].augment), folder))
    digests = {tuple(net.state_dict()["0.weight"].flatten().tolist()) for net in nets}
    assert len(digests) == len(nets)


def nodes(net: nn.Module, path: Path) -> onnx.GraphProto:
    export(net.eval(), path)
    return onnx.load(path).graph


def test_dacnn_has_one_kernel_for_all_its_layers(tmp_path: Path) -> None:
    graph = nodes(dacnn(), tmp_path / "net.onnx")
    kernels = Counter(node.input[1] for node in graph.node if node.op_type == "Conv")
    assert sorted(kernels.values()) == [1, 7]
    stored = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    assert [stored[name] for name, uses in kernels.items() if uses == 7] == [(12, 12, 3, 3)]
    assert sum(dims == (12, 12, 3, 3) for dims in stored.values()) == 1
    norms = [tuple(node.input[1:]) for node in graph.node if node.op_type == "BatchNormalization"]
    assert len(set(norms)) == 8


def test_its_twin_has_a_kernel_for_each(tmp_path: Path) -> None:
    graph = nodes(vgg(), tmp_path / "net.onnx")
    assert len({node.input[1] for node in graph.node if node.op_type == "Conv"}) == 8
    assert size(vgg()) - size(dacnn()) == 6 * 12 * 12 * 9
    assert round(size(vgg()) / size(dacnn())) == 5


def test_coresnet_has_the_parameters_of_its_twin() -> None:
    assert size(coresnet()) == size(resnet())
    levels = [[part.dilation[0] for part in one.levels] for one in coresnet().modules() if isinstance(one, CoConv)]
    assert levels == [[1, 2, 3]] * 2 + [[1, 2]] * 2 + [[1]] * 2


def test_coconv_looks_farther_with_each_level() -> None:
    layer = CoConv(1, 8, 1, 3)
    point = torch.zeros(1, 1, 9, 9)
    point[..., 4, 4] = 1
    seen = (layer(point) != 0).float()
    assert seen.shape == (1, 8, 9, 9)
    for channels, reach in ((seen[0, :4], 1), (seen[0, 4:6], 2), (seen[0, 6:], 3)):
        rows = channels.amax((0, 2)).nonzero().flatten().tolist()
        assert rows == [4 - reach, 4, 4 + reach]


def test_the_larger_net_is_about_twice_as_large() -> None:
    assert 2 < size(RECIPES["large"].net()) / size(resnet()) < 2.5


def test_no_normalisation_is_in_the_normalizer_free_net_be_it_of_weights(folder: Path, tmp_path: Path) -> None:
    net = few(RECIPES["nf"], folder)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in net.modules())
    graph = nodes(net, tmp_path / "net.onnx")
    kinds = {node.op_type for node in graph.node}
    assert "Conv" in kinds
    assert not any("Norm" in kind or kind.startswith("Reduce") for kind in kinds)


def test_standardised_filters_have_mean_0_and_variance_1_over_fan_in() -> None:
    net = NormalizerFree()
    images = torch.randn(2, 3, 32, 32)
    before = net(images)
    after = baked(net)(images)
    torch.testing.assert_close(after, before)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            filters = layer.weight.flatten(1)
            torch.testing.assert_close(filters.mean(1), torch.zeros(len(filters)), atol=1e-6, rtol=0)
            torch.testing.assert_close((filters**2).sum(1), torch.ones(len(filters)), atol=1e-3, rtol=0)


def test_the_scaled_relu_keeps_the_variance() -> None:
    assert relu_of_variance_one(torch.randn(1_000_000)).var() == pytest.approx(1, abs=0.01)


def test_resnet_rs_drops_branches_in_training_alone() -> None:
    net = resnet_rs()
    images = torch.randn(4, 3, 32, 32)
    net.eval()
    assert torch.equal(net(images), net(images))
    net.train()
    assert not torch.equal(net(images), net(images))
