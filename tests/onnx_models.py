"""Tiny real ONNX models with known answers.

Most tests want a model whose prediction can be said in advance: `classifier` averages the image and multiplies
the three channel means by `weights`, so with `BRIGHTEST` it answers 0, 1 or 2 for a red, green or blue image.

Every builder writes a file and returns its path.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

BRIGHTEST = np.eye(3, dtype=np.float32)
"""Weights (channel, class): the class is the channel with the largest mean."""

_TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}
Layout = Literal["nchw", "nhwc"]


def classifier(
    path: Path,
    weights: ArrayLike = BRIGHTEST,
    *,
    bias: ArrayLike | None = None,
    size: int | tuple[int, int] | None = None,
    batch: int | str = "N",
    layout: Layout = "nchw",
    dtype: Literal["float32", "float16", "uint8"] = "float32",
    pool: bool = True,
    softmax: bool = False,
    trailing_ones: bool = False,
    also: Sequence[tuple[str, int]] = (),
    root_of_score: bool = False,
    external: str | None = None,
    output: str = "scores",
) -> Path:
    """A linear classifier of the channel means, or with `pool=False` of all pixels.

    Args:
        path: where to write it.
        weights: (3, classes), or (3 * H * W, classes) over the pixels in planar order.
        bias: (classes,), zero by default.
        size: fixed height and width; None leaves both free.
        batch: a fixed batch, or the name of a free one.
        layout: of the input.
        dtype: of the input; float16 models give float16 scores too.
        pool: average every channel first.
        softmax: give probabilities.
        trailing_ones: give the scores as (N, classes, 1, 1).
        also: further outputs, name and width; each repeats the first score.
        root_of_score: take the square root, so that negative scores become NaN.
        external: name of an external data file for the weights, beside the model.
        output: name of the scores.
    """
    weights = np.asarray(weights, np.float32)
    classes = weights.shape[1]
    nodes, value = [], "image"
    if dtype != "float32":
        nodes.append(helper.make_node("Cast", [value], ["cast"], to=TensorProto.FLOAT))
        value = "cast"
    if layout == "nhwc":
        nodes.append(helper.make_node("Transpose", [value], ["planar"], perm=[0, 3, 1, 2]))
        value = "planar"
    if pool:
        nodes.append(helper.make_node("GlobalAveragePool", [value], ["pooled"]))
        value = "pooled"
    nodes += [
        helper.make_node("Flatten", [value], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["linear"]),
    ]
    value = "linear"
    if root_of_score:
        nodes.append(helper.make_node("Sqrt", [value], ["root"]))
        value = "root"
    if softmax:
        nodes.append(helper.make_node("Softmax", [value], ["probabilities"]))
        value = "probabilities"
    if trailing_ones:
        nodes.append(helper.make_node("Unsqueeze", [value, "last_axes"], ["unsqueezed"]))
        value = "unsqueezed"
    kind = TensorProto.FLOAT16 if dtype == "float16" else TensorProto.FLOAT
    nodes.append(helper.make_node("Cast", [value], [output], to=kind))
    tail = [1, 1] if trailing_ones else []
    outputs = [helper.make_tensor_value_info(output, kind, [batch, classes, *tail])]
    for name, width in also:
        nodes.append(helper.make_node("MatMul", ["linear", f"{name}_weights"], [name]))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, width]))
    constants = {
        "weights": weights,
        "bias": np.zeros(classes, np.float32) if bias is None else np.asarray(bias, np.float32),
        **({"last_axes": np.array([2, 3], np.int64)} if trailing_ones else {}),
        **{f"{name}_weights": np.eye(classes, width, dtype=np.float32) for name, width in also},
    }
    height, width = (size, size) if size is None or isinstance(size, int) else size
    sides = ["H" if height is None else height, "W" if width is None else width]
    shape = [batch, 3, *sides] if layout == "nchw" else [batch, *sides, 3]
    image = helper.make_tensor_value_info("image", _TYPES[dtype], shape)
    return save(path, nodes, [image], outputs, constants, external=external)


def conv_classifier(
    path: Path, *, seed: int = 0, classes: int = 10, batch: int | str = "N", quantized: bool = False
) -> Path:
    """Two random convolutions, a pool and a linear layer: float32 (N, 3, H, W) -> (N, classes).

    With `quantized` the second convolution stands between QuantizeLinear and DequantizeLinear.
    """
    random = np.random.default_rng(seed)

    def normal(*shape: int) -> NDArray[np.float32]:
        return (random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    constants = {"w1": normal(8, 3, 3, 3), "w2": normal(16, 8, 3, 3), "w3": normal(classes, 16)}
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["c1"], name="conv1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
    ]
    source = "r1"
    if quantized:
        constants |= {"step": np.float32(0.02), "zero": np.uint8(0)}
        nodes += [
            helper.make_node("QuantizeLinear", ["r1", "step", "zero"], ["q1"]),
            helper.make_node("DequantizeLinear", ["q1", "step", "zero"], ["d1"]),
        ]
        source = "d1"
    nodes += [
        helper.make_node("Conv", [source, "w2"], ["c2"], name="conv2", strides=[2, 2]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("GlobalAveragePool", ["r2"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w3"], ["scores"], transB=1),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, "H", "W"])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, classes])
    return save(path, nodes, [image], [scores], constants)


def enhancer(
    path: Path,
    *,
    gain: Sequence[float] = (1.0, 1.0, 1.0),
    offset: float = 0.0,
    size: int | None = None,
    batch: int | str = "N",
    halve: bool = False,
) -> Path:
    """An image-to-image model: each channel times its gain plus an offset; `halve` wrongly halves the size."""
    sides: list[Any] = ["H", "W"] if size is None else [size, size]
    constants = {"gain": np.float32(gain).reshape(1, 3, 1, 1), "offset": np.float32(offset)}
    nodes = [
        helper.make_node("Mul", ["image", "gain"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offset"], ["bright"]),
    ]
    if halve:
        nodes.append(helper.make_node("MaxPool", ["bright"], ["enhanced"], kernel_shape=[2, 2], strides=[2, 2]))
    else:
        nodes.append(helper.make_node("Identity", ["bright"], ["enhanced"]))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, *sides])
    made = helper.make_tensor_value_info("enhanced", TensorProto.FLOAT, [batch, 3, None, None])
    return save(path, nodes, [image], [made], constants)


def weighing(
    path: Path, *, factor: float = 1.0, width: int = 50, beside: str = "magnitudes", batch: int | str = "N"
) -> Path:
    """An identity with the outputs of a DynTTA enhancer: the first weight is `factor` times the mean of red, all others
    are 0, and so are the magnitudes, which are called `beside`."""
    pattern = np.zeros((3, width), np.float32)
    pattern[0, 0] = factor
    nodes = [
        helper.make_node("Identity", ["pixels"], ["image"]),
        helper.make_node("GlobalAveragePool", ["pixels"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "pattern"], ["weights"]),
        helper.make_node("Sub", ["weights", "weights"], [beside]),
    ]
    pixels, image = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, 3, "H", "W"]) for name in ("pixels", "image")
    )
    # a width that is not declared, as torch exports it
    free = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, "free"]) for name in (beside, "weights")]
    return save(path, nodes, [pixels], [image, *free], {"pattern": pattern})


def zipmap_classifier(path: Path) -> Path:
    """What scikit-learn's converter writes: an int64 label and a list of dictionaries, of an image's means."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("ArgMax", ["flat"], ["label"], axis=1, keepdims=0),
        helper.make_node("ZipMap", ["flat"], ["probabilities"], domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, "H", "W"])
    key_value = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]),
        helper.make_value_info("probabilities", helper.make_sequence_type_proto(key_value)),
    ]
    return save(path, nodes, [image], outputs, {})


def identity_model(
    path: Path, shapes: Sequence[Sequence[int | str | None] | None], kind: int = TensorProto.FLOAT
) -> Path:
    """One input of every shape, each summed to (N, 2): for models that are no image classifier.

    A shape of None declares no number of dimensions.
    """
    names = [f"input{index}" for index in range(len(shapes))]
    nodes = [helper.make_node("Cast", [names[0]], ["cast"], to=TensorProto.FLOAT)]
    nodes += [
        helper.make_node("Reshape", ["cast", "rows"], ["flat"]),
        helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[1]),
        helper.make_node("Concat", ["mean", "mean"], ["scores"], axis=1),
    ]
    inputs = [helper.make_tensor_value_info(name, kind, shape) for name, shape in zip(names, shapes, strict=True)]
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 2])
    return save(path, nodes, inputs, [scores], {"rows": np.array([0, -1], np.int64)})


def save(
    path: Path,
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    constants: dict[str, Any],
    *,
    external: str | None = None,
    opset: int = 17,
    ir: int = 8,
) -> Path:
    """Write a graph; with `external` its constants go to that file beside the model."""
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(list(nodes), "graph", list(inputs), list(outputs), tensors)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=ir)
    if external:
        onnx.save_model(model, str(path), save_as_external_data=True, location=external, size_threshold=0)
    else:
        path.write_bytes(model.SerializeToString())
    return path


def name_external(path: Path, location: str) -> Path:
    """Rewrite a model so that its first external tensor says it lies at `location`."""
    model = onnx.load_model(str(path), load_external_data=False)
    tensor = next(one for one in model.graph.initializer if one.external_data)
    next(entry for entry in tensor.external_data if entry.key == "location").value = location
    path.write_bytes(model.SerializeToString())
    return path
