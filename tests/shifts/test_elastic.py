"""Elastic transform against scipy and linear algebra in floating point, with the same draws."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from pytest_robust.registry import pixel_shift
from pytest_robust.shifts.draws import Draws
from pytest_robust.shifts.elastic import backwards, bell, elastic_transform, mirrored
from pytest_robust.shifts.rng import Stream, Streams
from pytest_robust.shifts.streams import make

ELASTIC = pixel_shift("imagenet-c", "elastic_transform")
CASES = [(table, severity) for table in (224, 64, 32) for severity in range(1, 6)]


def published(image: NDArray[np.uint8], bits: Stream, alpha: float, sigma: float, affine: float) -> NDArray[np.float64]:
    """The affine map by solving for its matrix, the displacements by scipy's filter and sampler; grey levels."""
    height, width = image.shape[:2]
    third, centre = min(height, width) // 3, np.array([width // 2, height // 2])
    before = centre + third * np.array([[1, 1], [1, -1], [-1, -1]])
    draws = Draws(bits)
    after = before + np.array([draws.uniform(-affine, affine) for _ in range(6)]).reshape(3, 2)
    # from where a point is afterwards to where it was
    matrix = np.linalg.solve(np.column_stack([after, np.ones(3)]), before)
    rows, columns = np.indices((height, width))
    x, y = np.moveaxis(np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ matrix, -1, 0)
    mapped = sampled(image.astype(float), y, x, "mirror")
    if not alpha:
        return mapped
    noise = (bits.uint16(2 * height * width, lane=1).reshape(2, height, width) + 0.5) / 32768 - 1
    dx, dy = (ndimage.gaussian_filter(one, sigma, mode="reflect", truncate=3) * alpha for one in noise)
    return sampled(mapped, rows + dy, columns + dx, "reflect")


def sampled(image: NDArray[np.float64], y: NDArray, x: NDArray, mode: str) -> NDArray[np.float64]:
    return np.stack([ndimage.map_coordinates(image[..., c], [y, x], order=1, mode=mode) for c in range(3)], axis=-1)


@pytest.mark.parametrize(("table", "severity"), CASES)
def test_it_is_the_rule_within_one_level(pictures: NDArray[np.uint8], table: int, severity: int) -> None:
    numbers = ELASTIC.resolve({"severity": severity, "table": table}, 40, 56)
    names = ["a", "b", "c", "d"]
    made = make(ELASTIC, pictures, names, 3, numbers)
    streams = Streams(3, "elastic_transform", numbers)
    chosen = {key: numbers[key] for key in ("alpha", "sigma", "affine")}
    for one, image, name in zip(made, pictures, names, strict=True):
        rest = published(image, streams.for_id(name), **chosen) + 2**-10 - one
        # The texture leaps by up to 255 from pixel to pixel; positions are kept to 2**-13 pixels, values in between
        # to 2**-5 levels, displacements of the strongest two rows to 0.005 pixels.
        assert rest.min() > -0.6
        assert rest.max() < 1.6
        assert np.mean((rest < 0) | (rest >= 1)) < 0.07


def test_a_large_canvas_and_its_displacements() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 150, 170, 3), np.uint8)
    image = np.stack([ndimage.uniform_filter(one, (3, 3, 1)) for one in image])
    for severity in (1, 3):
        numbers = ELASTIC.resolve({"severity": severity}, 150, 170)
        assert numbers["table"] == 224
        made = make(ELASTIC, image, ["a"], 0, numbers)[0]
        chosen = {key: numbers[key] for key in ("alpha", "sigma", "affine")}
        rest = published(image[0], Streams(0, "elastic_transform", numbers).for_id("a"), **chosen) + 2**-10 - made
        assert rest.min() > -0.3
        assert rest.max() < 1.3


@pytest.mark.parametrize("size", [(1, 30), (30, 1), (2, 25), (25, 3)])
@pytest.mark.parametrize("severity", [1, 5])
def test_thin_canvases(size: tuple[int, int], severity: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, *size, 3), np.uint8)
    numbers = ELASTIC.resolve({"severity": severity, "table": 32}, *size)
    made = make(ELASTIC, image, ["a"], 0, numbers)[0]
    chosen = {key: numbers[key] for key in ("alpha", "sigma", "affine")}
    rest = published(image[0], Streams(0, "elastic_transform", numbers).for_id("a"), **chosen) + 2**-10 - made
    assert rest.min() > -0.6
    assert rest.max() < 1.6


def test_the_published_numbers_are_shares_of_a_side() -> None:
    found = [ELASTIC.resolve({"severity": s, "table": 224}, 1, 1) for s in range(1, 6)]
    assert [(n["alpha"], n["sigma"], n["affine"]) for n in found] == [
        (488, 170.8, 24.4),
        (488, 19.52, 48.8),
        (12.2, 2.44, 4.88),
        (17.08, 2.44, 4.88),
        (29.28, 2.44, 4.88),
    ]


@pytest.mark.parametrize("level", [0, 77, 255])
@pytest.mark.parametrize("size", [(30, 44), (5, 3), (1, 1), (1, 7)])
def test_a_flat_image_stays(level: int, size: tuple[int, int]) -> None:
    flat = np.full((1, *size, 3), level, np.uint8)
    for numbers in ((0, 0, 2.56), (12.2, 2.44, 4.88), (488, 170.8, 24.4)):
        assert np.array_equal(elastic_transform(flat, [Stream(0, "e", {}, "a")], *numbers), flat)


def test_no_movement_is_the_identity() -> None:
    image = np.random.default_rng(1).integers(0, 256, (1, 21, 34, 3), np.uint8)
    assert np.array_equal(elastic_transform(image, [Stream(0, "e", {}, "a")], 0, 0, 0), image)
    assert np.array_equal(elastic_transform(image, [Stream(0, "e", {}, "a")], 1e-9, 2, 0), image)


def test_the_affine_map_takes_the_moved_points_back() -> None:
    moves = [3.0, -2.0, 0.5, 4.0, -1.0, -6.0]
    (a, b, c), (d, e, f) = backwards(60, 90, moves)
    for (x, y), right, down in zip([(65, 50), (65, 10), (25, 10)], moves[::2], moves[1::2], strict=True):
        assert a * (x + right) + b * (y + down) + c == pytest.approx(x)
        assert d * (x + right) + e * (y + down) + f == pytest.approx(y)


def test_points_on_one_line_map_to_nothing() -> None:
    assert backwards(3, 3, [-1.0, -1.0, 0.0, 0.0, 1.0, 1.0]) == ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))


def test_no_weight_hangs_on_a_last_bit() -> None:
    for table, severity in CASES:
        sigma = ELASTIC.resolve({"severity": severity, "table": table}, 1, 1)["sigma"]
        for weights in (bell(sigma), mirrored(table, sigma)) if sigma else ():
            scaled = weights * (1 << 18)
            assert np.abs(scaled - np.floor(scaled) - 0.5).min() > 1e-9
            assert weights.sum(axis=-1) == pytest.approx(1)


def test_mirroring_is_the_filter_with_its_edges_mirrored() -> None:
    noise = np.random.default_rng(3).uniform(-1, 1, 9)
    for sigma in (0.5, 3, 20):
        expected = ndimage.gaussian_filter1d(noise, sigma, mode="reflect", truncate=3)
        assert np.abs(mirrored(9, sigma) @ noise - expected).max() < 1e-12
