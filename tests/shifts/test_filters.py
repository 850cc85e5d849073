"""The filters add up whole numbers, whatever OpenCV does inside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_robust.shifts.filters import BLOCK, ONE, Separable, Stencil, Work, levels, whole


def bright(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Texture whose sums come near to the largest there can be."""
    return np.random.default_rng(5).integers(245, 256, shape, np.uint8)


def summed(
    image: NDArray[np.uint8], dy: NDArray[np.int64], dx: NDArray[np.int64], weights: NDArray[np.int64], margin: int
) -> NDArray[np.int64]:
    padded = np.pad(image.astype(np.int64), ((margin, margin), (margin, margin), (0, 0))[: image.ndim], mode="edge")
    total = np.zeros(image.shape, np.int64)
    for y, x, weight in zip(dy.tolist(), dx.tolist(), weights.tolist(), strict=True):
        rows, columns = image.shape[:2]
        total += weight * padded[margin + y : margin + y + rows, margin + x : margin + x + columns]
    return total


@given(st.data())
def test_a_stencil_adds_up_whole_numbers_wherever_its_taps_lie(data: st.DataObject) -> None:
    margin = 12
    taps = data.draw(st.lists(st.tuples(*[st.integers(-margin, margin)] * 2), min_size=1, max_size=200))
    dy, dx = (np.array(axis) for axis in zip(*taps, strict=True))
    weights = np.full(len(taps), ONE // len(taps))
    weights[0] += ONE - weights.sum()
    image = bright(data.draw(st.sampled_from([(9, 7, 3), (1, 1, 3), (13, 5), (1, 6)])))
    padded = np.pad(image, ((margin, margin), (margin, margin), (0, 0))[: image.ndim], mode="edge").astype(np.float32)
    made = Stencil(dy, dx, weights)(padded, margin, margin, Work(image.shape))
    assert np.array_equal(made, summed(image, dy, dx, weights, margin))


@pytest.mark.parametrize("shape", [(21, 21), (41, 1), (1, 41), (41, 41)])
def test_a_dense_stencil_is_cut_into_blocks_and_stays_exact(shape: tuple[int, int]) -> None:
    dy, dx = (axis.ravel() - side // 2 for axis, side in zip(np.indices(shape), shape, strict=True))
    weights = np.full(dy.size, ONE // dy.size)
    weights[dy.size // 2] += ONE - weights.sum()
    image = bright((30, 33, 3))
    padded = np.pad(image, ((20, 20), (20, 20), (0, 0)), mode="edge").astype(np.float32)
    stencil = Stencil(dy, dx, weights)
    assert np.array_equal(stencil(padded, 20, 20, Work(image.shape)), summed(image, dy, dx, weights, 20))
    assert all(block.size <= BLOCK for _, _, block in stencil._blocks)


def test_taps_without_weight_need_no_margin() -> None:
    image = bright((4, 4))
    dy, dx, weights = np.array([0, 9]), np.array([0, -9]), np.array([ONE, 0])
    assert np.array_equal(
        Stencil(dy, dx, weights)(image.astype(np.float32), 0, 0, Work((4, 4))), image.astype(int) * ONE
    )


def test_a_separable_filter_may_write_over_its_input() -> None:
    kernel = np.array([1, 2, 1]) * (ONE // 4)
    image = bright((8, 9, 3))
    apart = np.empty_like(image)
    Separable(kernel, image.shape)(image, apart)
    Separable(kernel, image.shape)(image, image)
    assert np.array_equal(apart, image)
    assert not np.array_equal(apart, bright((8, 9, 3)))


def test_sums_become_levels() -> None:
    out = np.empty(5, np.uint8)
    almost = 7 - 2.0**-11
    levels(np.array([0, almost * 8192, 7 * 8192, 255 * 8192, 258 * 8192], np.float32), 8192, out)
    assert out.tolist() == [0, 7, 7, 255, 255]


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=40).filter(lambda values: sum(values) > 0.01),
    st.integers(200, 300000),
)
def test_whole_weights_keep_their_sum(values: list[float], one: int) -> None:
    weights = np.array(values) / sum(values)
    found = whole(weights, one, rest=int(weights.argmax()))
    assert found.sum() == one
    others = np.arange(len(values)) != weights.argmax()
    assert np.abs(found - weights * one)[others].max(initial=0) <= 0.5
