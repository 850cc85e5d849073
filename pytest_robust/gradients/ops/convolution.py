"""Convolution and its transpose, over one to three spatial axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from pytest_robust.gradients.ops.windows import Window, flat
from pytest_robust.gradients.registry import Node, operator

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_robust.gradients.registry import Kernel

CONVOLVE = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
"""By number of spatial axes."""

_TRANSPOSE = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


@operator("Conv")
def convolution(node: Node) -> Kernel:
    """See the module."""
    groups = node.get("group", 1)
    window = Window(node)

    def kernel(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        rank = weight.ndim - 2
        strides, dilations = window.strides(rank), window.dilations(rank)
        pads = window.pads(x.shape[2:], weight.shape[2:])
        same = all(before == after for before, after in pads)
        if not same:
            x = functional.pad(x, flat(pads))
        if rank == 2:
            # Torch's convolutions on a CPU are up to twice as fast so, and what follows keeps the format.
            x = x.contiguous(memory_format=torch.channels_last)
        padding = [before for before, _ in pads] if same else [0] * rank
        return CONVOLVE[rank](x, weight, bias, strides, padding, dilations, groups)

    return kernel


@operator("ConvTranspose")
def _transpose(node: Node) -> Kernel:
    groups = node.get("group", 1)
    window = Window(node)
    wanted, extra = node.get("output_shape"), node.get("output_padding")

    def kernel(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        rank = weight.ndim - 2
        strides = window.strides(rank)
        full = _TRANSPOSE[rank](x, weight, None, strides, 0, 0, groups, window.dilations(rank))
        longer = extra or [0] * rank
        if wanted or window.auto != "NOTSET":
            sizes = wanted or [size * stride for size, stride in zip(x.shape[2:], strides, strict=True)]
            lengths = [have + more for have, more in zip(full.shape[2:], longer, strict=True)]
            pads = window.shares([have - size for have, size in zip(lengths, sizes, strict=True)])
        else:
            pads = window.pads(x.shape[2:], weight.shape[2:])
        crop = [(-before, more - after) for (before, after), more in zip(pads, longer, strict=True)]
        made = functional.pad(full, flat(crop))
        # The bias comes last because output_padding adds places that no input reaches.
        return made if bias is None else made + bias.reshape(-1, *[1] * rank)

    return kernel
