"""The pixel shifts on a device, in torch: for each rule of the family next door a twin of its name.

The definition stays that in NumPy and OpenCV: a twin takes its tables and numbers from there and draws the same random
bits. Nearly every rule is whole numbers, tables and single IEEE operations, so nearly every twin gives the same bytes;
a test holds each to its definition. Filters are matrix products or Fourier transforms of whole numbers in float64,
which rounding makes exact, in whatever order a device adds: no convolution that it might run in lower precision.

torch is imported when a twin is first called, never before.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from pytest_robust.shifts.on_device.bits import BatchBits


def twin(family: str, name: str, **fixed: Any) -> Callable[..., torch.Tensor]:
    """The twin of a rule, imported when it is called.

    Args:
        family: the module that defines the rule, its ``__name__``.
        name: the rule's name, which is the twin's as well.
        fixed: parameters that the rule is bound to.
    """
    module = f"{__name__}.{family.rpartition('.')[2]}"

    def call(images: torch.Tensor, bits: BatchBits, **numbers: Any) -> torch.Tensor:
        made: torch.Tensor = getattr(import_module(module), name)(images, bits, **fixed, **numbers)
        return made

    return call
