"""The random bits of the shifts: counter-based, one stream per sample.

A sample's key is a hash of (seed, shift, resolved parameters, sample id), so its bits depend on nothing
else: not on the batch, the order, the process or the subset that the sample is met in. The bits are the raw
output of Philox4x64-10, whose stream NumPy guarantees and which any device can compute from key and counter.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytest_robust.spec.plan import Json

_LANE_SHIFT = 192


class Streams:
    """The streams of one shift: hashes what all samples share once."""

    __slots__ = ("_prefix",)

    def __init__(self, seed: int, shift: str, parameters: Mapping[str, Json]) -> None:
        # JSON text holds no NUL, so prefix and id cannot run into each other.
        text = json.dumps([seed, shift, dict(parameters)], sort_keys=True, separators=(",", ":"), allow_nan=False)
        self._prefix = blake2b(text.encode() + b"\0", digest_size=16)

    def for_id(self, sample_id: str) -> Stream:
        """The stream of one sample."""
        return Stream.of_key(self._key(sample_id))

    def _key(self, sample_id: str) -> int:
        digest = self._prefix.copy()
        # file names that are not valid UTF-8 reach us as lone surrogates
        digest.update(sample_id.encode("utf-8", "surrogatepass"))
        return int.from_bytes(digest.digest(), "little")


class Stream:
    """The random bits of one sample; implements `pytest_robust.shifts.base.Bits`.

    Args:
        seed: the spec's seed.
        shift: the shift's name.
        parameters: the shift's resolved parameters; their order does not matter.
        sample_id: the sample's stable id.
    """

    __slots__ = ("key",)

    key: int
    """128 bits: the key of Philox4x64-10."""

    def __init__(self, seed: int, shift: str, parameters: Mapping[str, Json], sample_id: str) -> None:
        self.key = Streams(seed, shift, parameters).for_id(sample_id).key

    @classmethod
    def of_key(cls, key: int) -> Stream:
        """The stream of a known 128-bit key."""
        stream = cls.__new__(cls)
        stream.key = key
        return stream

    def uint16(self, count: int, *, lane: int = 0) -> NDArray[np.uint16]:
        """The first `count` values of a lane, shape (count,).

        Block i (from 0) of a lane is Philox4x64-10 at the 256-bit counter ``(lane << 192) + i + 1``; each of
        its four 64-bit words gives four values, least significant first.

        Args:
            count: how many values.
            lane: 0 to 2**64 - 1; lanes are independent, and each call begins its lane anew.
        """
        generator = np.random.Philox(key=self.key, counter=lane << _LANE_SHIFT)
        words = generator.random_raw(-(-count // 4))
        return words.astype("<u8", copy=False).view("<u2")[:count]
