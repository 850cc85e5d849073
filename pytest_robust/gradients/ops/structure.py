"""Tensors cut, joined and padded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from pytest_robust.gradients.ops.arithmetic import together
from pytest_robust.gradients.registry import Node, operator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from pytest_robust.gradients.registry import Kernel


@operator("Concat")
def _concat(node: Node) -> Kernel:
    axis = node.get("axis", 1)
    return lambda *tensors: torch.cat(together(*tensors), dim=axis)


@operator("Split")
def _split(node: Node) -> Kernel:
    axis, attribute = node.get("axis", 0), node.get("split")
    parts = node.get("num_outputs", node.outputs)

    def kernel(x: Tensor, given: Tensor | None = None) -> tuple[Tensor, ...]:
        sizes = attribute if given is None else given.tolist()
        return torch.split(x, sizes or -(-x.shape[axis] // parts), dim=axis)

    return kernel


@operator("Slice", since=1)
def _slice_attributes(node: Node) -> Kernel:
    starts, ends = node.get("starts"), node.get("ends")
    axes = node.get("axes") or range(len(starts))
    return lambda x: _cut(x, starts, ends, axes, [1] * len(starts))


@operator("Slice", since=10)
def _slice_inputs(node: Node) -> Kernel:
    def kernel(
        x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor | None = None, steps: Tensor | None = None
    ) -> Tensor:
        count = len(starts)
        return _cut(
            x,
            starts.tolist(),
            ends.tolist(),
            range(count) if axes is None else axes.tolist(),
            [1] * count if steps is None else steps.tolist(),
        )

    return kernel


def _cut(x: Tensor, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int], steps: Sequence[int]) -> Tensor:
    index = [slice(None)] * x.ndim
    backwards = []
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        chosen = range(*slice(start, end, step).indices(x.shape[axis]))
        if step < 0:
            # torch steps forwards only: cut the same places and turn them round.
            backwards.append(axis)
            chosen = chosen[::-1]
        index[axis] = slice(chosen.start, chosen.stop, chosen.step) if chosen else slice(0, 0)
    made = x[tuple(index)]
    return made.flip(backwards) if backwards else made


@operator("Pad", since=2)
def _pad_attributes(node: Node) -> Kernel:
    pads, mode, value = node.get("pads"), node.get("mode", "constant"), node.get("value", 0.0)
    return lambda x: _padded(x, pads, range(x.ndim), mode, value)


@operator("Pad", since=11)
def _pad_inputs(node: Node) -> Kernel:
    mode, value = node.get("mode", "constant"), node.scalar(2, 0.0)

    def kernel(x: Tensor, pads: Tensor, _: Tensor | None = None, axes: Tensor | None = None) -> Tensor:
        return _padded(x, pads.tolist(), range(x.ndim) if axes is None else axes.tolist(), mode, value)

    return kernel


def _padded(x: Tensor, pads: Sequence[int], axes: Sequence[int], mode: str, value: float | None) -> Tensor:
    count = len(axes)
    sides = dict.fromkeys(range(x.ndim), (0, 0))
    pairs = zip(pads[:count], pads[count:], strict=True)
    sides |= {axis % x.ndim: pair for axis, pair in zip(axes, pairs, strict=True)}
    if mode == "constant":
        return functional.pad(x, [side for axis in reversed(range(x.ndim)) for side in sides[axis]], value=value)
    for axis, (before, after) in sides.items():
        if before or after:
            x = x.index_select(axis, _mirror(x.shape[axis], before, after, mode).to(x.device))
    return x


def _mirror(size: int, before: int, after: int, mode: str) -> Tensor:
    """The places that a padded axis repeats; negative padding crops."""
    grown = np.pad(np.arange(size), (max(before, 0), max(after, 0)), mode=mode)  # type: ignore[call-overload]
    return torch.from_numpy(grown[max(-before, 0) : len(grown) - max(-after, 0)])
