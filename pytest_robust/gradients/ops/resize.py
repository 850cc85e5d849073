"""Resize and its predecessor Upsample.

Every axis is resized by itself: nearest takes one input place per output place, linear and cubic weigh several, written
as a matrix of output places by input places, so that all coordinate rules, antialiasing and the treatment of the border
are a matter of how its rows are made.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from pytest_robust.gradients.registry import Node, operator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from pytest_robust.gradients.registry import Kernel


@dataclass(frozen=True, slots=True)
class _Rule:
    """How output places are mapped to input places and weighed."""

    mode: str
    coordinates: str
    rounding: str
    cubic: float
    antialias: bool
    exclude: bool


@operator("Upsample", since=7)
@operator("Resize", since=10)
def _old(node: Node) -> Kernel:
    rule = _Rule(node.get("mode", "nearest"), "asymmetric", "floor", -0.75, False, False)
    attribute = node.get("scales")

    def kernel(x: Tensor, scales: Tensor | None = None) -> Tensor:
        given = attribute if scales is None else scales.tolist()
        return _resized(x, range(x.ndim), [int(s * n) for s, n in zip(given, x.shape, strict=True)], given, rule)

    return kernel


@operator("Resize", since=11)
def _resize(node: Node) -> Kernel:
    rule = _Rule(
        node.get("mode", "nearest"),
        node.get("coordinate_transformation_mode", "half_pixel"),
        node.get("nearest_mode", "round_prefer_floor"),
        node.get("cubic_coeff_a", -0.75),
        bool(node.get("antialias", 0)),
        bool(node.get("exclude_outside", 0)),
    )
    if rule.coordinates == "tf_crop_and_resize" or node.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise node.refuse("crops or keeps the aspect ratio")
    fixed = node.get("axes")

    def kernel(x: Tensor, roi: Tensor | None, scales: Tensor | None = None, sizes: Tensor | None = None) -> Tensor:
        axes = fixed or range(x.ndim)
        old = [x.shape[axis] for axis in axes]
        if sizes is not None:
            new = sizes.tolist()
            return _resized(x, axes, new, [a / b for a, b in zip(new, old, strict=True)], rule)
        assert scales is not None
        given = scales.tolist()
        return _resized(x, axes, [int(s * n) for s, n in zip(given, old, strict=True)], given, rule)

    return kernel


def _resized(x: Tensor, axes: Sequence[int], sizes: Sequence[int], scales: Sequence[float], rule: _Rule) -> Tensor:
    for axis, new, scale in zip(axes, sizes, scales, strict=True):
        if scale == 1 and new == x.shape[axis]:
            continue
        if rule.mode == "nearest":
            places = torch.from_numpy(_nearest(x.shape[axis], new, scale, rule))
            x = x.index_select(axis, places.to(x.device))
        else:
            weights = torch.from_numpy(_weights(x.shape[axis], new, scale, rule)).to(x)
            x = (x.movedim(axis, -1) @ weights.T).movedim(-1, axis)
    return x


def _origins(old: int, new: int, scale: float, coordinates: str) -> NDArray[np.float64]:
    """The place in the input, a real number, that each output place shows."""
    places = np.arange(new, dtype=np.float64)
    if coordinates == "asymmetric":
        return places / scale
    if coordinates == "align_corners":
        return places * ((old - 1) / (new - 1)) if new > 1 else places * 0
    if coordinates == "pytorch_half_pixel" and new == 1:
        return places * 0
    if coordinates == "half_pixel_symmetric":
        # Where the size was rounded, the picture stays centred.
        return old / 2 * (1 - new / (scale * old)) + (places + 0.5) / scale - 0.5
    return (places + 0.5) / scale - 0.5


_ROUND: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _nearest(old: int, new: int, scale: float, rule: _Rule) -> NDArray[np.int64]:
    # Places that are whole numbers must not be rounded by the last bit of their quotient.
    origins = np.round(_origins(old, new, scale, rule.coordinates), 6)
    return np.clip(_ROUND[rule.rounding](origins), 0, old - 1).astype(np.int64)


@cache
def _weights(old: int, new: int, scale: float, rule: _Rule) -> NDArray[np.float64]:
    """Matrix (new, old): what share each input place has in each output place."""
    origins = _origins(old, new, scale, rule.coordinates)
    stretch = max(1.0, 1 / scale) if rule.antialias else 1.0
    reach = int(np.ceil((1 if rule.mode == "linear" else 2) * stretch))
    taps = np.floor(origins)[:, None] + np.arange(-reach, reach + 1)
    shares = _share((taps - origins[:, None]) / stretch, rule)
    if rule.exclude:
        shares = np.where((taps >= 0) & (taps < old), shares, 0.0)
    shares = shares / shares.sum(axis=1, keepdims=True)
    matrix = np.zeros((new, old))
    np.add.at(matrix, (np.arange(new)[:, None], np.clip(taps, 0, old - 1).astype(np.int64)), shares)
    return matrix


def _share(distance: NDArray[np.float64], rule: _Rule) -> NDArray[np.float64]:
    """The tent, or Keys' cubic convolution with the coefficient a (IEEE ASSP 29, 1981)."""
    d = np.abs(distance)
    if rule.mode == "linear":
        tent: NDArray[np.float64] = np.maximum(1 - d, 0)
        return tent
    a = rule.cubic
    near: NDArray[np.float64] = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far: NDArray[np.float64] = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    made: NDArray[np.float64] = np.select([d <= 1, d < 2], [near, far], 0.0)
    return made
