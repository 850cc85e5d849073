"""The generator against Philox written out, and the independence of its keys."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_robust.shifts.rng import Stream, Streams

_WORD = (1 << 64) - 1


def philox(counter: tuple[int, ...], key: tuple[int, int]) -> tuple[int, ...]:
    """Philox4x64-10 after Salmon et al. 2011."""
    a, b, c, d = counter
    low, high = key
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * a, 0xCA5A826395121157 * c
        a, b, c, d = (second >> 64) ^ b ^ low, second & _WORD, (first >> 64) ^ d ^ high, first & _WORD
        low, high = (low + 0x9E3779B97F4A7C15) & _WORD, (high + 0xBB67AE8584CAA73B) & _WORD
    return a, b, c, d


def test_the_oracle_gives_the_published_vector() -> None:
    made = philox((0, 0, 0, 0), (0, 0))
    assert made == (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B)


@given(st.integers(0, (1 << 128) - 1), st.integers(0, _WORD), st.integers(1, 70))
def test_values_are_philox_words_least_significant_first(key: int, lane: int, count: int) -> None:
    expected = [
        word >> shift & 0xFFFF
        for block in range(1, 6)
        for word in philox((block, 0, 0, lane), (key & _WORD, key >> 64))
        for shift in (0, 16, 32, 48)
    ]
    made = Stream.of_key(key).uint16(count, lane=lane)
    assert made.dtype == np.uint16
    assert made.tolist() == expected[:count]


def test_the_key_is_a_hash_of_canonical_json_and_the_id() -> None:
    text = b'[3,"gaussian_noise",{"std":0.18,"table":224}]\0n01440764/a.jpeg'
    expected = int.from_bytes(blake2b(text, digest_size=16).digest(), "little")
    assert Stream(3, "gaussian_noise", {"table": 224, "std": 0.18}, "n01440764/a.jpeg").key == expected


def test_file_names_that_are_not_unicode_have_keys_too() -> None:
    broken = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    assert Stream(0, "x", {}, broken).key != Stream(0, "x", {}, "café.png").key


_PARTS = st.tuples(
    st.integers(-5, 2**70),
    st.text(max_size=4),
    st.dictionaries(st.text(max_size=2), st.integers() | st.floats(allow_nan=False, allow_infinity=False), max_size=2),
    st.text(max_size=6),
)


@given(_PARTS, _PARTS)
def test_keys_differ_unless_everything_is_equal(one: tuple, other: tuple) -> None:
    same = repr(one) == repr(other)
    assert (Stream(*one).key == Stream(*other).key) is same or dict(one[2]) == dict(other[2])
    assert Streams(*one[:3]).for_id(one[3]).key == Stream(*one).key


@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 3))
def test_a_lane_begins_anew_and_a_shorter_draw_is_its_beginning(short: int, long: int, lane: int) -> None:
    short, long = sorted((short, long))
    stream = Stream(1, "x", {}, "id")
    whole = stream.uint16(long, lane=lane)
    assert np.array_equal(stream.uint16(short, lane=lane), whole[:short])


def test_lanes_and_ids_are_uniform_and_unrelated() -> None:
    drawn = [Streams(0, "x", {}).for_id(name).uint16(1 << 17, lane=lane) for name in "ab" for lane in (0, 1)]
    for values in drawn:
        assert stats.chisquare(np.bincount(values >> 8, minlength=256)).pvalue > 1e-4
        assert stats.chisquare(np.bincount(values & 255, minlength=256)).pvalue > 1e-4
    correlation = np.corrcoef(np.array(drawn, dtype=np.float64))
    assert np.abs(correlation - np.eye(4)).max() < 0.015


@pytest.mark.parametrize("lane", [-1, 1 << 64])
def test_a_lane_beyond_64_bits_is_refused(lane: int) -> None:
    with pytest.raises((ValueError, OverflowError)):
        Stream.of_key(1).uint16(4, lane=lane)
