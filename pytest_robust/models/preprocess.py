"""Canvas -> model input: fit to the size, channel order, ``(pixel * scale - mean) / std``, layout, type."""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from pytest_robust.models.files import ModelFile
    from pytest_robust.models.session import ImageInput
    from pytest_robust.spec.plan import Preprocess


A = TypeVar("A", "NDArray[Any]", "torch.Tensor")
Fitted = dict[tuple[int, str], "NDArray[Any]"]
"""Images as models are shown them, by the size and how they are brought to it."""


class Rule(ABC, Generic[A]):
    """Makes input tensors for one model; the result for an image never depends on its batch.

    `mean` and `std` are in the channel order of the model. The rule is applied as one multiplication and one
    addition per value in float32, ``pixel * (scale / std) - mean / std``, both constants computed in float64.
    """

    def __init__(self, plan: Preprocess, target: ImageInput, file: ModelFile) -> None:
        self._plan = plan
        self._target = target
        self._file = file
        self._order = (0, 1, 2) if plan.channels == "rgb" else (2, 1, 0)
        std = np.broadcast_to(np.asarray(plan.std, np.float64), (3,))
        mean = np.broadcast_to(np.asarray(plan.mean, np.float64), (3,))
        self._factor = (plan.scale / std).astype(np.float32)
        self._shift = (-mean / std).astype(np.float32)
        self._check(std, mean)

    def _check(self, std: NDArray[np.float64], mean: NDArray[np.float64]) -> None:
        """What is wrong whatever the images are.

        Raises:
            RobustError: a layout, size or scaling that the model cannot take.
        """
        plan, target = self._plan, self._target
        other = "nhwc" if plan.layout == "nchw" else "nchw"
        if target.channels(plan.layout) not in (3, None):
            remedy = f": set preprocess.layout: {other}" if target.channels(other) == 3 else ", and 3 are needed"
            raise self._file.error(
                f"takes {target.described}, which read as {plan.layout} has {target.channels(plan.layout)} "
                f"channels{remedy}"
            )
        if target.dtype == np.uint8 and (plan.scale != 1 or mean.any() or (std != 1).any()):
            raise self._file.error(
                "takes uint8 and does its own scaling: set preprocess.scale: 1 and leave out mean and std"
            )
        if plan.size is not None:
            self._require((plan.size, plan.size), f"preprocess.size is {plan.size}")

    def _require(self, sides: tuple[int, int], said: str) -> None:
        """Compare an image size with the model's fixed height and width.

        Raises:
            RobustError: they differ; the sentence names both and what to write.
        """
        fixed = self._target.sides(self._plan.layout)
        if all(side in (None, got) for side, got in zip(fixed, sides, strict=True)):
            return
        square = fixed[0] if fixed[0] == fixed[1] else None
        remedy = f"set preprocess: {{size: {square}}}" if square else "let the geometry make that size"
        raise self._file.error(f"takes exactly {_sides(*fixed)} pixels and {said}: {remedy}")

    def __call__(self, images: A, keep_size: bool = False) -> A:
        """The input tensor for a batch.

        Args:
            images: uint8 (B, H, W, 3) RGB, or float32 of the same range from an enhancer.
            keep_size: feed the images at the size they have, whatever `preprocess.size` says.

        Returns:
            The model's layout and type, C-contiguous; valid until the next call in this thread.

        Raises:
            RobustError: the model or a crop cannot take images of that size.
        """
        sides = images.shape[1], images.shape[2]
        if keep_size:
            fixed = self._target.sides(self._plan.layout)
            if any(side not in (None, got) for side, got in zip(fixed, sides, strict=True)):
                raise self._file.error(
                    f"takes exactly {_sides(*fixed)} pixels and cannot be shown images of "
                    f"{_sides(*sides)}: export it with a free height and width, exclude it from this suite, or set "
                    "`mode: resize` where the suite is resolution"
                )
        else:
            images = self._fit(images)
            self._require((images.shape[1], images.shape[2]), f"the images have {_sides(*sides)}")
        return self._tensor(images)

    def _fit(self, images: A) -> A:
        size, height, width = self._plan.size, images.shape[1], images.shape[2]
        if size is None or (height, width) == (size, size):
            return images
        if self._plan.fit == "resize":
            return self._resized(images, size)
        if min(height, width) < size:
            raise self._file.error(
                f"wants a centre crop of {size} pixels from images of {_sides(height, width)}: enlarge the "
                "geometry or set preprocess.fit: resize"
            )
        top, left = round((height - size) / 2), round((width - size) / 2)
        return images[:, top : top + size, left : left + size]

    @abstractmethod
    def _resized(self, images: A, size: int) -> A:
        """Pillow's bilinear resize with antialias to size x size, of uint8, or of float32 without rounding."""

    @abstractmethod
    def _tensor(self, images: A) -> A:
        """Channel order, scaling, layout and type for images of the final size."""


class Preprocessor(Rule["NDArray[Any]"]):
    """The rule for arrays."""

    def __init__(self, plan: Preprocess, target: ImageInput, file: ModelFile) -> None:
        """Take the rule; see `Rule`."""
        super().__init__(plan, target, file)
        self._kept = threading.local()

    def fitted(self, images: NDArray[Any], shared: Fitted) -> NDArray[Any]:
        """The images at the size that the model is shown, as several models of one size share them."""
        size = self._plan.size
        if size is None:
            return images
        key = size, self._plan.fit
        if key not in shared:
            shared[key] = self._fit(images)
        return shared[key]

    def _resized(self, images: NDArray[Any], size: int) -> NDArray[Any]:
        return np.stack([_resized(image, size) for image in images])

    def _tensor(self, images: NDArray[Any]) -> NDArray[Any]:
        count, height, width = images.shape[:3]
        planar = self._plan.layout == "nchw"
        shape: tuple[int, ...] = (count, 3, height, width) if planar else (count, height, width, 3)
        if self._target.dtype == np.uint8:
            pixels = images if images.dtype == np.uint8 else np.rint(images).astype(np.uint8)
            pixels = pixels[..., list(self._order)]
            return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2) if planar else pixels)
        # One buffer per thread: fresh memory for every batch costs more in page faults than the arithmetic.
        buffer: NDArray[np.float32] | None = getattr(self._kept, "buffer", None)
        if buffer is None or buffer.shape != shape:
            buffer = self._kept.buffer = np.empty(shape, np.float32)
        for index, channel in enumerate(self._order):
            into = buffer[:, index] if planar else buffer[..., index]
            np.multiply(images[..., channel], self._factor[index], out=into, dtype=np.float32)
            np.add(into, self._shift[index], out=into)
        return buffer if self._target.dtype == np.float32 else buffer.astype(self._target.dtype)


def described(plan: Preprocess, output: str | None, offset: int) -> str:
    """How canvases become inputs and outputs become classes, as JSON with sorted keys."""
    return json.dumps(
        {
            **{name: getattr(plan, name) for name in ("size", "fit", "scale", "mean", "std", "channels", "layout")},
            "output": output,
            "label_offset": offset,
        },
        sort_keys=True,
    )


def _resized(image: NDArray[Any], size: int) -> NDArray[Any]:
    """Pillow's bilinear resize with antialias, of uint8 RGB or of float32 channel by channel."""
    from PIL import Image

    if image.dtype == np.uint8:
        return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))
    planes = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(image[..., channel])).resize((size, size), Image.Resampling.BILINEAR)
        )
        for channel in range(3)
    ]
    return np.stack(planes, axis=-1)


def _sides(height: int | None, width: int | None) -> str:
    return f"{height or 'any'}x{width or 'any'}"
