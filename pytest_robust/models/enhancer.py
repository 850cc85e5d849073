"""An image-to-image model in front of a classifier."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from pytest_robust.models.augmentations import WEIGHTS, gives_weights, weight_sums

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from pytest_robust.models.files import ModelFile
    from pytest_robust.models.session import Network

_LEAST, _LARGEST = -0.5, 1.5
"""A network may overshoot [0, 1], but hardly by half of its length; one that gives [-1, 1] does in any dark pixel."""

A = TypeVar("A", "NDArray[Any]", "torch.Tensor")


def image_output(outputs: Sequence[Any], file: ModelFile) -> str:
    """Name of the only output that holds images; outputs of other shapes, such as magnitudes, are none.

    Args:
        outputs: the model's outputs (`name`, `type`, `shape`).
        file: the model, for the message.

    Raises:
        RobustError: there is not exactly one.
    """
    images = [one.name for one in outputs if one.type == "tensor(float)" and len(one.shape) in (0, 4)]
    if len(images) != 1:
        raise file.error(f"has {len(images)} float32 image outputs: an enhancer has exactly one")
    return str(images[0])


class EnhancerRule(ABC, Generic[A]):
    """Canvas -> enhanced canvas, before the classifier's preprocess.

    The network takes float32 (N, 3, H, W) RGB in [0, 1] and gives the same shape; what leaves [0, 1] is
    clipped, and what leaves it by more than half of its length is refused as another range. One that gives the
    weights of augmentations is asked for them in the same run.
    """

    def __init__(self, network: Network, file: ModelFile) -> None:
        """Take an opened network.

        Raises:
            RobustError: it does not take float32 (N, 3, H, W), or has no single image output.
        """
        taken = network.input
        if taken.dtype != np.float32 or taken.channels("nchw") not in (3, None):
            raise file.error(f"takes {taken.dtype} {taken.described}: an enhancer takes float32 (N, 3, H, W)")
        self._network = network
        self._file = file
        self._outputs = [image_output(network.outputs, file)]
        if gives_weights(network.outputs):
            self._outputs.append(WEIGHTS)

    def __call__(self, canvases: A) -> tuple[A, NDArray[np.int64] | None]:
        """Enhance a batch.

        Args:
            canvases: uint8 (B, H, W, 3) RGB.

        Returns:
            Float32 (B, H, W, 3) RGB in [0, 255], not rounded; and the images' `weight_sums`, None without weights.

        Raises:
            RobustError: the enhancer takes another size, changes it, fails, or gives NaN, infinity or another range.
        """
        height, width = canvases.shape[1], canvases.shape[2]
        fixed = self._network.input.sides("nchw")
        if any(side not in (None, got) for side, got in zip(fixed, (height, width), strict=True)):
            raise self._file.error(
                f"takes {self._network.input.described} and the images have {height}x{width} pixels: let the "
                "geometry make that size, or export the enhancer with a free height and width"
            )
        found = self._run(canvases)
        made = found[0]
        given, got = (len(canvases), 3, height, width), tuple(made.shape)
        if got != given:
            raise self._file.error(f"made {got} of images of shape {given}: an enhancer must keep their size")
        least, largest = self._bounds(made)
        if not (math.isfinite(least) and math.isfinite(largest)):
            raise self._file.error("gave NaN or infinity: check its weights")
        if least < _LEAST or largest > _LARGEST:
            raise self._file.error(
                f"gave values from {least:.3g} to {largest:.3g}: an enhancer gives pixels in [0, 1], neither grey "
                "levels nor normalised ones; export it with that range"
            )
        sums = weight_sums(self._fetched(found[1]), self._file) if len(found) > 1 else None
        return self._levels(made), sums

    @abstractmethod
    def _run(self, canvases: A) -> list[A]:
        """What the network makes of the canvases, in its own layout and range, and their weights where it has them."""

    @abstractmethod
    def _bounds(self, made: A) -> tuple[float, float]:
        """The least and the largest value; NaN if there is one."""

    @abstractmethod
    def _levels(self, made: A) -> A:
        """(N, 3, H, W) in [0, 1] to (N, H, W, 3) in [0, 255]."""

    @abstractmethod
    def _fetched(self, weights: A) -> NDArray[Any]:
        """The weights as an array."""


class Enhancer(EnhancerRule["NDArray[Any]"]):
    """The enhancer of arrays."""

    def _run(self, canvases: NDArray[Any]) -> list[NDArray[Any]]:
        tensor = np.ascontiguousarray(canvases.transpose(0, 3, 1, 2), np.float32)
        tensor /= np.float32(255)
        return self._network.run_all(tensor, self._outputs)

    def _bounds(self, made: NDArray[Any]) -> tuple[float, float]:
        return float(made.min()), float(made.max())

    def _levels(self, made: NDArray[Any]) -> NDArray[Any]:
        enhanced = np.clip(made, 0, 1) * np.float32(255)
        return np.ascontiguousarray(enhanced.transpose(0, 2, 3, 1))

    def _fetched(self, weights: NDArray[Any]) -> NDArray[Any]:
        return weights
