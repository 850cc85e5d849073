"""Random Lp-norm corruptions; see `pytest_robust.shifts.lp` and `pytest_robust.shifts.lp_sampling`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pytest_robust.shifts.gammas import TAIL, magnitudes
from pytest_robust.shifts.lp_sampling import scale
from pytest_robust.shifts.on_device.pixels import clipped, table, take, words
from pytest_robust.shifts.quantiles import SIZE, normal

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pytest_robust.shifts.lp_sampling import Inside
    from pytest_robust.shifts.on_device.bits import BatchBits


def impulse(images: torch.Tensor, bits: BatchBits, epsilon: float) -> torch.Tensor:
    """See `lp.impulse`; the same bytes."""
    return _replaced(images, bits, epsilon, 1, _black_or_white)


def impulse_linear(images: torch.Tensor, bits: BatchBits, epsilon: float) -> torch.Tensor:
    """See `lp.impulse_linear`; the same bytes."""
    return _replaced(images, bits, epsilon, 1, lambda drawn: drawn >> 8)


def salt_and_pepper(images: torch.Tensor, bits: BatchBits, epsilon: float) -> torch.Tensor:
    """See `lp.salt_and_pepper`; the same bytes."""
    return _replaced(images, bits, epsilon, 3, _black_or_white)


def common_brightness(images: torch.Tensor, bits: BatchBits, epsilon: float) -> torch.Tensor:
    """See `lp.common_brightness`; the same bytes."""
    return _added(images, _up_or_down(bits.uint16(1), epsilon)[:, :, None, None])


def gaussian(images: torch.Tensor, bits: BatchBits, epsilon: float) -> torch.Tensor:
    """See `lp.gaussian`; the same bytes."""
    return _added(images, take(table(images.device, normal), words(images, bits)) * _single(epsilon))


def norm(images: torch.Tensor, bits: BatchBits, epsilon: float, inside: Inside, *, p: float) -> torch.Tensor:
    """Noise in or on a ball of the p-norm, see `lp_sampling.lp_noise`; the same bytes.

    For finite p the sum of each image's powers goes to the host, where its root is taken.
    """
    drawn = words(images, bits)
    if p == math.inf and inside == "hull":
        return _added(images, _up_or_down(drawn, epsilon))
    if p == math.inf:
        return _added(images, (drawn.to(torch.float32) - (SIZE - 1) / 2) * _single(epsilon / (SIZE // 2)))
    values, totals = _magnitudes(drawn.reshape(len(images), -1), bits, p)
    scales = [
        scale(one, own.cpu().numpy, values.shape[1], total, p, epsilon, inside)
        for one, own, total in zip(bits.streams, values, totals.tolist(), strict=True)
    ]
    values *= torch.from_numpy(np.array(scales)).to(images.device)[:, None]
    return _added(images, values.reshape(images.shape))


def _magnitudes(drawn: torch.Tensor, bits: BatchBits, p: float) -> tuple[torch.Tensor, torch.Tensor]:
    """See `gammas.draw`: values (N, count) and the sums of their powers (N,), of words (N, count)."""
    device = drawn.device
    values = take(table(device, _column, p, "signed"), drawn)
    outer = ((drawn + TAIL) & (SIZE - 1)) < 2 * TAIL
    second = _in_turn(outer, bits.uint16(_most(outer), lane=1))
    tail = torch.copysign(take(table(device, _column, p, "tail"), second), values)
    powers = take(table(device, _column, p, "powers"), drawn)
    tail_powers = take(table(device, _column, p, "tail_powers"), second)
    totals = torch.where(outer, tail_powers, powers).sum(dim=1)
    return torch.where(outer, tail, values), totals


def _column(p: float, name: str) -> NDArray[Any]:
    values: NDArray[Any] = getattr(magnitudes(p), name)
    return values.astype(np.int64) if values.dtype == np.uint32 else values


def _replaced(
    images: torch.Tensor,
    bits: BatchBits,
    epsilon: float,
    values: int,
    levels: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Replace a share of the pixels, or with `values` 1 of their channel values."""
    flat = images.reshape(len(images), -1, values)
    struck = _chosen(bits, flat.shape[1], epsilon)
    drawn = bits.uint16(_most(struck), lane=2)
    new = _in_turn(struck, levels(drawn)).to(torch.uint8)
    return torch.where(struck[..., None], new[..., None], flat).reshape(images.shape)


def _chosen(bits: BatchBits, count: int, share: float) -> torch.Tensor:
    """Which positions are chosen, bool (N, count); see `lp_sampling.chosen`."""
    wanted = round(share * count)
    drawn = bits.uint16(count)
    if wanted == 0:
        return torch.zeros_like(drawn, dtype=torch.bool)
    last = drawn.kthvalue(wanted, dim=1, keepdim=True).values
    below, tied = drawn < last, drawn == last
    most = _most(tied)
    lots = bits.uint16(4 * most, lane=1).reshape(-1, most, 4).to(torch.int64)
    # 64 bits without a sign in the order of int64: the highest bit is turned over
    lots[..., 3] ^= 1 << 15
    whole = (lots << torch.tensor([0, 16, 32, 48], device=lots.device)).sum(dim=2)
    # rows with fewer ties draw no more lots
    drawing = torch.arange(most, device=lots.device) < tied.sum(dim=1, keepdim=True)
    whole = torch.where(drawing, whole, torch.iinfo(torch.int64).max)
    rank = whole.argsort(dim=1, stable=True).argsort(dim=1)
    return below | (tied & (_in_turn(tied, rank) < wanted - below.sum(dim=1, keepdim=True)))


def _most(chosen: torch.Tensor) -> int:
    """The largest number of chosen places in a row, at least 1."""
    return max(1, int(chosen.sum(dim=1).max()))


def _in_turn(chosen: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """The values of each row (N, k) at the row's chosen places (N, count), in turn; anything at the other places."""
    return values.gather(1, (chosen.cumsum(dim=1) - 1).clamp(min=0))


def _black_or_white(drawn: torch.Tensor) -> torch.Tensor:
    return (drawn >> 15) * 255


def _up_or_down(drawn: torch.Tensor, epsilon: float) -> torch.Tensor:
    up = (drawn >= SIZE // 2).to(torch.float32)
    return (up * 2 - 1) * _single(epsilon)


def _single(number: float) -> float:
    """The float32 next to a number."""
    return float(np.float32(number))


def _added(images: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Image + noise, which is in [0, 1], rounded to the nearest level and clipped."""
    return clipped((noise * 255).round() + images)
