"""From an ONNX tensor to a torch tensor of one of the three kinds that kernels meet."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from onnx import TensorProto, numpy_helper

FLOATS = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE})
"""Element types that become floats of the graph's precision."""

QUANTIZED: dict[int, tuple[int, int]] = {
    TensorProto.UINT8: (0, 255),
    TensorProto.INT8: (-128, 127),
    TensorProto.UINT16: (0, 65535),
    TensorProto.INT16: (-32768, 32767),
    TensorProto.UINT4: (0, 15),
    TensorProto.INT4: (-8, 7),
}
"""Element types that hold quantized values, with their smallest and largest value."""

INTEGERS = frozenset({TensorProto.INT32, TensorProto.INT64, TensorProto.UINT32, TensorProto.UINT64})
"""Element types that become int64."""


def known(element: int) -> bool:
    """Whether tensors of that ONNX element type can be run."""
    return element in FLOATS or element in QUANTIZED or element in INTEGERS or element == TensorProto.BOOL


def tensor_of(proto: Any) -> torch.Tensor:
    """The values of a `TensorProto` of a known element type, on the CPU: float32, int64 or bool."""
    array = numpy_helper.to_array(proto)
    if proto.data_type in INTEGERS:
        array = array.astype(np.int64)
    elif proto.data_type != TensorProto.BOOL:
        array = array.astype(np.float32)
    # A scalar's array has no writable memory to share.
    return torch.from_numpy(np.array(array))
