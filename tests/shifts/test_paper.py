"""Every corruption against the paper's rule in floating point, with NumPy's random numbers where it draws.

Where a rule draws nothing, pixel by pixel. Where it draws, by the law that the pictures follow; that each rule gives
the paper's pixels for equal draws is tested beside it, in the modules of the families.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pytest_robust import apply_shift, list_shifts
from pytest_robust.registry import default_registry
from tests.shifts import paper
from tests.shifts.likeness import compare

SIZES = {224: 16, 64: 40, 32: 120}
"""How many images of a table's size the random corruptions are compared on.

Fewer than 12 have too few swaps for a p under 0.001, whatever the pixels are.
"""
WITHIN = {
    # 20 fractional bits
    **dict.fromkeys(("brightness", "contrast", "saturate"), 2**-12),
    # weights are whole multiples of 2**-16, or of 1/64000, on a texture of black and white
    **{"gaussian_blur": 0.05, "defocus_blur": 0.1},
    # positions are whole multiples of 2**-8 pixels where the texture leaps by 255
    "zoom_blur": 0.25,
    **dict.fromkeys(("pixelate", "jpeg_compression"), 0.0),
}
"""By how much a grey level may miss that of the rule before both are truncated."""
RANDOM = [name for name in paper.TABLES if name not in paper.DRAWS_NOTHING]
BY_GUARD = 0.004
"""Share of the values of glass blur that may lie one level off: its two blurs put flat areas just under a level."""


def test_the_rules_are_all_that_there_are() -> None:
    named = {one.name for one in list_shifts() if one.suite in ("imagenet-c", "imagenet-c-extra")}
    assert named - set(paper.TABLES) == {"frost_procedural", "one-per-sample"}
    assert len(set(paper.TABLES) & named) == 19
    assert set(WITHIN) == set(paper.DRAWS_NOTHING)


@pytest.mark.parametrize(("name", "table"), [*product(paper.TABLES, SIZES)])
def test_the_parameters_are_the_published_ones(textures: Path, name: str, table: int) -> None:
    for severity, row in enumerate(paper.TABLES[name][table], 1):
        asked = {"severity": severity, "table": table}
        more = {"textures": str(textures)} if name == "frost" else {}
        found = default_registry().find(name).resolve({**asked, **more}, table, table)
        numbers = [value for key, value in found.items() if key not in ("table", "digest")]
        if name == "zoom_blur":
            end, step = row
            row = (len(np.arange(1, end, step)), step)
        assert numbers == pytest.approx(list(row) if isinstance(row, tuple) else [row], abs=0.005)


@pytest.mark.parametrize(("name", "table", "severity"), [*product(WITHIN, SIZES, range(1, 6))])
def test_what_draws_nothing_is_the_rule_pixel_by_pixel(
    pictures: NDArray[np.uint8], name: str, table: int, severity: int
) -> None:
    made = apply_shift(pictures, name, severity, table=table)
    exact = np.stack([paper.levels(name, one, severity, table, np.random.default_rng(0)) for one in pictures])
    # a level that is whole but for rounding keeps its value
    rest = exact + 2**-10 - made
    assert rest.min() >= -WITHIN[name]
    assert rest.max() < 1 + WITHIN[name]
    assert np.abs(made.astype(int) - exact.astype(np.uint8)).max() <= 1


@pytest.fixture(scope="module")
def textures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures of which the last is never drawn."""
    folder = tmp_path_factory.mktemp("frost")
    for number, one in enumerate(coloured(6, 512, 1.5)):
        Image.fromarray(one[: 300 + 20 * number, : 420 - 20 * number]).save(folder / f"frost{number + 1}.png")
    return folder


def coloured(count: int, side: int, decay: float) -> NDArray[np.uint8]:
    """Pictures of plasma in three colours, (count, side, side, 3)."""
    rng = np.random.default_rng(side)
    planes = [paper.plasma(rng, 1 << (side - 1).bit_length(), decay)[:side, :side] for _ in range(3 * count)]
    return (np.stack(planes).reshape(count, 3, side, side).transpose(0, 2, 3, 1) * 255.99).astype(np.uint8)


@pytest.fixture(scope="module")
def images() -> dict[int, NDArray[np.uint8]]:
    return {side: coloured(count, side, 1.6) for side, count in SIZES.items()}


def ruled(name: str, given: NDArray[np.uint8], severity: int, table: int, textures: Path) -> NDArray[np.uint8]:
    photographs = paper.frost_textures(sorted(textures.iterdir()))
    rng = np.random.default_rng([severity, table])
    return np.stack([paper.corrupt(name, one, severity, table, rng, photographs) for one in given])


@pytest.mark.parametrize(("name", "table", "severity"), [*product(RANDOM, SIZES, (1, 3, 5))])
def test_what_draws_follows_the_law_of_the_rule(
    images: dict[int, NDArray[np.uint8]], textures: Path, name: str, table: int, severity: int
) -> None:
    more: dict[str, Any] = {"textures": str(textures)} if name == "frost" else {}
    made = apply_shift(images[table], name, severity, table=table, **more)
    found = compare(images[table], made, ruled(name, images[table], severity, table, textures))
    # 198 tests at one in a thousand each, and fixed seeds
    assert found.distance_p > 0.001 or (name == "glass_blur" and found.distance < BY_GUARD)
    assert found.power_p > 0.001


WRONG = {
    "gaussian_noise, 5 % louder": ("gaussian_noise", partial(paper.gaussian_noise, std=0.06 * 1.05)),
    "shot_noise, 5 % fewer photons": ("shot_noise", partial(paper.shot_noise, rate=237.5)),
    "impulse_noise, salt only": ("impulse_noise", lambda x, rng: np.where(rng.random(x.shape) < 0.02, 1, x)),
    "impulse_noise, grey": (
        "impulse_noise",
        lambda x, rng: np.where(rng.random((*x.shape[:2], 1)) < 0.02, rng.random((*x.shape[:2], 1)) < 0.5, x),
    ),
    "speckle_noise, 5 % louder": ("speckle_noise", partial(paper.speckle_noise, std=0.105)),
    "glass_blur, twice": ("glass_blur", partial(paper.glass_blur, sigma=0.25, reach=1, rounds=2)),
    "motion_blur, another sigma": ("motion_blur", partial(paper.motion_blur, radius=6, sigma=1.8)),
    "motion_blur, level": (
        "motion_blur",
        lambda x, rng: paper.along_a_line((x * 255).round().astype(np.uint8), 6, 1.5, rng.uniform(-30, 30)) / 255,
    ),
    "snow, less of it": (
        "snow",
        partial(paper.snow, mean=0.1, std=0.2, zoom=1, threshold=0.52, radius=10, sigma=4, keep=0.9),
    ),
    "fog, the wibble not squared": ("fog", partial(paper.fog, amount=0.5, decay=3**0.5)),
    "elastic_transform, less of it": (
        "elastic_transform",
        partial(paper.elastic_transform, alpha=1.6, sigma=6.4, affine=1.8),
    ),
    "spatter, more of it": (
        "spatter",
        partial(paper.spatter, mean=0.65, std=0.1, sigma=0.8, threshold=0.69, strength=0.5, mud=0),
    ),
}
"""Severity 2 of the table of 32 pixels, made a little differently."""


@pytest.mark.parametrize("case", WRONG)
def test_a_slightly_different_law_is_told_apart(images: dict[int, NDArray[np.uint8]], case: str) -> None:
    name, rule = WRONG[case]
    given, rng = images[32], np.random.default_rng(0)
    wrong = np.stack([(np.clip(rule(one / 255, rng), 0, 1) * 255).astype(np.uint8) for one in given])
    found = compare(given, apply_shift(given, name, 2), wrong)
    assert min(found.distance_p, found.power_p) <= 0.001
