"""Shapes: asked for, changed, broadcast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pytest_robust.gradients.registry import Node, operator

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_robust.gradients.registry import Kernel


@operator("Shape")
def _shape(node: Node) -> Kernel:
    start, end = node.get("start", 0), node.get("end")
    return lambda x: torch.tensor(x.shape[start:end], dtype=torch.int64)


@operator("Reshape", since=5)
def _reshape(node: Node) -> Kernel:
    zero = node.get("allowzero", 0)

    def kernel(x: Tensor, shape: Tensor) -> Tensor:
        sizes = shape.tolist()
        if not zero:
            sizes = [size or x.shape[axis] for axis, size in enumerate(sizes)]
        return x.reshape(sizes)

    return kernel


@operator("Flatten")
def _flatten(node: Node) -> Kernel:
    axis = node.get("axis", 1)

    def kernel(x: Tensor) -> Tensor:
        rows = x.shape[:axis].numel()
        return x.reshape(rows, x.numel() // rows)

    return kernel


@operator("Transpose")
def _transpose(node: Node) -> Kernel:
    order = node.get("perm")
    return lambda x: x.permute(order or list(range(x.ndim))[::-1])


@operator("Squeeze")
def _squeeze(node: Node) -> Kernel:
    attribute = node.get("axes")

    def kernel(x: Tensor, given: Tensor | None = None) -> Tensor:
        axes = attribute if given is None else given.tolist()
        return x.squeeze() if axes is None else x.squeeze(axes)

    return kernel


@operator("Unsqueeze")
def _unsqueeze(node: Node) -> Kernel:
    attribute = node.get("axes")

    def kernel(x: Tensor, given: Tensor | None = None) -> Tensor:
        axes = attribute if given is None else given.tolist()
        rank = x.ndim + len(axes)
        for axis in sorted(axis % rank for axis in axes):
            x = x.unsqueeze(axis)
        return x

    return kernel


@operator("Expand")
def _expand(node: Node) -> Kernel:
    def kernel(x: Tensor, shape: Tensor) -> Tensor:
        sizes = shape.tolist()
        # A side of 1 asks for nothing, as in any broadcast.
        have = [1] * (len(sizes) - x.ndim) + list(x.shape)
        sizes = [1] * (x.ndim - len(sizes)) + sizes
        return x.expand([old if new == 1 else new for old, new in zip(have, sizes, strict=True)])

    return kernel


@operator("Tile", since=6)
def _tile(node: Node) -> Kernel:
    return lambda x, repeats: x.repeat(repeats.tolist())


@operator("Identity")
def _identity(node: Node) -> Kernel:
    return lambda x: x


@operator("Dropout")
def _dropout(node: Node) -> Kernel:
    if len(node.constants) > 2 and (node.constants[2] is None or bool(node.constants[2])):
        raise node.refuse("drops values in training mode")
    return lambda x, *_: (x, torch.ones_like(x, dtype=torch.bool))


@operator("DepthToSpace")
def _depth_to_space(node: Node) -> Kernel:
    block = node.get("blocksize")
    pattern = (0, 1, 4, 2, 5, 3) if node.get("mode", "DCR") == "CRD" else (0, 3, 4, 1, 5, 2)
    depth_last = node.get("mode", "DCR") == "CRD"

    def kernel(x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        blocks = (channels // block**2, block, block) if depth_last else (block, block, channels // block**2)
        parts = x.reshape(batch, *blocks, height, width).permute(pattern)
        return parts.reshape(batch, -1, height * block, width * block)

    return kernel


@operator("SpaceToDepth")
def _space_to_depth(node: Node) -> Kernel:
    block = node.get("blocksize")

    def kernel(x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        parts = x.reshape(batch, channels, height // block, block, width // block, block).permute(0, 3, 5, 1, 2, 4)
        return parts.reshape(batch, -1, height // block, width // block)

    return kernel
