"""Nodes with one operator each, over attributes and the opsets in which it changed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

DRAW = np.random.default_rng(3)
INT = np.int64


def floats(*shape: int) -> Any:
    return DRAW.normal(size=shape).astype(np.float32)


def ints(*values: int) -> Any:
    return np.array(values, INT)


class Case(NamedTuple):
    name: str
    shape: tuple[int, ...]
    inputs: tuple[Any, ...]
    attributes: dict[str, Any]
    opset: int
    gradient: bool
    positive: bool
    first: bool


def case(
    name: str,
    shape: tuple[int, ...],
    *inputs: Any,
    opset: int = 20,
    gradient: bool = True,
    positive: bool = False,
    first: bool = True,
    **attributes: Any,
) -> Case:
    return Case(name, shape, inputs, attributes, opset, gradient, positive, first)


ELEMENTWISE = [
    *(case(name, (2, 3, 4), floats(3, 1)) for name in ("Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu")),
    *(case(name, (2, 3, 4), floats(3, 1), first=False) for name in ("Sub", "Div")),
    *(case(name, (4, 5), floats(4, 5), floats(1, 5)) for name in ("Sum", "Mean", "Max", "Min")),
    *(
        case(name, (2, 9))
        for name in (
            *("Abs", "Neg", "Exp", "Erf", "Tanh", "Sigmoid", "Relu", "LeakyRelu", "Elu", "Selu", "Celu", "Gelu"),
            *("HardSigmoid", "HardSwish", "Softplus", "Softsign", "Mish", "ThresholdedRelu", "Sin", "Cos", "Atan"),
            *("Softmax", "LogSoftmax", "Identity", "Sinh", "Cosh", "Tan"),
        )
    ),
    *(case(name, (2, 9), positive=True) for name in ("Sqrt", "Log", "Reciprocal")),
    case("Pow", (2, 9), np.float32(2)),
    case("Pow", (2, 9), np.float32(0.5), positive=True),
    case("Pow", (2, 9), floats(9), positive=True),
    case("Mod", (2, 9), np.float32(0.7), fmod=1),
    case("LeakyRelu", (2, 9), alpha=0.3),
    case("Elu", (2, 9), alpha=0.3),
    case("Celu", (2, 9), alpha=0.3),
    case("HardSigmoid", (2, 9), alpha=0.4, beta=0.2),
    case("Gelu", (2, 9), approximate="tanh"),
    case("Swish", (2, 9), opset=24, alpha=1.5),
    case("Clip", (2, 9), np.float32(-0.5), np.float32(0.7)),
    case("Clip", (2, 9), None, np.float32(0.7)),
    case("Clip", (2, 9), np.float32(0.1)),
    case("Clip", (2, 9)),
    case("Clip", (2, 9), opset=7, min=-0.5, max=0.7),
    case("Clip", (2, 9), opset=10, max=0.7),
    *(case("Softmax", (2, 3, 4), opset=13, axis=axis) for axis in (0, 1, -1)),
    *(case("Softmax", (2, 3, 4), opset=11, axis=axis) for axis in (0, 1, 2)),
    case("LogSoftmax", (2, 3, 4), opset=11, axis=1),
    case("Softmax", (2, 3, 4), opset=11),
]

WINDOWS = [
    case("Conv", (2, 4, 9, 8), floats(6, 4, 3, 3), floats(6)),
    case("Conv", (2, 4, 9, 8), floats(6, 4, 3, 3), pads=[1, 1, 1, 1], strides=[2, 2]),
    case("Conv", (2, 4, 9, 8), floats(6, 4, 3, 2), pads=[0, 1, 2, 0], dilations=[2, 1]),
    case("Conv", (2, 4, 9, 8), floats(6, 2, 3, 3), floats(6), group=2),
    case("Conv", (2, 4, 9, 8), floats(8, 1, 3, 3), group=4, pads=[1, 1, 1, 1]),
    *(
        case("Conv", (2, 4, size, 8), floats(6, 4, 3, 4), auto_pad=how, strides=[2, 3])
        for how in ("SAME_UPPER", "SAME_LOWER", "VALID")
        for size in (9, 10)
    ),
    case("Conv", (2, 4, 9), floats(6, 4, 3), floats(6), pads=[1, 0]),
    case("Conv", (2, 2, 5, 6, 4), floats(3, 2, 3, 3, 2), pads=[1, 1, 0, 1, 1, 1]),
    case("ConvTranspose", (2, 4, 5, 6), floats(4, 3, 3, 3), floats(3)),
    case("ConvTranspose", (2, 4, 5, 6), floats(4, 3, 3, 3), floats(3), strides=[2, 2], pads=[1, 0, 0, 1]),
    case("ConvTranspose", (2, 4, 5, 6), floats(4, 3, 3, 3), floats(3), strides=[2, 3], output_padding=[1, 2]),
    case("ConvTranspose", (2, 4, 5, 6), floats(4, 3, 2, 2), floats(6), strides=[2, 2], group=2),
    case("ConvTranspose", (2, 4, 5, 6), floats(4, 3, 3, 3), strides=[2, 2], output_shape=[10, 12]),
    case("ConvTranspose", (2, 4, 5, 6), floats(4, 3, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER"),
    case("ConvTranspose", (2, 4, 5, 6), floats(4, 3, 3, 3), strides=[2, 2], auto_pad="SAME_LOWER"),
    case("ConvTranspose", (2, 4, 5, 6), floats(4, 3, 3, 3), dilations=[2, 1]),
    case("ConvTranspose", (2, 4, 5), floats(4, 3, 3), strides=[2], pads=[1, 1]),
    *(
        case(name, (2, 3, 10, 11), kernel_shape=[3, 2], strides=strides, pads=pads, ceil_mode=ceil)
        for name in ("MaxPool", "AveragePool", "LpPool")
        for strides in ([1, 1], [2, 3])
        for pads in ([0, 0, 0, 0], [1, 1, 1, 1], [1, 0, 0, 1])
        for ceil in (0, 1)
    ),
    *(
        case("AveragePool", (2, 3, 10, 11), kernel_shape=[3, 2], strides=strides, pads=pads, ceil_mode=ceil,
             count_include_pad=1)
        for strides in ([1, 1], [2, 3])
        for pads in ([1, 1, 1, 1], [1, 0, 0, 1])
        for ceil in (0, 1)
    ),
    *(
        case(name, (2, 3, size, 8), kernel_shape=[3, 2], strides=[2, 2], auto_pad=how)
        for name in ("MaxPool", "AveragePool")
        for how in ("SAME_UPPER", "SAME_LOWER", "VALID")
        for size in (7, 8)
    ),
    case("MaxPool", (2, 3, 10, 11), kernel_shape=[3, 3], dilations=[2, 3], pads=[2, 1, 2, 1]),
    case("AveragePool", (2, 3, 10, 11), kernel_shape=[3, 3], dilations=[2, 3], pads=[2, 1, 2, 1]),
    case("AveragePool", (2, 3, 10, 11), kernel_shape=[3, 3], dilations=[2, 3], count_include_pad=1, pads=[2, 1, 2, 1]),
    case("MaxPool", (2, 3, 10), kernel_shape=[3], strides=[2], pads=[1, 1]),
    case("AveragePool", (2, 3, 6, 6, 6), kernel_shape=[2, 3, 2], strides=[2, 2, 2]),
    *(case(name, (2, 3, 5, 4)) for name in ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")),
    case("GlobalAveragePool", (2, 3, 5)),
    case("LpPool", (2, 3, 6, 6), kernel_shape=[2, 2], p=3),
]  # fmt: skip

NORMALISE = [
    *(
        case("BatchNormalization", (2, 3, 4, 5), floats(3), floats(3), floats(3), abs(floats(3)) + 0.1, opset=opset,
             epsilon=1e-3)
        for opset in (8, 9, 14, 15, 20)
    ),
    case("InstanceNormalization", (2, 3, 4, 5), floats(3), floats(3), epsilon=1e-3),
    case("GroupNormalization", (2, 6, 4, 5), floats(3), floats(3), opset=18, num_groups=3),
    case("GroupNormalization", (2, 6, 4, 5), floats(6), floats(6), opset=21, num_groups=3),
    *(case("LayerNormalization", (2, 3, 4, 5), floats(5), floats(5), axis=axis) for axis in (-1, 3)),
    case("LayerNormalization", (2, 3, 4, 5), floats(4, 5), axis=2),
    case("LayerNormalization", (2, 3, 4, 5), floats(5), axis=2),
    case("RMSNormalization", (2, 3, 4, 5), floats(4, 5), opset=23, axis=2),
    *(case("LRN", (2, 7, 4, 5), size=size, alpha=0.3, beta=0.6, bias=1.5) for size in (1, 3, 5)),
    *(case("LpNormalization", (2, 3, 4), axis=1, p=p) for p in (1, 2)),
    case("MeanVarianceNormalization", (2, 3, 4, 5)),
]  # fmt: skip

REDUCTIONS = ("Max", "Mean", "Min", "Prod", "Sum", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")

REDUCE = [
    *(case(f"Reduce{name}", (2, 3, 4), ints(-1, 1), opset=20, positive=True, keepdims=0) for name in REDUCTIONS),
    *(case(f"Reduce{name}", (2, 3, 4), opset=12, positive=True, axes=[1]) for name in REDUCTIONS),
    *(case(f"Reduce{name}", (2, 3, 4), opset=20, positive=True) for name in REDUCTIONS),
    case("ReduceSum", (2, 3, 4), ints(), noop_with_empty_axes=1),
    case("ReduceSum", (2, 3, 4), ints()),
    *(case("CumSum", (2, 5), np.int64(1), reverse=r, exclusive=e) for r in (0, 1) for e in (0, 1)),
    *(case("Trilu", (2, 5, 5), np.int64(1), upper=upper) for upper in (0, 1)),
    case("Trilu", (2, 4, 5)),
]

SHAPES = [
    case("Reshape", (2, 3, 4), ints(0, -1)),
    case("Reshape", (2, 3, 4), ints(-1, 2, 0), opset=7),
    case("Reshape", (2, 3, 4), ints(2, 12), allowzero=1),
    *(case("Flatten", (2, 3, 4), axis=axis) for axis in (0, 1, 2, 3, -1)),
    case("Transpose", (2, 3, 4)),
    case("Transpose", (2, 3, 4), perm=[1, 2, 0]),
    case("Squeeze", (2, 1, 3, 1), ints(-1, 1)),
    case("Squeeze", (2, 1, 3, 1)),
    case("Squeeze", (2, 1, 3, 1), opset=11, axes=[3]),
    case("Unsqueeze", (2, 3), ints(-1, 0)),
    case("Unsqueeze", (2, 3), ints(3, 1)),
    case("Unsqueeze", (2, 3), opset=11, axes=[0, 3]),
    case("Expand", (2, 1, 3), ints(4, 1, 5, 1)),
    case("Expand", (2, 1, 3), ints(5, 1)),
    case("Tile", (2, 3), ints(2, 3)),
    case("Concat", (2, 3), floats(2, 5), axis=1),
    case("Concat", (2, 3), floats(4, 3), axis=-2),
    case("Slice", (5, 6, 7), ints(1, -3), ints(9, -1)),
    case("Slice", (5, 6, 7), ints(1, -1, 6), ints(4, -100, 0), ints(0, 1, -1), ints(2, -2, -1)),
    case("Slice", (5, 6, 7), ints(0), ints(2**63 - 1), ints(2)),
    case("Slice", (5, 6, 7), ints(-1), ints(-(2**63)), ints(-1), ints(-3)),
    case("Slice", (5, 6, 7), opset=9, starts=[1, 2], ends=[4, 1000], axes=[2, 0]),
    case("Slice", (5, 6, 7), opset=9, starts=[1], ends=[-1]),
    case("DepthToSpace", (2, 12, 3, 4), blocksize=2),
    case("DepthToSpace", (2, 12, 3, 4), blocksize=2, mode="CRD"),
    case("SpaceToDepth", (2, 3, 4, 6), blocksize=2),
    case("Pad", (2, 3, 4), ints(0, 1, 2, 0, 0, 3), np.float32(1.5)),
    case("Pad", (2, 3, 6), ints(0, -1, -2, 0, 1, -1)),
    case("Pad", (2, 3, 4), ints(1, 3), None, ints(-1)),
    case("Pad", (2, 3, 4), opset=10, pads=[0, 1, 2, 0, 0, 3], value=0.5),
    *(case("Pad", (2, 3, 5), ints(0, 1, 2, 0, 2, 4), mode=mode) for mode in ("reflect", "edge", "wrap")),
    case("Dropout", (2, 3)),
    case("Dropout", (2, 3), np.float32(0.9)),
    case("Dropout", (2, 3), opset=10, ratio=0.9),
]

INDEX = [
    case("Gather", (4, 5), np.int64(-1), axis=1),
    case("Gather", (4, 5), ints(0, -1, 2)),
    case("Gather", (4, 5, 2), np.array([[0, -2], [3, 3]], INT), axis=-2),
    case("GatherElements", (3, 4), np.array([[0, -1, 2], [1, 1, 0]], INT), axis=1),
    case("GatherND", (3, 4, 2), np.array([[0, 1], [2, -1]], INT)),
    case("GatherND", (2, 4, 2), np.array([[1], [-1]], INT), batch_dims=1),
    *(
        case("ScatterElements", (3, 4), np.array([[0, -1, 2]], INT), floats(1, 3), axis=1, reduction=how)
        for how in ("none", "add", "max")
    ),
    *(
        case("ScatterND", (3, 4, 2), np.array([[0, 1], [2, 3]], INT), floats(2, 2), reduction=how)
        for how in ("none", "add")
    ),
    case("Where", (2, 3), floats(3), first=False),
]

MATRICES = [
    case("MatMul", (2, 3, 4), floats(4, 5)),
    case("MatMul", (2, 3, 4), floats(2, 4, 5)),
    case("MatMul", (3, 4), floats(4)),
    case("Gemm", (3, 4), floats(4, 5), floats(5)),
    case("Gemm", (3, 4), floats(5, 4), floats(5), transB=1),
    case("Gemm", (4, 3), floats(5, 4), floats(3, 5), transA=1, transB=1, alpha=0.5, beta=2.0),
    case("Gemm", (3, 4), floats(4, 5), floats(3, 1), alpha=0.5),
    case("Gemm", (3, 4), floats(4, 5)),
    case("Einsum", (2, 3, 4), floats(4, 5), equation="bij,jk->bik"),
    case("Einsum", (2, 3, 4), floats(2, 5, 4), equation="... i j, ... k j"),
    case("Det", (2, 3, 3)),
    case("Attention", (2, 3, 4, 5), floats(2, 3, 6, 5), floats(2, 3, 6, 7), opset=23),
    case("Attention", (2, 4, 3, 5), floats(2, 2, 6, 5), floats(2, 2, 6, 7), opset=23, is_causal=1, scale=0.3),
    case("Attention", (2, 3, 12), floats(2, 6, 6), floats(2, 6, 10), opset=23, q_num_heads=4, kv_num_heads=2),
    case("Attention", (2, 3, 4, 5), floats(2, 3, 6, 5), floats(2, 3, 6, 7), floats(4, 6), opset=23),
    case("Attention", (2, 3, 4, 5), floats(2, 3, 6, 5), floats(2, 3, 6, 7), floats(4, 6) > -1, opset=23),
    case("Attention", (2, 3, 4, 5), floats(2, 3, 6, 5), floats(2, 3, 6, 7), opset=23, softcap=0.5),
]

COORDINATES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric")

RESIZE = [
    *(
        case("Resize", (1, 2, 5, 6), None, np.array([1, 1, *scales], np.float32), opset=19,
             coordinate_transformation_mode=coordinates, mode=mode)
        for coordinates in COORDINATES
        for mode in ("nearest", "linear", "cubic")
        for scales in ((2, 3), (0.6, 0.5))
    ),
    *(
        case("Resize", (1, 2, 5, 6), None, np.array([1, 1, 2.5, 0.7], np.float32), opset=13, nearest_mode=rounding)
        for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    ),
    *(
        case("Resize", (1, 2, 12, 9), None, None, ints(1, 2, 5, 4), opset=18, mode=mode, antialias=antialias)
        for mode in ("linear", "cubic")
        for antialias in (0, 1)
    ),
    case("Resize", (1, 2, 5, 6), None, None, ints(8, 4), opset=18, mode="linear", axes=[2, 3]),
    case("Resize", (1, 2, 5, 6), None, None, ints(1, 2, 8, 4), opset=13, mode="cubic", exclude_outside=1),
    case("Resize", (1, 2, 5, 6), None, None, ints(1, 2, 8, 4), opset=13, mode="cubic", cubic_coeff_a=-0.5),
    *(case("Resize", (1, 2, 5, 6), np.array([1, 1, 2, 0.5], np.float32), opset=10, mode=mode)
      for mode in ("nearest", "linear")),
    case("Upsample", (1, 2, 5, 6), np.array([1, 1, 2, 2], np.float32), opset=9, mode="nearest"),
    case("Upsample", (1, 2, 5, 6), opset=8, mode="linear", scales=[1.0, 1.0, 2.0, 3.0]),
]  # fmt: skip

STEPS = [
    *(case(name, (2, 9), gradient=False) for name in ("Ceil", "Floor", "Round", "Sign")),
]

CASES = [*ELEMENTWISE, *WINDOWS, *NORMALISE, *REDUCE, *SHAPES, *INDEX, *MATRICES, *RESIZE, *STEPS]
