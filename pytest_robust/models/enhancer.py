"""An image-to-image model in front of a classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_robust.models.files import ModelFile
    from pytest_robust.models.session import Network


class Enhancer:
    """Canvas -> enhanced canvas, before the classifier's preprocess.

    The network takes float32 (N, 3, H, W) RGB in [0, 1] and gives the same shape; what leaves [0, 1] is
    clipped.
    """

    def __init__(self, network: Network, file: ModelFile) -> None:
        """Take an opened network.

        Raises:
            RobustError: it does not take float32 (N, 3, H, W), or has no single image output.
        """
        taken = network.input
        if taken.dtype != np.float32 or taken.channels("nchw") not in (3, None):
            raise file.error(f"takes {taken.dtype} {taken.described}: an enhancer takes float32 (N, 3, H, W)")
        images = [one.name for one in network.outputs if one.type == "tensor(float)" and len(one.shape) in (0, 4)]
        if len(images) != 1:
            raise file.error(f"has {len(images)} float32 image outputs: an enhancer has exactly one")
        self._network = network
        self._file = file
        self._output = images[0]

    def __call__(self, canvases: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Enhance a batch.

        Args:
            canvases: uint8 (B, H, W, 3) RGB.

        Returns:
            float32 (B, H, W, 3) RGB in [0, 255], not rounded.

        Raises:
            RobustError: the enhancer takes another size, changes it, fails, or gives NaN or infinity.
        """
        height, width = canvases.shape[1:3]
        fixed = self._network.input.sides("nchw")
        if any(side not in (None, got) for side, got in zip(fixed, (height, width), strict=True)):
            raise self._file.error(
                f"takes {self._network.input.described} and the images have {height}x{width} pixels: let the "
                "geometry make that size, or export the enhancer with a free height and width"
            )
        tensor = np.ascontiguousarray(canvases.transpose(0, 3, 1, 2), np.float32)
        tensor /= np.float32(255)
        made = self._network.run(tensor, self._output)
        if made.shape != tensor.shape:
            raise self._file.error(
                f"made {made.shape} of images of shape {tensor.shape}: an enhancer must keep their size"
            )
        if not np.isfinite(made).all():
            raise self._file.error("gave NaN or infinity: check its weights")
        enhanced = np.clip(made, 0, 1) * np.float32(255)
        return np.ascontiguousarray(enhanced.transpose(0, 2, 3, 1))
