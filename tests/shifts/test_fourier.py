"""Filters and waves against full complex transforms, and what they do to waves of known frequency."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy import stats

from pytest_robust.registry import catalog, pixel_shift
from pytest_robust.shifts.rng import Streams
from pytest_robust.shifts.spectrum import NUDGE, disk
from pytest_robust.shifts.streams import make

SIZES = [(32, 32), (33, 47), (40, 56), (1, 9), (2, 3), (1, 1)]


def run(name: str, images: NDArray[np.uint8], severity: float, **options: Any) -> NDArray[np.uint8]:
    shift = pixel_shift("fourier", name)
    numbers = shift.resolve({"severity": severity, **options}, *images.shape[1:3])
    return make(shift, images, [str(i) for i in range(len(images))], 0, numbers)


def written_out(image: NDArray[np.uint8], radius: float, keep: bool) -> NDArray[np.float64]:
    """DynTTA's rule: the shifted spectrum of each channel, times a disk or its complement; the real part."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    distance = np.hypot(rows - height // 2, columns - width // 2)
    inside = distance <= radius * distance.max() * (1 + 1e-12)
    out = np.empty(image.shape)
    for channel in range(3):
        spectrum = np.fft.fftshift(np.fft.fft2(image[..., channel].astype(np.float64)))
        out[..., channel] = np.real(np.fft.ifft2(np.fft.ifftshift(spectrum * (inside if keep else ~inside))))
    return out


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("radius", [0.05, 0.1, 0.25, 0.5, 0.6, 0.95])
@pytest.mark.parametrize("name", ["low_pass", "high_pass"])
def test_filters_are_the_rule(size: tuple[int, int], radius: float, name: str) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    exact = written_out(image, radius, name == "low_pass")
    made = run(name, image[None], radius)[0]
    rest = np.clip(exact, 0, 255) + 0.5 + NUDGE - made
    assert rest.min() > -1e-9
    assert rest.max() < 1 + 1e-9


def wave(cycles: tuple[int, int], size: int = 64) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[:size, :size]
    plane = 128 + 100 * np.cos(2 * np.pi * (cycles[0] * rows + cycles[1] * columns) / size)
    return np.repeat(np.rint(plane)[..., None], 3, axis=-1).astype(np.uint8)[None]


def test_a_wave_passes_or_is_removed_by_its_frequency() -> None:
    slow, fast = wave((3, 4)), wave((15, 20))
    corner = math.hypot(32, 32)
    between = 10 / corner
    assert np.abs(run("low_pass", slow, between).astype(int) - slow).max() <= 1
    assert np.abs(run("low_pass", fast, between).astype(int) - 128).max() <= 1
    above = np.maximum(fast.astype(int) - 128, 0)
    assert np.abs(run("high_pass", fast, between) - above).max() <= 1
    assert run("high_pass", slow, between).max() <= 1


def test_the_edge_of_the_disk_is_inside() -> None:
    # 24, 32 and 40 cycles on 64 x 64 with a corner at 32 sqrt(2); 0.75 of a corner of (3, 4) * 4
    assert disk(24, 32, 0.5)[6, 8]
    assert not disk(24, 32, 0.49)[6, 8]
    assert disk(24, 32, 0.75)[9, 12]
    for radius in (0.05, 0.1, 0.2, 0.3, 0.35, 0.7):
        assert disk(120, 160, radius)[round(60 * radius), round(80 * radius)]
    assert disk(120, 160, 1.0).all()


@pytest.mark.parametrize("level", [0, 1, 77, 254, 255])
def test_flat_images_keep_their_level_or_lose_it(level: int) -> None:
    flat = np.full((2, 45, 61, 3), level, np.uint8)
    for radius in (0.01, 0.3, 0.9):
        assert np.array_equal(run("low_pass", flat, radius), flat)
        assert np.count_nonzero(run("high_pass", flat, radius)) == 0


def test_half_levels_go_up_everywhere() -> None:
    """A checkerboard of levels 100 and 101: its mean is 100.5 exactly, give or take a machine's last bit."""
    board = np.indices((64, 64)).sum(axis=0) % 2 + 100
    images = np.repeat(board[None, ..., None], 3, axis=-1).astype(np.uint8)
    assert np.all(run("low_pass", images, 0.4) == 101)


@pytest.mark.parametrize(("name", "nothing"), [("low_pass", 1), ("high_pass", 0), ("single_frequency", 0)])
def test_identities(pictures: NDArray[np.uint8], name: str, nothing: float) -> None:
    made = run(name, pictures, nothing)
    assert np.array_equal(made, pictures)
    assert not np.shares_memory(made, pictures)


@pytest.mark.parametrize("frequency", [(0, 5), (7, 0), (3, -4), (20, 28), (0, 0)])
def test_a_single_frequency_is_added_to_each_channel(frequency: tuple[int, int]) -> None:
    grey = np.full((1, 40, 56, 3), 128, np.uint8)
    made = run("single_frequency", grey, 0.25, frequency=list(frequency))[0] - 128.0
    phases = Streams(0, "single_frequency", {"amplitude": 0.25, "frequency": list(frequency)}).for_id("0").uint16(3)
    rows, columns = np.mgrid[:40, :56]
    turns = frequency[0] * rows / 40 + frequency[1] * columns / 56
    for channel, phase in enumerate(phases.tolist()):
        exact = 63.75 * np.sin(2 * np.pi * (turns + phase / 65536))
        assert np.abs(made[..., channel] - exact).max() < 0.52
    power = np.abs(np.fft.fft2(made[..., 0])) ** 2
    at = power[frequency[0] % 40, frequency[1] % 56] + power[-frequency[0] % 40, -frequency[1] % 56]
    assert at / power.sum() > 0.99


def test_the_phases_are_uniform_and_their_own_in_each_image_and_channel() -> None:
    grey = np.full((400, 1, 1, 3), 128, np.uint8)
    made = run("single_frequency", grey, 0.4, frequency=[0, 1]).reshape(-1, 3) - 128.0
    for channel in range(3):
        assert (
            stats.kstest(np.arcsin(np.clip(made[:, channel] / 102, -1, 1)), "uniform", (-np.pi / 2, np.pi)).pvalue
            > 1e-3
        )
    assert np.abs(np.corrcoef(made.T) - np.eye(3)).max() < 0.2


def test_a_wave_clips() -> None:
    white = np.full((1, 32, 32, 3), 250, np.uint8)
    made = run("single_frequency", white, 0.1)
    assert made.max() == 255
    assert 224 <= made.min() <= 226


def expand(**entry: Any) -> list[tuple[str, Any, dict[str, Any]]]:
    suite = catalog()["fourier"]
    read = suite.options.model_validate_json(json.dumps(entry), strict=True)
    return [(one.shift, one.severity, dict(one.parameters)) for one in suite.expand(read)]


def test_an_entry_takes_what_it_names_in_rising_strength() -> None:
    rows = expand(low_pass=[0.1, 0.5, 1], high_pass=[0.2, 0.05])
    assert [row[:2] for row in rows] == [
        ("low_pass", 1),
        ("low_pass", 0.5),
        ("low_pass", 0.1),
        ("high_pass", 0.05),
        ("high_pass", 0.2),
    ]
    assert expand(single_frequency=[0.1], frequency=[0, 16]) == [
        ("single_frequency", 0.1, {"severity": 0.1, "frequency": [0, 16]})
    ]
    assert len(expand()) == 9
    assert expand(frequency=[1, 2])[-1][2]["frequency"] == [1, 2]


def test_a_frequency_without_its_shift_is_refused() -> None:
    with pytest.raises(ValueError, match="frequency is that of single_frequency, which is not asked for"):
        expand(low_pass=[0.5], frequency=[1, 1])


@pytest.mark.parametrize(
    "entry",
    [
        {"low_pass": [0]},
        {"low_pass": [1.5]},
        {"low_pass": []},
        {"high_pass": [0.1, 0.1]},
        {"single_frequency": 0.1},
        {"frequency": [1]},
        {"frequency": [1.5, 2]},
        {"radius": [0.1]},
    ],
)
def test_entries_are_validated(entry: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        expand(**entry)


@pytest.mark.parametrize(
    ("name", "parameters", "sentence"),
    [
        ("low_pass", {"severity": 0}, "low_pass takes a radius above 0; 1 changes nothing"),
        ("low_pass", {"severity": 1.5}, "from 0 to 1 as its severity, the radius, not 1.5"),
        ("high_pass", {"severity": None}, "the radius, not None"),
        ("high_pass", {"severity": math.nan}, "the radius, not nan"),
        ("single_frequency", {"severity": True}, "the amplitude, not True"),
        ("single_frequency", {"severity": 0.1, "frequency": [1]}, "two whole numbers of cycles, down and right"),
        ("single_frequency", {"severity": 0.1, "frequency": [1, 0.5]}, r"not \[1, 0\.5\]"),
        ("single_frequency", {"severity": 0.1, "frequency": "8"}, "not '8'"),
        ("low_pass", {"severity": 0.1, "frequency": [1, 1]}, "low_pass has no parameter 'frequency'"),
    ],
)
def test_the_shift_itself_refuses_too(name: str, parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        pixel_shift("fourier", name).resolve(parameters, 32, 32)
