"""What ImageNet-C has beside its corruptions; see `pytest_robust.shifts.imagenet_c`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from pytest_robust.shifts import digital, imagenet_c
from pytest_robust.shifts.on_device.streams import applied, on_host

if TYPE_CHECKING:
    from pytest_robust.shifts.base import PixelShift
    from pytest_robust.shifts.on_device.bits import BatchBits


def reloaded(
    images: torch.Tensor, bits: BatchBits, *, shift: PixelShift, jpeg85: bool = False, **numbers: Any
) -> torch.Tensor:
    """The shift, with `jpeg85` through a JPEG file as well, which is made on the host."""
    made = applied(shift, images, bits, numbers)
    return on_host(digital.jpeg_compression, made, bits, {"quality": imagenet_c.QUALITY}) if jpeg85 else made


def one_per_sample(images: torch.Tensor, bits: BatchBits, **numbers: Any) -> torch.Tensor:
    """Each sample under the corruption that it draws; those that draw one without a twin are made on the host."""
    out = torch.empty_like(images)
    for shift, mine, own in imagenet_c.shares(bits.streams, **numbers):
        here = torch.tensor(mine).to(images.device)
        out[here] = applied(shift, images[here], bits.of(mine), own)
    return out
