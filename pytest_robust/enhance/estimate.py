"""What an enhancer thinks a set of images needs, and how to train a classifier with that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pytest_robust.augment import Transform
from pytest_robust.augment.base import CHOICE
from pytest_robust.enhance.augmentations import RULES
from pytest_robust.errors import RobustError
from pytest_robust.models.augmentations import MAGNITUDES, NAMES, WEIGHTS, gives_weights
from pytest_robust.models.files import read_model
from pytest_robust.models.runtime import load_runtime
from pytest_robust.models.session import Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.rng import Stream
    from pytest_robust.spec.plan import PathText

_BATCH = 64


class Estimator:
    """The estimates of an enhancer's ONNX file."""

    def __init__(self, path: PathText, sha256: str | None = None) -> None:
        """Open the file on the CPU.

        Raises:
            RobustError: it cannot be opened, is not as pinned, or has no outputs `weights` and `magnitudes`.
        """
        file = read_model(path, sha256)
        self._network = Network(load_runtime(), file, None, 1, _BATCH)
        if not gives_weights(self._network.outputs):
            raise file.error("has no outputs `weights` and `magnitudes`: only enhancers of `enhance train` have them")

    def __call__(self, canvases: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weights and magnitudes of the augmentations `NAMES`, both (N, 50), for canvases uint8 (N, H, W, 3)."""
        pixels = np.ascontiguousarray(canvases.transpose(0, 3, 1, 2), np.float32) / np.float32(255)
        weights, magnitudes = self._network.run_all(pixels, [WEIGHTS, MAGNITUDES])
        return weights, magnitudes

    def weights(self, canvases: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The weights alone."""
        return self(canvases)[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class EstimatedAugmentation(Transform):
    """The augmentations that an enhancer estimated on shifted images, as a transform to train a classifier with.

    Each training image follows one of the shifted images, drawn evenly: it gets one augmentation, drawn by that image's
    weights, at that image's magnitude. So augmentations appear as often as their mean weights say. The image-to-image
    network is no augmentation of this kind; its weight is shared out among the others.

    Attributes:
        weights: of `Estimator`, (M, 50) or one row (50,).
        magnitudes: of `Estimator`, of the same shape.
    """

    weights: NDArray[np.float32]
    magnitudes: NDArray[np.float32]
    name: ClassVar[str] = "estimated_augmentation"

    def __post_init__(self) -> None:
        """Refuse what is no estimate.

        Raises:
            RobustError: the shapes are not those of estimates, or a row has no weight but the network's.
        """
        weights, magnitudes = np.atleast_2d(self.weights), np.atleast_2d(self.magnitudes)
        if weights.ndim != 2 or weights.shape[1] != len(NAMES) or weights.shape != magnitudes.shape:
            raise RobustError(
                f"weights and magnitudes must both be of shape (M, {len(NAMES)}), not {weights.shape} and "
                f"{magnitudes.shape}"
            )
        rules = weights[:, : len(RULES)].astype(np.float64)
        if not (rules.sum(1) > 0).all() or (rules < 0).any():
            raise RobustError("each row of weights must be 0 or more, with some of it on an augmentation")

    def on_host(self, images: NDArray[np.uint8], bits: Sequence[Stream]) -> NDArray[np.uint8]:
        """See `Transform.on_host`."""
        import torch

        weights, magnitudes = np.atleast_2d(self.weights), np.atleast_2d(self.magnitudes)
        limits = weights[:, : len(RULES)].astype(np.float64).cumsum(1)
        drawn = np.array([one.uint16(2, lane=CHOICE) for one in bits], np.int64).reshape(-1, 2)
        rows = drawn[:, 0] * len(limits) >> 16
        places = (limits[rows] <= (drawn[:, 1:] + 0.5) / 65536 * limits[rows, -1:]).sum(1)
        out = np.empty_like(images)
        for place in np.unique(places):
            mine = places == place
            pixels = torch.from_numpy(np.ascontiguousarray(images[mine].transpose(0, 3, 1, 2))).float() / 255
            strength = torch.from_numpy(magnitudes[rows[mine], place].astype(np.float32))
            made = (RULES[place](pixels, strength).clamp(0, 1) * 255).round().to(torch.uint8)
            out[mine] = made.permute(0, 2, 3, 1).numpy()
        return out
