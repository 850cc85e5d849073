"""The random bits of a batch, made on the device: Philox4x64-10 in torch.

torch has no unsigned arithmetic of 64 bits; its int64 wraps, so that sums and products have the right bits, and only
shifts to the right and the high half of a product need care.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_robust.shifts.rng import Stream

_MULTIPLIERS = 0xD2E7470EE14C6C93, 0xCA5A826395121157
_STEPS = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
_ROUNDS = 10
_LOW = (1 << 32) - 1


class BatchBits:
    """The random bits of N samples: what `rng.Stream` is to one.

    Args:
        streams: one per sample, kept for the few numbers that an image draws on the host.
        device: where the bits are made.
    """

    __slots__ = ("_keys", "streams")

    def __init__(self, streams: Sequence[Stream], device: torch.device) -> None:
        self.streams = streams
        halves = [[_signed(one.key), _signed(one.key >> 64)] for one in streams]
        self._keys = torch.tensor(halves, dtype=torch.int64).reshape(-1, 2).to(device)

    def of(self, positions: Sequence[int]) -> BatchBits:
        """The bits of some of the samples."""
        return BatchBits([self.streams[position] for position in positions], self._keys.device)

    def uint16(self, count: int, *, lane: int = 0) -> torch.Tensor:
        """The first `count` values of a lane of each sample, int32 (N, count); see `rng.Stream.uint16`."""
        blocks = -(-count // 16)
        counters = torch.arange(1, blocks + 1, device=self._keys.device)
        words = torch.stack(_philox(counters, lane, self._keys), dim=-1)
        # four values of 16 bits in a word, the least significant first
        values = words.view(torch.int16).reshape(len(self._keys), blocks * 16)[:, :count]
        return values.to(torch.int32) & 0xFFFF


def _philox(counters: torch.Tensor, lane: int, keys: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The four words of each block, int64 (N, B), of counters (B,) in the lowest word and keys (N, 2)."""
    # what all samples share stays one row until a key meets it
    zero = torch.zeros_like(counters[:1])[None]
    first, second, third, fourth = counters[None], zero, zero, zero + _signed(lane)
    for turn in range(_ROUNDS):
        one, other = (keys[:, i : i + 1] + _signed(step * turn) for i, step in enumerate(_STEPS))
        high, low = _product(first, _MULTIPLIERS[0])
        higher, lower = _product(third, _MULTIPLIERS[1])
        first, second, third, fourth = higher ^ second ^ one, lower, high ^ fourth ^ other, low
    return first, second, third, fourth


def _product(words: torch.Tensor, factor: int) -> tuple[torch.Tensor, torch.Tensor]:
    """High and low half of the 128 bits of word times factor."""
    low, high = words & _LOW, _upper(words)
    factor_low, factor_high = factor & _LOW, factor >> 32
    middle = high * factor_low + _upper(low * factor_low)
    other = low * factor_high + (middle & _LOW)
    return high * factor_high + _upper(middle) + _upper(other), words * _signed(factor)


def _upper(words: torch.Tensor) -> torch.Tensor:
    return (words >> 32) & _LOW


def _signed(word: int) -> int:
    """The lower 64 bits, read as int64."""
    return ((word + (1 << 63)) & ((1 << 64) - 1)) - (1 << 63)
