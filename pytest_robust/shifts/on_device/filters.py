"""Filters in whole numbers that no order of additions changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from pytest_robust.shifts.pixels import GUARD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Edge = Callable[[torch.Tensor, int], torch.Tensor]


def smoothing(kernel: NDArray[np.int64] | NDArray[np.float64], side: int, edge: Edge) -> torch.Tensor:
    """A symmetric kernel (2r + 1,) of whole weights as a matrix float64 (side, side), on the host.

    `edge` is one of `pixels.repeated`, `pixels.reflected` and `pixels.mirrored`.
    """
    radius = len(kernel) // 2
    own = torch.arange(side)[:, None]
    places = edge(own + torch.arange(-radius, radius + 1), side)
    weights = torch.as_tensor(kernel, dtype=torch.float64).expand(places.shape)
    return torch.zeros(side, side, dtype=torch.float64).scatter_add_(1, places, weights)


def along_both(levels: torch.Tensor, down: torch.Tensor, across: torch.Tensor) -> torch.Tensor:
    """Matrices (H', H) along the columns and (W', W) along the rows of float64 (..., H, W)."""
    return (levels @ across.T).transpose(-1, -2).contiguous().matmul(down.T).transpose(-1, -2)


class Stencil:
    """Weights at offsets from a pixel: ``out[y, x] = sum of weight * image[y + dy, x + dx]``.

    By a Fourier transform in float64. The sums are whole numbers up to 2**24, the transform's error is below 1e-6: the
    nearest whole number is the sum itself.
    """

    def __init__(
        self, dy: NDArray[np.int64], dx: NDArray[np.int64], weights: NDArray[np.int64], size: Sequence[int], edge: Edge
    ) -> None:
        """Take the taps, (T,), or offsets (N, T) that each image has of its own, and the images' height and width."""
        self._size = size
        dy, dx = np.atleast_2d(dy, dx)
        self._margins, self._frames = [], []
        for offsets, side in zip((dy, dx), size, strict=True):
            before = max(0, -int(offsets.min(initial=0)))
            room = side + before + max(0, int(offsets.max(initial=0)))
            # a multiple of 32 is quick to transform
            frame = -(-room // 32) * 32
            self._margins.append(before)
            self._frames.append((edge(torch.arange(frame) - before, side), frame))
        rows, columns = (frame for _, frame in self._frames)
        self._places = torch.from_numpy(dy % rows * columns + dx % columns)
        self._weights = torch.as_tensor(weights, dtype=torch.float64).expand(self._places.shape)

    def __call__(self, levels: torch.Tensor) -> torch.Tensor:
        """Sum up over float64 (N, C, H, W), whole grey levels; whole multiples of the weights' unit, same shape."""
        device = levels.device
        frame = levels
        for axis, (places, _) in zip((2, 3), self._frames, strict=True):
            frame = frame.index_select(axis, places.to(device))
        size = [side for _, side in self._frames]
        kernels = torch.zeros(len(self._places), size[0] * size[1], dtype=torch.float64, device=device)
        kernels.scatter_add_(1, self._places.to(device), self._weights.to(device))
        spectrum = torch.fft.rfft2(frame) * torch.fft.rfft2(kernels.reshape(-1, 1, *size)).conj()
        (top, left), (height, width) = self._margins, self._size
        sums: torch.Tensor = torch.fft.irfft2(spectrum, s=size)
        return sums[..., top : top + height, left : left + width].round()


def to_levels(sums: torch.Tensor, one: int) -> torch.Tensor:
    """Sums of grey levels times `one`, of any type, to whole levels: in float32, truncated with `GUARD`, up to 255.

    Products and sums are those of `filters.levels`, so that a `one` that is no power of two rounds the same.
    """
    scaled = sums.to(torch.float32) * float(np.float32(1 / one))
    return (scaled + GUARD).clamp(max=255).floor()
