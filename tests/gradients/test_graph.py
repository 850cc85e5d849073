"""Loading: what a graph is made of, what it costs, and what is said when there is no gradient."""

from __future__ import annotations

import copy
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from pytest_robust.errors import RobustError
from pytest_robust.gradients import load
from pytest_robust.models import model_digest
from tests.gradients.oracle import assert_same, by_onnxruntime, by_torch, check, write
from tests.models.opening import MARK, plan_of, text_of
from tests.onnx_models import classifier

NODE = helper.make_node
X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(RobustError) as caught:
        load(path, **options)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    assert not text.endswith(".")
    return text


def test_constants_are_computed_once(tmp_path: Path) -> None:
    constants = {"a": np.arange(4, dtype=np.float32), "half": np.float32(0.5), "rows": np.array([-1, 2, 2])}
    nodes = [
        NODE("Mul", ["a", "half"], ["b"]),
        NODE("Exp", ["b"], ["c"]),
        NODE("Shape", ["c"], ["s"]),
        NODE("Gather", ["s", "zero"], ["n"]),
        NODE("Constant", [], ["zero"], value_int=0),
        NODE("Sub", ["x", "c"], ["d"]),
        NODE("Reshape", ["d", "rows"], ["y"]),
        NODE("Exp", ["x"], ["unused"]),
    ]
    nodes.insert(3, nodes.pop(4))
    graph = check(write(tmp_path / "m.onnx", nodes, ["N", 4], constants), X)
    assert [step.label for step in graph._steps] == ["'d' (Sub)", "'y' (Reshape)"]
    assert [tuple(value.shape) for value in graph.buffers()] == [(), (4,)]
    assert not list(graph.parameters())


def test_values_are_freed_after_their_last_use(tmp_path: Path) -> None:
    nodes = [NODE("Exp", ["x"], ["a"]), *(NODE("Neg", [b], [c]) for b, c in zip("abcd", "bcde", strict=True))]
    graph = load(write(tmp_path / "m.onnx", [*nodes, NODE("Add", ["e", "x"], ["y"])], ["N", 4]))
    alive: list[Any] = []
    most = []
    for place, step in enumerate(graph._steps):

        def watched(*given: torch.Tensor, kernel: Any = step.kernel) -> torch.Tensor:
            made: torch.Tensor = kernel(*given)
            alive.append(weakref.ref(made))
            most.append(sum(one() is not None for one in alive))
            return made

        steps = list(graph._steps)
        steps[place] = type(step)(watched, step.inputs, step.outputs, step.free, step.label)
        graph._steps = tuple(steps)
    by_torch(graph, X)
    assert max(most) == 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_value_on_a_limit_lets_its_gradient_pass(dtype: torch.dtype, tmp_path: Path) -> None:
    """A black or white pixel can then be changed; one that was clipped cannot."""
    limits = {"low": np.float32(0), "high": np.float32(0.1)}
    graph = load(write(tmp_path / "m.onnx", [NODE("Clip", ["x", "low", "high"], ["y"])], ["N", 4], limits)).to(dtype)
    high = float(np.float32(0.1))
    images = torch.tensor([[0, high, -1e-6, high + 1e-6], [0.05, 5, -5, 0.1 - 1e-6]], dtype=dtype, requires_grad=True)
    graph(images).sum().backward()
    assert images.grad is not None
    assert images.grad.tolist() == [[1, 1, 0, 0], [1, 0, 0, 1]]


def test_it_is_a_module_without_weights_to_train(tmp_path: Path) -> None:
    graph = load(classifier(tmp_path / "m.onnx", size=6))
    twin = copy.deepcopy(graph).double()
    images = torch.rand(2, 3, 6, 6)
    assert graph(images).dtype == torch.float32
    assert twin(images.double()).dtype == torch.float64
    assert not graph(images).requires_grad
    torch.testing.assert_close(graph.train()(images), graph.eval()(images))
    enhancer = torch.nn.Conv2d(3, 3, 1)
    graph(enhancer(images)).square().sum().backward()
    assert enhancer.weight.grad is not None
    assert enhancer.weight.grad.abs().max() > 0


def test_no_global_state_changes(tmp_path: Path) -> None:
    before = torch.random.get_rng_state()
    graph = load(classifier(tmp_path / "m.onnx", size=6, batch=1))
    images = torch.ones(3, 3, 6, 6, requires_grad=True)
    first = torch.autograd.grad(graph(images).square().sum(), images)
    second = torch.autograd.grad(graph(images).square().sum(), images)
    assert torch.equal(first[0], second[0])
    assert torch.equal(before, torch.random.get_rng_state())
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.is_grad_enabled()


def test_a_fixed_batch_that_the_graph_insists_on(tmp_path: Path) -> None:
    """Batches that mix when taken together are taken one by one; others go at once."""
    flat = {"shape": np.array([1, 12])}
    insists = write(tmp_path / "a.onnx", [NODE("Reshape", ["x", "shape"], ["y"])], [1, 3, 4], flat)
    mixes = write(tmp_path / "b.onnx", [NODE("Softmax", ["x"], ["y"], axis=0)], [1, 4])
    apart = write(tmp_path / "c.onnx", [NODE("Softmax", ["x"], ["y"], axis=1)], [1, 4])
    x = np.random.default_rng(0).normal(size=(5, 3, 4)).astype(np.float32)
    for path, images, together in ((insists, x, False), (mixes, X, False), (apart, X, True)):
        graph = load(path)
        assert_same(by_torch(graph, images), by_onnxruntime(path, images))
        assert graph._batches is together


def test_uint8_and_float16_inputs(tmp_path: Path) -> None:
    """A model that takes bytes gets floats here, so that a gradient can reach them."""
    nodes = [NODE("Cast", ["x"], ["f"], to=TensorProto.FLOAT), NODE("Mul", ["f", "s"], ["y"])]
    path = write(tmp_path / "u.onnx", nodes, ["N", 4], {"s": np.float32(1 / 255)}, dtype="uint8")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4), np.uint8)
    graph = load(path)
    assert_same(by_torch(graph, pixels), by_onnxruntime(path, pixels))
    images = torch.from_numpy(pixels.astype(np.float32)).requires_grad_()
    graph(images).sum().backward()
    assert images.grad is not None
    torch.testing.assert_close(images.grad, torch.full((3, 4), 1 / 255))
    half = classifier(tmp_path / "h.onnx", size=4, dtype="float16")
    x = np.random.default_rng(0).random((2, 3, 4, 4)).astype(np.float16)
    assert_same(by_torch(load(half), x), by_onnxruntime(half, x).astype(np.float32), 1e-3)


def test_branches_on_constants_and_functions_of_the_model(tmp_path: Path) -> None:
    def branch(kind: str) -> Any:
        made = helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)
        return helper.make_graph([NODE(kind, ["x"], ["inner"])], kind, [], [made])

    for condition, other in ((True, "Exp"), (False, "NonZero")):
        nodes = [NODE("If", ["c"], ["y"], then_branch=branch("Neg"), else_branch=branch("Exp"))]
        check(write(tmp_path / f"{other}.onnx", nodes, ["N", 4], {"c": np.array(condition)}), X)
    twice = helper.make_function(
        "own", "Twice", ["a"], ["b"], [NODE("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 20)]
    )
    path = write(tmp_path / "f.onnx", [NODE("Twice", ["x"], ["y"], domain="own")], ["N", 4])
    model = onnx.load(path)
    model.functions.append(twice)
    model.opset_import.append(helper.make_opsetid("own", 1))
    onnx.save(model, path)
    check(path, X)


def test_data_beside_the_model(tmp_path: Path) -> None:
    path = classifier(tmp_path / "m.onnx", size=4, external="weights.bin")
    x = np.random.default_rng(0).random((2, 3, 4, 4)).astype(np.float32)
    assert_same(by_torch(load(path), x), by_onnxruntime(path, x))
    (tmp_path / "weights.bin").rename(tmp_path / "elsewhere.bin")
    assert "weights.bin" in refused(path)


def test_a_model_of_a_spec(tmp_path: Path) -> None:
    path = classifier(tmp_path / "m.onnx", size=4, also=[("embedding", 7)], output="scores")
    assert load(plan_of(path, output="scores")).output == "scores"
    assert load(path, output="embedding").output == "embedding"
    assert load(text_of(path), output="scores").output == "scores"
    load(plan_of(path, output="scores", sha256=model_digest(plan_of(path))))
    with pytest.raises(RobustError, match=f"^{MARK}: the model .* not the pinned"):
        load(plan_of(path, output="scores", sha256="0" * 64))
    assert "name one with output" in refused(path)
    assert "has no output 'logits'" in refused(path, output="logits")


def test_operators_without_a_gradient_are_all_named(tmp_path: Path) -> None:
    nodes = [
        NODE("Bernoulli", ["x"], ["b"], name="coin"),
        NODE("RandomUniformLike", ["b"], ["c"], name="dice"),
        NODE("Add", ["c", "x"], ["y"]),
    ]
    text = refused(write(tmp_path / "m.onnx", nodes, ["N", 4]))
    assert "RandomUniformLike (node 'dice')" in text
    assert "use a black-box attack for this model (attack: square)" in text
    # What the output does not need is no obstacle.
    load(write(tmp_path / "m.onnx", [*nodes[:2], NODE("Exp", ["x"], ["y"])], ["N", 4]))


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([NODE("Dropout", ["x", "r", "t"], ["y"], name="drop")], "node 'drop' (Dropout), which drops values"),
        ([NODE("MaxPool", ["x"], ["y", "i"], kernel_shape=[2])], "(MaxPool), which gives the places"),
        ([NODE("Clip", ["x", "low"], ["y"]), NODE("ReduceMin", ["x"], ["low"], keepdims=0)], "at run time"),
        ([NODE("Neg", ["missing"], ["y"])], "reads the value 'missing', which nothing in it makes"),
        ([NODE("Neg", ["r"], ["y"])], "gives the same 'y' whatever the image is"),
        ([NODE("Cast", ["x"], ["s"], to=TensorProto.STRING), NODE("Cast", ["s"], ["y"], to=1)], "casts to STRING"),
    ],
)
def test_parts_of_operators_without_a_gradient(nodes: list[Any], said: str, tmp_path: Path) -> None:
    nodes = sorted(nodes, key=lambda node: node.output[0] == "y")
    constants = {"r": np.float32(0.5), "t": np.array(True)}
    assert said in refused(write(tmp_path / "m.onnx", nodes, ["N", 4, 4], constants))


def test_what_is_no_model(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "none.onnx")
    old = write(tmp_path / "old.onnx", [NODE("Neg", ["x"], ["y"])], ["N", 4], opset=6)
    assert "opset 6" in refused(old)
    two = onnx.load(write(tmp_path / "two.onnx", [NODE("Add", ["x", "z"], ["y"])], ["N", 4]))
    two.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 4]))
    onnx.save(two, tmp_path / "two.onnx")
    assert "has 2 inputs ('x', 'z')" in refused(tmp_path / "two.onnx")
    # Before IR version 4 weights were inputs as well.
    two.graph.initializer.append(numpy_helper.from_array(np.ones((1, 4), np.float32), "z"))
    onnx.save(two, tmp_path / "two.onnx")
    check(tmp_path / "two.onnx", X)


@pytest.mark.parametrize("kind", ["ArgMax", "Round", "Cast"])
def test_an_output_without_a_gradient(kind: str, tmp_path: Path) -> None:
    options = {"ArgMax": {"axis": 1}, "Round": {}, "Cast": {"to": TensorProto.INT64}}[kind]
    output = TensorProto.FLOAT if kind == "Round" else TensorProto.INT64
    path = write(tmp_path / "m.onnx", [NODE(kind, ["x"], ["y"], **options)], ["N", 4], output_type=output)
    graph = load(path)
    np.testing.assert_array_equal(by_torch(graph, X), by_onnxruntime(path, X))
    with pytest.raises(RobustError, match=r"output 'y' that does not depend on the image by differentiable operators"):
        graph(torch.from_numpy(X).requires_grad_())


def test_images_that_do_not_fit(tmp_path: Path) -> None:
    graph = load(classifier(tmp_path / "m.onnx", size=6))
    with pytest.raises(RobustError, match=r"takes images of shape \(any, 3, 6, 6\) and was given \(2, 3, 5, 6\)"):
        graph(torch.zeros(2, 3, 5, 6))
    nodes = [NODE("Concat", ["x", "c"], ["y"], axis=0, name="join")]
    graph = load(write(tmp_path / "n.onnx", nodes, ["N", "W"], {"c": np.ones((1, 4), np.float32)}))
    with pytest.raises(
        RobustError, match=r"failed at the node 'join' \(Concat\) on values of shape \(2, 5\), \(1, 4\)"
    ):
        graph(torch.zeros(2, 5))
