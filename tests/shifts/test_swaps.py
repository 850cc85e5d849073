"""Amplitude and phase swaps against the paper's transform written out, and the draw of partners."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from pytest_robust.shifts.swaps import amplitude_swap, partner_of, phase_swap

AXES: dict[Any, tuple[int, ...]] = {"chw": (0, 1, 2), "hw": (1, 2)}
EVERY_AXES = pytest.mark.parametrize("axes", AXES)


def pair(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (2, height, width, 3), np.uint8)


def recombined(amplitude: NDArray[Any], phase: NDArray[Any], axes: Any) -> NDArray[np.float64]:
    """Both (C, H, W): the full complex transform, its real part as (H, W, C)."""
    mixed: NDArray[np.float64] = np.real(np.fft.ifftn(amplitude * np.exp(1j * phase), axes=AXES[axes]))
    return mixed.transpose(1, 2, 0)


def assert_rounds(made: NDArray[np.uint8], exact: NDArray[np.float64]) -> None:
    assert np.abs(made - np.clip(exact, 0, 255)).max() < 0.502


@EVERY_AXES
@pytest.mark.parametrize("alpha", [0.3, 1])
@pytest.mark.parametrize("size", [(32, 32), (33, 40), (17, 9)])
def test_the_amplitude_is_mixed_and_the_phase_kept(axes: Any, alpha: float, size: tuple[int, int]) -> None:
    image, partner = pair(*size)
    own, other = (np.fft.fftn(one.transpose(2, 0, 1).astype(float), axes=AXES[axes]) for one in (image, partner))
    exact = recombined((1 - alpha) * abs(own) + alpha * abs(other), np.angle(own), axes)
    assert exact.min() < 0 or exact.max() > 255, "clipping is at work"
    assert_rounds(amplitude_swap(image, partner, alpha, axes), exact)


@EVERY_AXES
@pytest.mark.parametrize("size", [(32, 32), (33, 40)])
def test_the_phase_is_swapped_and_the_amplitude_kept(axes: Any, size: tuple[int, int]) -> None:
    image, partner = pair(*size)
    own, other = (np.fft.fftn(one.transpose(2, 0, 1).astype(float), axes=AXES[axes]) for one in (image, partner))
    assert_rounds(phase_swap(image, partner, 1, axes), recombined(abs(own), np.angle(other), axes))
    unit = 0.7 * np.exp(1j * np.angle(own)) + 0.3 * np.exp(1j * np.angle(other))
    assert_rounds(phase_swap(image, partner, 0.3, axes), recombined(abs(own), np.angle(unit), axes))


@EVERY_AXES
def test_a_swap_of_phases_is_a_swap_of_amplitudes_seen_from_the_partner(axes: Any) -> None:
    image, partner = pair(24, 30)
    assert np.array_equal(phase_swap(image, partner, 1, axes), amplitude_swap(partner, image, 1, axes))


@EVERY_AXES
@pytest.mark.parametrize("swap", [amplitude_swap, phase_swap])
def test_alpha_0_and_a_partner_like_oneself_change_nothing(pictures: NDArray[np.uint8], axes: Any, swap: Any) -> None:
    for image in pictures:
        assert np.array_equal(swap(image, pictures[0], 0, axes), image)
        assert np.array_equal(swap(image, image, 0.5, axes), image)
    made = swap(pictures[0], pictures[1], 1, axes)
    assert made.dtype == np.uint8
    assert made.shape == pictures[0].shape
    assert made.flags.c_contiguous


def test_transforms_over_channels_mix_the_colours() -> None:
    image, partner = pair(32, 32)
    over_all, apart = (amplitude_swap(image, partner, 1, axes) for axes in AXES)
    assert not np.array_equal(over_all, apart)
    grey = partner.copy()
    grey[..., 1:] = grey[..., :1]
    assert np.array_equal(
        amplitude_swap(image[..., ::-1], grey, 1, "hw")[..., ::-1], amplitude_swap(image, grey, 1, "hw")
    )


@pytest.mark.parametrize("level", [0, 90, 255])
@pytest.mark.parametrize("size", [(32, 32), (33, 47)])
@EVERY_AXES
def test_a_spectrum_that_is_zero_has_no_phase_of_rounding_noise(level: int, size: tuple[int, int], axes: Any) -> None:
    """A flat image's only amplitude is its mean: the partner's others come back with the phase 0, in one peak."""
    partner = pair(*size)[1]
    flat = np.full_like(partner, level)
    made = amplitude_swap(flat, partner, 1, axes)
    amplitude = np.abs(np.fft.fftn(partner.transpose(2, 0, 1).astype(float), axes=AXES[axes]))
    assert_rounds(made, recombined(amplitude, np.zeros(amplitude.shape), axes))


def test_opposite_phases_leave_the_images_own() -> None:
    ramp = np.indices((16, 16)).sum(axis=0) * 4 + 60
    image = np.repeat(ramp[..., None], 3, axis=-1).astype(np.uint8)
    negative = (255 - image).astype(np.uint8)
    # only the mean, which is positive in both, and zeros have equal phases
    assert np.array_equal(phase_swap(image, negative, 0.5, "hw"), image)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"partner": np.zeros((4, 5, 3), np.uint8)}, r"one shape, not \(4, 4, 3\) and \(4, 5, 3\)"),
        ({"alpha": 1.5}, "alpha must be from 0 to 1, not 1.5"),
        ({"alpha": float("nan")}, "not nan"),
        ({"axes": "cw"}, "axes must be chw or hw, not 'cw'"),
    ],
)
@pytest.mark.parametrize("swap", [amplitude_swap, phase_swap])
def test_what_cannot_be_swapped_is_refused(swap: Any, change: dict[str, Any], sentence: str) -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(ValueError, match=sentence):
        swap(**{"image": image, "partner": image, **change})


@given(st.sets(st.text(max_size=6), min_size=2, max_size=30), st.integers(0, 5), st.randoms(use_true_random=False))
def test_partners_are_others_and_hang_on_no_order(ids: set[str], seed: int, random: Any) -> None:
    listed = sorted(ids)
    found = partner_of(seed, listed)
    assert np.all(found != np.arange(len(listed)))
    assert 0 <= found.min() <= found.max() < len(listed)
    shuffled = listed.copy()
    random.shuffle(shuffled)
    again = partner_of(seed, shuffled)
    assert {one: listed[other] for one, other in zip(listed, found, strict=True)} == {
        one: shuffled[other] for one, other in zip(shuffled, again, strict=True)
    }


def test_all_others_are_equally_likely() -> None:
    ids = [f"class/{i}.png" for i in range(7)]
    counts = np.zeros((7, 7))
    for seed in range(1500):
        counts[np.arange(7), partner_of(seed, ids)] += 1
    assert np.all(np.diag(counts) == 0)
    steps = [[counts[i, (i + step) % 7] for step in range(1, 7)] for i in range(7)]
    assert stats.chisquare(np.sum(steps, axis=0)).pvalue > 1e-3
    assert stats.chisquare(steps[2]).pvalue > 1e-3


BYTES = {
    "amplitude_swap chw": "4850a41d0b479738",
    "amplitude_swap hw": "24ff7443cbc08cd2",
    "phase_swap chw": "2292ebf156a30e37",
    "phase_swap hw": "a60a558d9686c120",
}


def digests() -> dict[str, str]:
    """Of swaps of three kinds of canvas with each other: ramps, a hash of the position, a flat one."""
    row, column, channel = np.indices((45, 61, 3), dtype=np.uint32)
    hashed = ((row * 61 + column) * 3 + channel + 1) * np.uint32(2654435761) >> np.uint32(24)
    images = np.stack([(row * 5 + column * (channel + 1) * 2) % 256, hashed, row * 0 + 77]).astype(np.uint8)
    found = {}
    for swap in (amplitude_swap, phase_swap):
        for axes in AXES:
            made = [
                swap(one, other, alpha, axes)
                for alpha in (0.5, 1)
                for number, one in enumerate(images)
                for other in np.delete(images, number, axis=0)
            ]
            found[f"{swap.__name__} {axes}"] = hashlib.sha256(np.stack(made).tobytes()).hexdigest()[:16]
    return found


def test_the_bytes_are_the_committed_ones() -> None:
    assert digests() == BYTES


def test_two_samples_are_each_others_partners_and_one_has_none() -> None:
    assert partner_of(0, ["b", "a"]).tolist() == [1, 0]
    for ids, sentence in ((["a"], "there is one"), ([], "there are none")):
        with pytest.raises(ValueError, match=sentence):
            partner_of(0, ids)
