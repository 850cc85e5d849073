"""The 49 rules against Pillow, NumPy's Fourier transform, SciPy, colorsys and known answers."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps
from scipy import ndimage

from pytest_robust.enhance.augmentations import (
    HIGH_PASS,
    LOW_PASS,
    RULES,
    Augmentation,
    colour,
    frequency,
    geometry,
    histogram,
)
from pytest_robust.models.augmentations import NAMES, NETWORK
from tests.enhance.conftest import pictures

BY_NAME = {one.name: one for one in RULES}
SCALED = [one for one in RULES if one.magnitude is not None]


def canvases(images: torch.Tensor) -> list[Image.Image]:
    levels = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(one) for one in levels]


def arrays(pillow: list[Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(one) for one in pillow]).transpose(0, 3, 1, 2) / 255


def magnitudes(one: Augmentation, count: int, raw: float) -> torch.Tensor:
    return torch.zeros(count) if one.magnitude is None else one.magnitude(torch.full((count,), raw))


def test_there_are_fifty_in_the_order_of_the_paper() -> None:
    assert (*(one.name for one in RULES), NETWORK) == NAMES
    assert len(NAMES) == len(set(NAMES)) == 50
    assert NAMES[:11] == (
        *("rotate", "scale", "saturation", "contrast", "sharpness", "brightness"),
        *("autocontrast", "hue", "equalize", "invert", "gamma"),
    )
    assert (NAMES[11], NAMES[29], NAMES[30], NAMES[48], NAMES[49]) == (
        *("low_pass_0.05", "low_pass_0.95", "high_pass_0.05", "high_pass_0.95", "network"),
    )


RANGES = {
    "rotate": (-30, 30),
    "scale": (0.7, 1.3),
    "saturation": (0, 5),
    "contrast": (0, 3),
    "sharpness": (0, 10),
    "brightness": (-0.6, 0.6),
    "hue": (-2, 2),
    "gamma": (0, 3),
}


@pytest.mark.parametrize("one", SCALED, ids=lambda one: one.name)
def test_a_magnitude_has_its_range_and_its_neutral_raw_number(one: Augmentation) -> None:
    assert one.magnitude is not None
    reached = one.magnitude(torch.tensor([-40.0, 40.0]))
    assert reached.tolist() == pytest.approx(RANGES[one.name], abs=1e-5)
    assert float(one.magnitude(torch.tensor(one.magnitude.neutral_raw))) == pytest.approx(
        one.magnitude.neutral, abs=1e-6
    )


def test_only_eight_have_a_magnitude() -> None:
    assert {one.name for one in SCALED} == set(RANGES)


@pytest.mark.parametrize("one", SCALED, ids=lambda one: one.name)
def test_the_neutral_magnitude_changes_nothing(one: Augmentation) -> None:
    assert one.magnitude is not None
    images = torch.cat([pictures(), torch.zeros(1, 3, 12, 12), torch.ones(1, 3, 12, 12)])
    made = one(images, torch.full((len(images),), float(one.magnitude.neutral)))
    assert (made - images).abs().max() < 2e-6


@pytest.mark.parametrize("one", RULES, ids=lambda one: one.name)
@pytest.mark.parametrize("raw", [-30.0, -0.7, 0.4, 30.0])
def test_values_gradients_and_neighbours(one: Augmentation, raw: float) -> None:
    """In [0, 1] once clipped, as most are before; finite slopes; and no image depends on another."""
    images = torch.cat([pictures(3, 13, 10), torch.zeros(1, 3, 13, 10), torch.ones(1, 3, 13, 10)]).requires_grad_()
    numbers = magnitudes(one, len(images), raw).requires_grad_()
    made = one(images, numbers)
    assert made.shape == images.shape
    assert made.isfinite().all()
    if one not in LOW_PASS + HIGH_PASS:
        assert 0 <= made.amin().item() <= made.amax().item() <= 1 + 1e-6
    slopes = torch.autograd.grad(made.square().sum(), [images, numbers], allow_unused=True)
    assert all(slope is None or slope.isfinite().all() for slope in slopes)
    assert slopes[0] is not None
    for place in range(len(images)):
        alone = one(images[place : place + 1], numbers[place : place + 1])
        torch.testing.assert_close(alone, made[place : place + 1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("one", SCALED, ids=lambda one: one.name)
def test_the_slope_along_the_magnitude_is_that_of_finite_differences(one: Augmentation) -> None:
    assert one.magnitude is not None
    # smooth and away from 0 and 1, so that neither clipping nor a kink stands between the two points
    images = (0.4 + 0.2 * torch.from_numpy(ndimage.gaussian_filter(pictures(2).numpy(), (0, 0, 2, 2)))).double()
    raw = torch.full((2,), one.magnitude.neutral_raw + 0.031, dtype=torch.float64, requires_grad=True)

    def value(raw: torch.Tensor) -> torch.Tensor:
        assert one.magnitude is not None
        weights = torch.linspace(-1, 2, images.numel(), dtype=torch.float64).view_as(images).sin()
        return (one(images, one.magnitude(raw)) * weights).sum((1, 2, 3))

    (slope,) = torch.autograd.grad(value(raw).sum(), raw)
    step = 1e-6
    with torch.no_grad():
        expected = (value(raw + step) - value(raw - step)) / (2 * step)
    assert slope.abs().min() > 1e-6
    torch.testing.assert_close(slope, expected, rtol=1e-4, atol=1e-6)


def test_a_quarter_turn_and_more_are_exact() -> None:
    images = pictures(3)
    made = geometry.rotate(images, torch.tensor([90.0, 180.0, -90.0]))
    for turns, image, one in zip((1, 2, 3), images, made, strict=True):
        torch.testing.assert_close(one, torch.rot90(image, turns, (1, 2)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("degrees", [-30.0, 7.5, 21.0])
def test_rotation_is_scipys(degrees: float) -> None:
    images = pictures(1, 15, 22)
    made = geometry.rotate(images, torch.tensor([degrees]))[0].numpy()
    oracle = ndimage.rotate(images[0].numpy(), degrees, (2, 1), reshape=False, order=1, mode="grid-constant")
    np.testing.assert_allclose(made, oracle, atol=1e-4)


@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_scaling_is_scipys(factor: float) -> None:
    images = pictures(1, 9, 14)
    made = geometry.scale(images, torch.tensor([factor]))[0].numpy()
    centre = (np.array([9, 14]) - 1) / 2
    for plane, one in zip(images[0].numpy(), made, strict=True):
        matrix = np.eye(2) / factor
        oracle = ndimage.affine_transform(plane, matrix, centre - matrix @ centre, order=1, mode="grid-constant")
        np.testing.assert_allclose(one, oracle, atol=1e-4)


@pytest.mark.parametrize(
    ("rule", "pillow"),
    [
        (colour.saturation, ImageEnhance.Color),
        (colour.contrast, ImageEnhance.Contrast),
        (colour.sharpness, ImageEnhance.Sharpness),
    ],
)
@pytest.mark.parametrize("factor", [0.0, 0.4, 1.7, 4.0])
def test_pillow_agrees_but_for_its_roundings(rule: object, pillow: object, factor: float) -> None:
    images = pictures(3)
    made = rule(images, torch.full((3,), factor)).numpy()  # type: ignore[operator]
    oracle = arrays([pillow(one).enhance(factor) for one in canvases(images)])  # type: ignore[operator]
    # Pillow rounds the grey or smooth image to levels before it moves away from it
    assert np.abs(made - oracle).max() <= (0.5 * abs(1 - factor) + 1.5) / 255


def test_brightness_adds_and_gamma_is_a_power() -> None:
    images = torch.tensor([0.25, 0.5, 0.9]).view(1, 3, 1, 1)
    assert colour.brightness(images, torch.tensor([0.3])).flatten().tolist() == pytest.approx([0.55, 0.8, 1])
    assert colour.gamma(images, torch.tensor([2.0])).flatten().tolist() == pytest.approx([0.0625, 0.25, 0.81])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 255), min_size=3, max_size=3), st.floats(-2, 2))
def test_hue_is_that_of_colorsys(levels: list[int], radians: float) -> None:
    pixel = [level / 255 for level in levels]
    hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
    expected = colorsys.hsv_to_rgb((hue + radians / (2 * np.pi)) % 1, saturation, value)
    made = colour.hue(torch.tensor(pixel).view(1, 3, 1, 1), torch.tensor([radians]))
    assert made.flatten().tolist() == pytest.approx(expected, abs=1e-5)


def test_invert_takes_the_largest_value_of_each_image() -> None:
    images = torch.stack([torch.full((3, 2, 2), 0.2), torch.full((3, 2, 2), 0.5)])
    images[1, 0, 0, 0] = 0.9
    made = colour.invert(images)
    assert made[0].abs().max() == 0
    assert float(made[1, 1, 1, 1]) == pytest.approx(0.4)


def test_autocontrast_by_its_formula() -> None:
    levels = torch.tensor([[10.0, 60.0], [110.0, 110.0]]).expand(1, 3, 2, 2)
    made = histogram.autocontrast(levels / 255)[0, 0] * 255
    expected = [np.floor((v - 10) * 255 / 100.1) for v in (10, 60, 110, 110)]
    assert made.flatten().tolist() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("spread", [1, 3, 40, 256])
def test_equalize_is_pillows_byte_for_byte(spread: int) -> None:
    drawn = np.random.default_rng(spread).integers(0, spread, (3, 3, 40, 25)) ** 2 % 256
    images = torch.from_numpy(drawn).float() / 255
    made = (histogram.equalize(images) * 255).round().numpy()
    np.testing.assert_array_equal(made, arrays([ImageOps.equalize(one) for one in canvases(images)]) * 255)


@pytest.mark.parametrize("rule", [histogram.equalize, histogram.autocontrast])
def test_gradients_pass_straight_through(rule: object) -> None:
    images = pictures(2).requires_grad_()
    rule(images).sum().backward()  # type: ignore[operator]
    assert images.grad is not None
    torch.testing.assert_close(images.grad, torch.ones_like(images))


def by_numpy(images: np.ndarray, radius: float, high: bool) -> np.ndarray:
    """The definition, with complex numbers and a shifted spectrum."""
    height, width = images.shape[2:]
    rows, columns = np.arange(height) - height // 2, np.arange(width) - width // 2
    distance = np.hypot(rows[:, None], columns)
    kept = distance / distance.max() <= radius + 1e-12
    spectrum = np.fft.fftshift(np.fft.fft2(images), axes=(2, 3)) * (kept != high)
    return np.fft.ifft2(np.fft.ifftshift(spectrum, axes=(2, 3))).real


@pytest.mark.parametrize("sides", [(32, 32), (15, 22), (9, 9), (4, 7)])
def test_the_filters_are_those_of_the_fourier_transform(sides: tuple[int, int]) -> None:
    images = pictures(2, *sides)
    for place, radius in enumerate(frequency.RADII):
        for one, high in ((LOW_PASS[place], False), (HIGH_PASS[place], True)):
            made = one(images, torch.zeros(2)).numpy()
            np.testing.assert_allclose(made, by_numpy(images.numpy(), radius / 20, high), atol=2e-5, err_msg=one.name)


def test_the_bank_is_the_sum_of_the_filters() -> None:
    images = pictures(3, 10, 13)
    low, high = torch.rand(2, 3, len(frequency.RADII), generator=torch.Generator().manual_seed(3))
    expected = torch.zeros_like(images)
    for place in range(len(frequency.RADII)):
        expected += low[:, place].view(-1, 1, 1, 1) * LOW_PASS[place](images, images)
        expected += high[:, place].view(-1, 1, 1, 1) * HIGH_PASS[place](images, images)
    torch.testing.assert_close(frequency.filter_bank(images, low, high), expected, rtol=0, atol=2e-5)
