"""Conversions between floats, integers and bools, and tensors that are made out of shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from onnx import TensorProto

from pytest_robust.gradients.registry import Node, operator
from pytest_robust.gradients.tensors import FLOATS, INTEGERS, QUANTIZED, tensor_of

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_robust.gradients.registry import Kernel


@operator("Cast", anchored=True)
def _cast(node: Node) -> Kernel:
    to = node.get("to")
    if to in FLOATS:
        return _to_float
    if to in QUANTIZED:
        return lambda anchor, x: torch.trunc(x.detach()) if x.is_floating_point() else x.to(anchor)
    if to in INTEGERS:
        return lambda anchor, x: x.to(torch.int64)
    if to == TensorProto.BOOL:
        return lambda anchor, x: x != 0
    raise node.refuse(f"casts to {TensorProto.DataType.Name(to)}")


@operator("CastLike", anchored=True)
def _cast_like(node: Node) -> Kernel:
    def kernel(anchor: Tensor, x: Tensor, like: Tensor) -> Tensor:
        return _to_float(anchor, x) if like.is_floating_point() else x.to(like.dtype)

    return kernel


def _to_float(anchor: Tensor, x: Tensor) -> Tensor:
    return x if x.is_floating_point() else x.to(anchor)


@operator("ConstantOfShape", anchored=True)
def _constant_of_shape(node: Node) -> Kernel:
    given = node.get("value")
    value = torch.zeros(()) if given is None else tensor_of(given).reshape(())
    number: Any = value.item()

    def kernel(anchor: Tensor, shape: Tensor) -> Tensor:
        like = anchor if value.is_floating_point() else value
        return torch.full(shape.tolist(), number, dtype=like.dtype, device=like.device)

    return kernel


@operator("Range", anchored=True)
def _range(node: Node) -> Kernel:
    def kernel(anchor: Tensor, start: Tensor, stop: Tensor, step: Tensor) -> Tensor:
        ends: Any = (start.item(), stop.item(), step.item())
        like = anchor if start.is_floating_point() else start
        return torch.arange(*ends, dtype=like.dtype, device=like.device)

    return kernel


@operator("EyeLike", anchored=True)
def _eye_like(node: Node) -> Kernel:
    offset, to = node.get("k", 0), node.get("dtype", TensorProto.FLOAT)
    if to not in FLOATS:
        raise node.refuse(f"makes {TensorProto.DataType.Name(to)} values")

    def kernel(anchor: Tensor, x: Tensor) -> Tensor:
        ones = torch.ones(x.shape, dtype=anchor.dtype, device=anchor.device)
        return ones.tril(offset).triu(offset)

    return kernel


@operator("OneHot", anchored=True)
def _one_hot(node: Node) -> Kernel:
    axis = node.get("axis", -1)

    def kernel(anchor: Tensor, indices: Tensor, depth: Tensor, values: Tensor) -> Tensor:
        size = int(depth)
        place = indices.to(torch.int64)
        place = torch.where(place < 0, place + size, place)
        hot = place.unsqueeze(-1) == torch.arange(size, device=place.device)
        off, on = values.to(hot.device).unbind()
        return torch.where(hot, on, off).movedim(-1, axis)

    return kernel
