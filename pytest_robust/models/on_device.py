"""From canvases on a device to what a model says of them, with nothing copied to the host on the way.

Each rule is the twin of the one for arrays and gives the same bits: every step is one IEEE operation, and what
rounds is done in the same order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from pytest_robust.models.enhancer import EnhancerRule
from pytest_robust.models.preprocess import Rule
from pytest_robust.shifts.on_device.pixels import quotient
from pytest_robust.shifts.on_device.resample import resized

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pytest_robust.models.files import ModelFile
    from pytest_robust.models.session import Network
    from pytest_robust.spec.plan import Preprocess


class DevicePreprocessor(Rule["torch.Tensor"]):
    """`preprocess.Preprocessor` for tensors; the result lies on the device of the images."""

    def _resized(self, images: torch.Tensor, size: int) -> torch.Tensor:
        return resized(images, size, size, "bilinear")

    def _tensor(self, images: torch.Tensor) -> torch.Tensor:
        if self._order != (0, 1, 2):
            images = images.flip(3)
        planar = self._plan.layout == "nchw"
        if planar:
            images = images.permute(0, 3, 1, 2)
        kind = {"float32": torch.float32, "float16": torch.float16, "uint8": torch.uint8}[self._target.dtype.name]
        if kind == torch.uint8:
            return (images.round() if images.is_floating_point() else images).to(kind).contiguous()
        shape = (3, 1, 1) if planar else (3,)
        factor, shift = (torch.from_numpy(one).to(images.device).reshape(shape) for one in (self._factor, self._shift))
        # a new tensor always: the images belong to the caller, and float32 ones would be handed on as they are
        made = images.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        return made.mul_(factor).add_(shift).to(kind)


class DeviceEnhancer(EnhancerRule["torch.Tensor"]):
    """`enhancer.Enhancer` for tensors."""

    def _run(self, canvases: torch.Tensor) -> list[torch.Tensor]:
        planes = canvases.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
        return self._network.run_bound_all(quotient(planes, 255), self._outputs)

    def _bounds(self, made: torch.Tensor) -> tuple[float, float]:
        # both in one transfer
        least, largest = torch.stack(torch.aminmax(made)).tolist()
        return least, largest

    def _levels(self, made: torch.Tensor) -> torch.Tensor:
        return (made.clamp(0, 1) * 255).permute(0, 2, 3, 1).contiguous()

    def _fetched(self, weights: torch.Tensor) -> NDArray[Any]:
        fetched: NDArray[Any] = weights.cpu().numpy()
        return fetched


class OnDevice:
    """Enhancer, preprocess and network, composed on the network's device."""

    def __init__(
        self,
        plan: Preprocess,
        networks: tuple[Network, Network | None],
        files: tuple[ModelFile, ModelFile | None],
        output: str,
    ) -> None:
        """Compose opened networks.

        Args:
            plan: how canvases become inputs.
            networks: the model and its enhancer, on one device.
            files: of both.
            output: the output that is wanted.
        """
        self._network = networks[0]
        self._preprocess = DevicePreprocessor(plan, self._network.input, files[0])
        self._enhancer = DeviceEnhancer(networks[1], files[1]) if networks[1] and files[1] else None
        self._output = output
        gpu = self._network.gpu
        self._device = torch.device("cpu") if gpu is None else torch.device("cuda", gpu)

    def __call__(self, canvases: torch.Tensor, keep_size: bool) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
        """The raw output for a batch, read back once; and what the enhancer says beside, see `EnhancerRule`.

        Args:
            canvases: uint8 (B, H, W, 3) RGB; copied to the network's device where they lie on another.
            keep_size: see `preprocess.Rule`.
        """
        images, sums = canvases.to(self._device), None
        if self._enhancer:
            images, sums = self._enhancer(images)
        outputs: NDArray[Any] = self._network.run_bound(self._preprocess(images, keep_size), self._output).cpu().numpy()
        return outputs, sums
