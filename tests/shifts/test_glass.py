"""Glass blur against the paper's loops, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from pytest_robust.registry import pixel_shift
from pytest_robust.shifts.blur import gaussian_blur
from pytest_robust.shifts.glass import offsets, sources
from pytest_robust.shifts.rng import Stream, Streams
from pytest_robust.shifts.streams import make

GLASS = pixel_shift("imagenet-c", "glass_blur")
CASES = [(table, severity) for table in (224, 64, 32) for severity in range(1, 6)]


def shuffled(image: NDArray[np.uint8], bits: Stream, reach: int, rounds: int) -> NDArray[np.uint8]:
    """The published loops: from the last pixel to the first, the neighbour's value is copied, not swapped."""
    x = image.copy()
    height, width = x.shape[:2]
    for lane in range(rounds):
        rows, columns = max(0, height - 2 * reach), max(0, width - 2 * reach)
        drawn = bits.uint16(rows * columns, lane=lane).reshape(rows, columns).astype(int)
        choice = drawn * (2 * reach) ** 2 >> 16
        for h in range(height - reach, reach, -1):
            for w in range(width - reach, reach, -1):
                k = choice[h - reach - 1, w - reach - 1]
                dx, dy = k % (2 * reach) - reach, k // (2 * reach) - reach
                x[h, w] = x[h + dy, w + dx]
    return x


@pytest.mark.parametrize(("reach", "rounds"), [(1, 1), (1, 2), (2, 1), (2, 3), (3, 2), (4, 2)])
@pytest.mark.parametrize("size", [(23, 31), (9, 9), (8, 40), (30, 5), (1, 1)])
def test_the_chains_of_copies_are_those_of_the_loops(reach: int, rounds: int, size: tuple[int, int]) -> None:
    image = np.arange(size[0] * size[1], dtype=np.int64).reshape(size)
    bits = Stream(4, "glass_blur", {"reach": reach}, "a")
    assert np.array_equal(sources(bits, *size, reach, rounds).reshape(size), shuffled(image, bits, reach, rounds))


class Given:
    """Bits that a test sets."""

    def __init__(self, words: list[int]) -> None:
        self.words = words

    def uint16(self, count: int, *, lane: int = 0) -> NDArray[np.uint16]:
        return np.resize(np.array(self.words, np.uint16), count)


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=300), st.integers(2, 4))
def test_any_words_give_what_the_loops_give(words: list[int], reach: int) -> None:
    image = np.arange(17 * 14).reshape(17, 14)
    found = sources(Given(words), 17, 14, reach, 2).reshape(17, 14)
    assert np.array_equal(found, shuffled(image, Given(words), reach, 2))  # type: ignore[arg-type]


def test_a_value_can_run_through_the_whole_image() -> None:
    # every pixel takes from the one to its right, and the right one has had its turn: the longest chain there is
    right = (2 * 4 + 3) * 65536 // 16
    found = sources(Given([right]), 9, 60, 2, 1).reshape(9, 60)
    assert np.all(found[3:8, 3:59] == np.arange(3, 8)[:, None] * 60 + 59)


@pytest.mark.parametrize(("table", "severity"), CASES)
def test_it_is_blur_shuffle_blur_within_one_level(pictures: NDArray[np.uint8], table: int, severity: int) -> None:
    numbers = GLASS.resolve({"severity": severity, "table": table}, 40, 56)
    names = ["a", "b", "c", "d"]
    made = make(GLASS, pictures, names, 3, numbers)
    streams = Streams(3, "glass_blur", numbers)
    sigma = (numbers["sigma"], numbers["sigma"], 0)
    for one, image, name in zip(made, pictures, names, strict=True):
        smooth, own = filtered(image, sigma), gaussian_blur(image[None], [], sigma=numbers["sigma"])[0]
        for first, share in ((smooth, 0.1), (own, 0.01)):
            mixed = shuffled(first, streams.for_id(name), numbers["reach"], numbers["rounds"])
            off = one - filtered(mixed, sigma).astype(int)
            # a level that the first blur puts elsewhere by rounding reaches a neighbourhood through the second
            assert np.abs(off).max() <= 1
            assert np.mean(off != 0) < share


def filtered(image: NDArray[np.uint8], sigma: tuple[float, ...]) -> NDArray[np.uint8]:
    exact = ndimage.gaussian_filter(image.astype(float), sigma, mode="nearest", truncate=4)
    # grey levels that are whole but for rounding keep their value
    return np.floor(exact + 2**-10).astype(np.uint8)


@pytest.mark.parametrize("reach", [1, 2, 3, 4])
def test_offsets_leave_out_the_upper_end_and_come_equally_often(reach: int) -> None:
    width = 1000
    moves = offsets(reach, width)
    dy = (moves + reach) // width
    dx = moves - dy * width
    for axis in (dy, dx):
        values, counts = np.unique(axis, return_counts=True)
        assert values.tolist() == list(range(-reach, reach))
        assert counts.max() - counts.min() <= 2 * reach
    assert len(np.unique(moves)) == (2 * reach) ** 2


def test_the_frame_stays() -> None:
    reach = 4
    found = sources(Stream(0, "g", {}, "a"), 30, 33, reach, 1).reshape(30, 33)
    same = found == np.arange(30 * 33).reshape(30, 33)
    assert same[: reach + 1].all()
    assert same[:, : reach + 1].all()
    assert same[30 - reach + 1 :].all()
    assert same[:, 33 - reach + 1 :].all()
    assert same[reach + 1 : 30 - reach + 1, reach + 1 : 33 - reach + 1].mean() < 0.1
