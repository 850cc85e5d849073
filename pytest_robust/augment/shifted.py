"""Transforms that only choose among the shifts."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_robust.augment.base import Transform

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from pytest_robust.shifts.base import PixelShift
    from pytest_robust.shifts.rng import Stream

    Share = tuple[PixelShift, list[int], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class ShiftTransform(Transform):
    """A transform whose images are shifted or stay; a tensor on a GPU is shifted there by the shifts' own twins."""

    @abstractmethod
    def shares(self, bits: Sequence[Stream], height: int, width: int) -> Iterable[Share]:
        """The shifts, each with the positions of its images and its resolved numbers, never empty ones.

        Args:
            bits: the images' random bits.
            height: of the images, in pixels.
            width: of the images, in pixels.
        """

    def on_host(self, images: NDArray[np.uint8], bits: Sequence[Stream]) -> NDArray[np.uint8]:
        """See `Transform.on_host`."""
        out = images.copy()
        for shift, mine, numbers in self.shares(bits, *images.shape[1:3]):
            out[mine] = shift.apply(images[mine], [bits[i] for i in mine], **numbers)
        return out

    def on_device(self, images: torch.Tensor, bits: Sequence[Stream]) -> torch.Tensor:
        """See `Transform.on_device`."""
        import torch

        from pytest_robust.shifts.on_device.bits import BatchBits
        from pytest_robust.shifts.on_device.streams import applied

        out = images.clone()
        for shift, mine, numbers in self.shares(bits, *images.shape[1:3]):
            here = torch.tensor(mine).to(images.device)
            out[here] = applied(shift, images[here], BatchBits([bits[i] for i in mine], images.device), numbers)
        return out
