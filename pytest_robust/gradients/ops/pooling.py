"""Maximum, average and Lp pooling, local and global."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from pytest_robust.gradients.ops.convolution import CONVOLVE
from pytest_robust.gradients.ops.windows import Window, flat
from pytest_robust.gradients.registry import Node, operator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from pytest_robust.gradients.ops.windows import Pads
    from pytest_robust.gradients.registry import Kernel

_MAXIMUM = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
_AVERAGE = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}


@operator("MaxPool")
def _maximum(node: Node) -> Kernel:
    size: list[int] = node.get("kernel_shape")
    window, pool, rank = Window(node), _MAXIMUM[len(size)], len(size)
    strides, dilations = window.strides(rank), window.dilations(rank)
    if node.outputs > 1:
        raise node.refuse("gives the places of its maxima")

    def kernel(x: Tensor) -> Any:
        pads = window.pads(x.shape[2:], size)
        pads = _reaching(pads, window.overhang(x.shape[2:], size, pads))
        if all(before == after <= width // 2 for (before, after), width in zip(pads, size, strict=True)):
            return pool(x, size, strides, [before for before, _ in pads], dilations)
        return pool(functional.pad(x, flat(pads), value=-math.inf), size, strides, 0, dilations)

    return kernel


def _reaching(pads: Pads, over: Sequence[int]) -> Pads:
    return [(before, after + more) for (before, after), more in zip(pads, over, strict=True)]


@operator("AveragePool")
def average_pool(node: Node) -> Kernel:
    """The mean of the places that count: of the image, and of its padding with `count_include_pad`."""
    size: list[int] = node.get("kernel_shape")
    counted = bool(node.get("count_include_pad", 0))
    window = Window(node)
    mean = _mean_of_window(window, size)

    def kernel(x: Tensor) -> Any:
        pads = window.pads(x.shape[2:], size)
        over = window.overhang(x.shape[2:], size, pads)
        if not any(flat(pads)) and not any(over):
            return mean(x)
        whole = flat(_reaching(pads, over))
        ones = torch.ones((1, 1, *x.shape[2:]), dtype=x.dtype, device=x.device)
        if counted:
            ones = functional.pad(ones, flat(pads), value=1.0)
        share = mean(functional.pad(ones, flat([(0, more) for more in over]) if counted else whole))
        return mean(functional.pad(x, whole)) / share

    return kernel


def _mean_of_window(window: Window, size: list[int]) -> Kernel:
    rank = len(size)
    strides, dilations = window.strides(rank), window.dilations(rank)
    if all(one == 1 for one in dilations):
        return lambda x: _AVERAGE[rank](x, size, strides)

    def dilated(x: Tensor) -> Tensor:
        weight = torch.full((x.shape[1], 1, *size), 1 / math.prod(size), dtype=x.dtype, device=x.device)
        return CONVOLVE[rank](x, weight, None, strides, 0, dilations, x.shape[1])

    return dilated


@operator("LpPool")
def _lp_pool(node: Node) -> Kernel:
    size: list[int] = node.get("kernel_shape")
    power: float = node.get("p", 2)
    window = Window(node)
    mean = _mean_of_window(window, size)

    def kernel(x: Tensor) -> Any:
        pads = window.pads(x.shape[2:], size)
        whole = flat(_reaching(pads, window.overhang(x.shape[2:], size, pads)))
        return (mean(functional.pad(x, whole).abs() ** power) * math.prod(size)) ** (1 / power)

    return kernel


def spatial(x: Tensor) -> list[int]:
    """The axes after batch and channels."""
    return list(range(2, x.ndim))


@operator("GlobalAveragePool")
def _global_average(node: Node) -> Kernel:
    return lambda x: x.mean(dim=spatial(x), keepdim=True)


@operator("GlobalMaxPool")
def _global_maximum(node: Node) -> Kernel:
    return lambda x: x.amax(dim=spatial(x), keepdim=True)


@operator("GlobalLpPool")
def _global_lp(node: Node) -> Kernel:
    power = node.get("p", 2)
    return lambda x: torch.linalg.vector_norm(x, power, dim=spatial(x), keepdim=True)
