"""Where canvases are shifted: beside the model that is shown them, on the host or on a GPU."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pytest_robust.models.portions import Portions
from pytest_robust.shifts.streams import make

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from numpy.typing import NDArray

    from pytest_robust.shifts.base import PixelShift
    from pytest_robust.spec.plan import Json


_LARGE = 1 << 14
"""Pixels of a canvas below which most of a shift's time goes to the interpreter, which the lanes share."""


class Placement(Protocol):
    """A place where a pass makes its canvases, for any thread.

    Attributes:
        versions: of what makes canvases there and not on every host.
        notes: sentences on how they were made that a reader of the results must know.
    """

    @property
    def versions(self) -> Mapping[str, str]:
        """See above."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """See above."""
        ...

    def make(
        self,
        shift: PixelShift | None,
        images: NDArray[np.uint8],
        ids: Sequence[str],
        seed: int,
        parameters: Mapping[str, Json],
    ) -> NDArray[np.uint8] | torch.Tensor:
        """Shift a batch as `shifts.streams.make` does; None shows the images as they are.

        Returns:
            uint8 (N, H, W, 3), finished, for a model at that place.
        """
        ...

    def fetch(self, canvases: Any) -> NDArray[np.uint8]:
        """What `make` gave there, or a part of it, on the host."""
        ...


def placement_for(gpu: int | None) -> Placement:
    """The place of models on a GPU, or of those on the CPU."""
    if gpu is None:
        return Host()
    import torch

    return Device(torch.device("cuda", gpu))


class Host:
    """Arrays in the host's memory, shifted there."""

    versions: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._turn = threading.Lock()

    def make(
        self,
        shift: PixelShift | None,
        images: NDArray[np.uint8],
        ids: Sequence[str],
        seed: int,
        parameters: Mapping[str, Json],
    ) -> NDArray[np.uint8]:
        """See `Placement.make`."""
        if shift is None:
            return images
        # Lanes that shift small canvases at once would only take the interpreter from each other.
        small = images.shape[1] * images.shape[2] < _LARGE
        with self._turn if small else nullcontext():
            return make(shift, images, ids, seed, parameters)

    def fetch(self, canvases: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The canvases themselves."""
        return canvases


class Device:
    """Tensors on a device: each batch is copied there once, before the shift.

    A shift without a twin (`list_shifts` says which: not `on_device`) is made on the host, and copied after it.
    """

    def __init__(self, device: torch.device) -> None:
        """Take a device of torch's; one that is no GPU is served alike, but for streams and pinned memory."""
        import torch

        self.versions = {"torch": torch.__version__}
        self._device = device
        self._gpu = device.type == "cuda"
        # Not the default stream: the model that is shown the last batch meanwhile would wait for this one's shift.
        self._stream = torch.cuda.Stream(device) if self._gpu else None  # type: ignore[no-untyped-call]
        self._portions: Portions | None = None
        self._turn = threading.Lock()

    @property
    def notes(self) -> tuple[str, ...]:
        """See `Placement`."""
        return self._portions.note("shifting") if self._portions else ()

    def make(
        self,
        shift: PixelShift | None,
        images: NDArray[np.uint8],
        ids: Sequence[str],
        seed: int,
        parameters: Mapping[str, Json],
    ) -> torch.Tensor:
        """See `Placement.make`; where the device's memory runs out, fewer images are shifted at once."""
        if shift is not None and shift.device_apply is None:
            images, shift = make(shift, images, ids, seed, parameters), None
        import torch

        with self._turn:
            with torch.cuda.stream(self._stream) if self._stream else nullcontext():
                there = self._sent(images)
                if shift is not None:
                    there = self._shifted(shift, there, ids, seed, parameters)
            if self._stream:
                self._stream.synchronize()
        return there

    def fetch(self, canvases: torch.Tensor) -> NDArray[np.uint8]:
        """The canvases, copied back."""
        fetched: NDArray[np.uint8] = canvases.cpu().numpy()
        return fetched

    def _sent(self, images: NDArray[np.uint8]) -> torch.Tensor:
        import torch

        host = torch.empty(images.shape, dtype=torch.uint8, pin_memory=self._gpu)
        np.copyto(host.numpy(), images)
        return host.to(self._device, non_blocking=True)

    def _shifted(
        self,
        shift: PixelShift,
        images: torch.Tensor,
        ids: Sequence[str],
        seed: int,
        parameters: Mapping[str, Json],
    ) -> torch.Tensor:
        import torch

        from pytest_robust.shifts.on_device.streams import make_on_device

        def part(here: slice) -> torch.Tensor:
            return make_on_device(shift, images[here], ids[here], seed, parameters)

        self._portions = self._portions or Portions(len(images))
        parts = self._portions(len(images), part)
        return parts[0] if len(parts) == 1 else torch.cat(parts)
