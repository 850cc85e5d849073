"""Lp noise on images: rounding and clipping, exact counts of L0, the paper's sets, and the spec entry."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy import stats

from pytest_robust.registry import Registry, catalog, pixel_shift
from pytest_robust.shifts.gammas import FINITE
from pytest_robust.shifts.lp_sampling import lp_noise
from pytest_robust.shifts.lp_sets import SETS
from pytest_robust.shifts.quantiles import normal
from pytest_robust.shifts.rng import Streams
from pytest_robust.shifts.streams import make

LP = [shift for shift in Registry().shifts() if shift.suite == "lp-noise"]
NORMS = {f"l{p:g}": p for p in (*FINITE, math.inf)}
SIDE = {"cifar": 32, "tinyimagenet": 64}


def run(name: str, images: NDArray[np.uint8], epsilon: float, **options: Any) -> NDArray[np.uint8]:
    shift = pixel_shift("lp-noise", name)
    numbers = shift.resolve({"severity": epsilon, **options}, *images.shape[1:3])
    return make(shift, images, [str(i) for i in range(len(images))], 0, numbers)


def grey(side: int, count: int = 1, level: int = 128) -> NDArray[np.uint8]:
    return np.full((count, side, side, 3), level, np.uint8)


def strong(name: str, count: int) -> float:
    """An epsilon that moves a value by some 30 levels, that of L-infinity 0.2."""
    p = NORMS[name]
    return 0.2 if p == math.inf else 0.12 * float(count ** (1 / p))


def test_the_suite_has_the_papers_norms() -> None:
    assert [shift.name for shift in LP] == [
        *("l0", "l0linear", "l0.5", "l1", "l2", "l5", "l10", "l50", "l200", "linf"),
        *("saltpepper", "common_brightness", "gaussian"),
    ]


@pytest.mark.parametrize("shift", LP, ids=lambda shift: shift.name)
def test_epsilon_0_is_the_identity(pictures: NDArray[np.uint8], shift: Any) -> None:
    made = run(shift.name, pictures, 0)
    assert np.array_equal(made, pictures)
    assert not np.shares_memory(made, pictures)


@pytest.mark.parametrize("inside", ["ball", "hull"])
@pytest.mark.parametrize("name", NORMS)
def test_noise_is_added_rounded_and_clipped(pictures: NDArray[np.uint8], name: str, inside: Any) -> None:
    count = pictures[0].size
    epsilon = strong(name, count)
    made = run(name, pictures, epsilon, inside=inside)
    streams = Streams(0, name, {"epsilon": epsilon, "inside": inside})
    for index, (image, shifted) in enumerate(zip(pictures, made, strict=True)):
        noise = lp_noise(streams.for_id(str(index)), count, NORMS[name], epsilon, inside)
        exact = image + 255 * noise.reshape(image.shape).astype(np.float64)
        assert np.abs(shifted - np.clip(exact, 0, 255)).max() <= 0.5 + 1e-4
        assert np.any(shifted != image)


def test_whole_levels_go_through_unrounded() -> None:
    made = run("linf", grey(32, 2), 10 / 255, inside="hull")
    assert set(np.unique(made).tolist()) == {118, 138}
    assert set(np.unique(run("linf", grey(8, 1, 250), 10 / 255, inside="hull")).tolist()) == {240, 255}


@pytest.mark.parametrize("share", [0.005, 0.01, 0.1, 0.3, 1.0])
def test_l0_replaces_an_exact_number_of_channel_values(share: float) -> None:
    images = grey(33, 3, 100)
    made = run("l0", images, share)
    struck = made != 100
    assert np.all(np.count_nonzero(struck, axis=(1, 2, 3)) == round(share * images[0].size))
    assert set(np.unique(made[struck]).tolist()) <= {0, 255}


def test_l0_strikes_channel_values_apart_and_both_colours_alike() -> None:
    made = run("l0", grey(224), 0.3)[0]
    struck = made != 128
    assert abs(np.mean(struck[..., 0] & struck[..., 1]) - 0.09) < 0.006
    assert abs(np.mean(made[struck] == 255) - 0.5) < 4 * 0.5 / math.sqrt(struck.sum())
    rows = np.count_nonzero(struck, axis=(1, 2))
    assert abs(rows.mean() - 0.3 * 672) < 1
    assert rows.var() < 1.3 * 672 * 0.3 * 0.7


def test_linear_impulses_take_all_levels_alike() -> None:
    black, white = (run("l0linear", grey(224, level=level), 0.5) for level in (0, 255))
    assert np.array_equal(np.minimum(black, white), black), "the noise does not hang on the image"
    struck = white[black == white]
    hidden = round(0.5 * black.size) - struck.size
    assert hidden == 0, "what is replaced is the same on both, whatever the level"
    assert stats.chisquare(np.bincount(struck, minlength=256)).pvalue > 1e-3


@pytest.mark.parametrize("share", [0.01, 0.02, 0.5])
def test_salt_and_pepper_strikes_whole_pixels(share: float) -> None:
    made = run("saltpepper", grey(41, 2), share)
    struck = (made != 128).any(axis=-1)
    assert np.all(np.count_nonzero(struck, axis=(1, 2)) == round(share * 41 * 41))
    pixels = made[struck]
    assert np.all(pixels == pixels[:, :1])
    assert set(np.unique(pixels).tolist()) == {0, 255}


def test_common_brightness_shifts_an_image_as_a_whole() -> None:
    made = run("common_brightness", np.concatenate([grey(5, 200), grey(5, 1, 250), grey(5, 1, 3)]), 20 / 255)
    shifts = made[:200, 0, 0, 0].astype(int) - 128
    assert np.all(made[:200] == made[:200, :1, :1, :1])
    assert set(shifts.tolist()) == {-20, 20}
    assert abs(np.mean(shifts > 0) - 0.5) < 0.15
    assert made[200].max() in (255, 230)
    assert made[201].min() in (0, 23)


def test_gaussian_noise_is_the_table_rounded() -> None:
    made = run("gaussian", grey(224), 0.1)[0]
    words = Streams(0, "gaussian", {"epsilon": 0.1}).for_id("0").uint16(made.size)
    expected = np.clip(np.rint(128 + 25.5 * normal().astype(np.float64)[words]), 0, 255)
    assert np.mean(made.ravel() != expected) < 1e-4
    assert abs(made.std() - 25.5) < 0.2


def l2_kept(name: str, data: str, epsilon: float) -> tuple[float, float]:
    """Of unclipped noise: the L2 norm that rounding leaves, and the norm's own, both as shares."""
    images = grey(SIDE[data], 12)
    change = np.abs(run(name, images, epsilon).astype(np.float64) - 128).reshape(12, -1) / 255
    streams = Streams(0, name, {"epsilon": float(epsilon), "inside": "ball"})
    count, p = change.shape[1], NORMS[name]
    exact = np.stack([lp_noise(streams.for_id(str(i)), count, p, epsilon, "ball") for i in range(12)])
    largest = change.max(axis=1, keepdims=True)
    own = largest[:, 0] if p == math.inf else largest[:, 0] * ((change / largest) ** p).sum(axis=1) ** (1 / p)
    return float(np.linalg.norm(change) / np.linalg.norm(exact)), float(own.mean() / epsilon)


OWN_NORM = {
    ("cifar", "l0.5"): 0.604,
    ("cifar", "l1"): 0.990,
    ("cifar", "l2"): 1.007,
    ("cifar", "l10"): 1.020,
    ("cifar", "l50"): 1.075,
    ("cifar", "linf"): 3 / 255 / 0.01,
    ("tinyimagenet", "l0.5"): 0.766,
    ("tinyimagenet", "l1"): 0.994,
    ("tinyimagenet", "l2"): 1.002,
    ("tinyimagenet", "l10"): 1.007,
    ("tinyimagenet", "l50"): 1.007,
    ("tinyimagenet", "linf"): 3 / 255 / 0.01,
}


@pytest.mark.parametrize(("data", "name"), OWN_NORM)
def test_what_rounding_does_to_the_imperceptible_sets(data: str, name: str) -> None:
    (epsilon,) = SETS["lp-imperceptible", data][name]
    l2, own = l2_kept(name, data, epsilon)
    assert abs(l2 - 1) < 0.01
    assert abs(own - OWN_NORM[data, name]) < 0.02


def test_noise_below_half_a_level_disappears() -> None:
    assert np.array_equal(run("linf", grey(16), 0.0019), grey(16))
    assert not np.array_equal(run("linf", grey(16), 0.0021), grey(16))


def expand(**entry: Any) -> list[tuple[str, float, dict[str, Any]]]:
    suite = catalog()["lp-noise"]
    read = suite.options.model_validate_json(json.dumps(entry), strict=True)
    return [(one.shift, one.severity, dict(one.parameters)) for one in suite.expand(read)]


def test_the_entry_of_the_design() -> None:
    rows = expand(norms={"inf": [0.01, 0.03], "2": [0.5, 1], "0": [0.01]})
    assert [row[:2] for row in rows] == [("l0", 0.01), ("l2", 0.5), ("l2", 1), ("linf", 0.01), ("linf", 0.03)]
    assert rows[0][2] == {"severity": 0.01}
    assert rows[1][2] == {"severity": 0.5, "inside": "ball"}
    assert isinstance(rows[2][1], int)
    assert expand(norms={"0.5": [25e3]}, inside="hull") == [("l0.5", 25000, {"severity": 25e3, "inside": "hull"})]


def test_entries_with_impulses_and_further_noise() -> None:
    assert [row[0] for row in expand(norms={"0": [0.1], "2": [1]}, impulse="linear")] == ["l0linear", "l2"]
    rows = expand(saltpepper=[0.02, 0.01], common_brightness=[0.05], gaussian=[0.1])
    assert [row[:2] for row in rows] == [
        ("saltpepper", 0.01),
        ("saltpepper", 0.02),
        ("common_brightness", 0.05),
        ("gaussian", 0.1),
    ]
    assert {row[0] for row in expand(norms={"inf": [0.1]}, gaussian=[0.1])} == {"linf", "gaussian"}
    assert [row[:2] for row in expand()] == [(name, e) for name in ("l0", "linf") for e in (0.01, 0.03, 0.1)]


@pytest.mark.parametrize(
    ("name", "data", "count"),
    [
        ("lp-test", "cifar", 90),
        ("lp-test", "tinyimagenet", 90),
        ("lp-imperceptible", "cifar", 6),
        ("lp-imperceptible", "tinyimagenet", 6),
        ("lp-test-v1", "cifar", 33),
        ("lp-imperceptible-v1", "cifar", 6),
    ],
)
def test_the_sets_have_the_papers_sizes(name: str, data: str, count: int) -> None:
    rows = expand(set=name, data=data)
    assert len(rows) == len({row[:2] for row in rows}) == count
    for shift, epsilon, parameters in rows:
        made = pixel_shift("lp-noise", shift).resolve(parameters, SIDE[data], SIDE[data])
        assert made["epsilon"] == epsilon
        assert made.get("inside", "ball") == "ball"
    suite = catalog()["lp-noise"]
    assert {one.side for one in suite.expand(suite.options(set=name, data=data))} == {SIDE[data]}
    assert {one.side for one in suite.expand(suite.options(norms={"2": (1.0,)}))} == {None}
    if name == "lp-test":
        assert {row[0] for row in rows} == {"l0", *NORMS}
        assert all(sum(row[0] == shift for row in rows) == 10 for shift in ("l0", *NORMS))
    if name == "lp-imperceptible":
        assert {row[0] for row in rows} == {"l0.5", "l1", "l2", "l10", "l50", "linf"}


PRINTED = """
| L∞ | .005 .01 .02 .03 .04 .06 .08 .1 .12 .15 | .01 .02 .03 .04 .06 .08 .1 .15 .2 .3 |
| L0.5 | 25e3 50e3 75e3 100e3 150e3 200e3 250e3 300e3 350e3 400e3 | 2e5 4e5 7e5 12e5 18e5 25e5 35e5 50e5 80e5 120e5 |
| L1 | 12.5 25 37.5 50 75 100 125 150 175 200 | 37.5 75 125 200 300 400 600 800 1100 1500 |
| L2 | .25 .5 .75 1 1.5 2 2.5 3 4 5 | .5 1 2 3 4 5 7.5 10 15 20 |
| L5 | .03 .06 .1 .15 .2 .25 .3 .4 .5 .6 | .05 .1 .15 .2 .3 .4 .5 .75 1 1.5 |
| L10 | .02 .03 .05 .07 .1 .13 .16 .2 .25 .3 | .02 .04 .06 .1 .14 .18 .25 .35 .5 .7 |
| L50 | .01 .02 .03 .04 .06 .08 .1 .12 .15 .18 | .02 .03 .04 .07 .1 .13 .16 .2 .25 .35 |
| L200 | .01 .02 .03 .04 .05 .07 .09 .11 .13 .15 | .02 .03 .04 .06 .08 .1 .15 .2 .25 .3 |
| L0 | .005 .01 .015 .02 .03 .04 .06 .08 .1 .12 | .01 .02 .03 .05 .075 .1 .15 .2 .25 .3 |
"""  # norm | CIFAR | TinyImageNet


def test_the_test_sets_are_the_printed_table() -> None:
    assert len(PRINTED.split("\n")) == 11
    for line in PRINTED.strip().split("\n"):
        norm, cifar, tiny = (cell.strip() for cell in line.strip("|").split("|"))
        name = "linf" if norm == "L∞" else norm.lower()
        for data, cell in (("cifar", cifar), ("tinyimagenet", tiny)):
            assert SETS["lp-test", data][name] == tuple(map(float, cell.split()))


def test_the_epsilons_of_the_sets_rise() -> None:
    for rows in SETS.values():
        for epsilons in rows.values():
            assert list(epsilons) == sorted(set(epsilons))


def test_the_first_versions_sets_belong_to_cifar() -> None:
    assert expand(set="lp-test-v1") == expand(set="lp-test-v1", data="cifar")
    with pytest.raises(ValueError, match="the set lp-test-v1 has epsilons for cifar; say which by data"):
        expand(set="lp-test-v1", data="tinyimagenet")
    with pytest.raises(ValueError, match="the set lp-test has epsilons for cifar and tinyimagenet; say which"):
        expand(set="lp-test")


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"data": "cifar"}, "data says which epsilons of a set are meant; name the set"),
        ({"set": "lp-test", "data": "cifar", "norms": {"2": [1]}}, "a set has its own epsilons; remove norms, or set"),
        ({"set": "lp-test", "data": "cifar", "impulse": "max", "gaussian": [0.1]}, "remove gaussian and impulse"),
        ({"norms": {"2": [1]}, "impulse": "linear"}, "impulse says what p = 0 puts in, and norms has no 0"),
    ],
)
def test_entries_that_cannot_be_are_refused(entry: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        expand(**entry)


@pytest.mark.parametrize(
    "entry",
    [
        {"norms": {"3": [1]}},
        {"norms": {"2": []}},
        {"norms": {"2": [1, 1.0]}},
        {"norms": {"2": [-1]}},
        {"norms": {"2": 1}},
        {"norms": {"2": ["1"]}},
        {"norms": {"inf": [True]}},
        {"norms": [2]},
        {"inside": "surface"},
        {"impulse": "min"},
        {"gaussian": [1.5]},
        {"saltpepper": []},
        {"set": "lp-train"},
        {"set": "lp-test", "data": "imagenet"},
        {"severities": [1]},
    ],
)
def test_entries_are_validated(entry: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        expand(**entry)


@pytest.mark.parametrize(
    ("name", "parameters", "sentence"),
    [
        ("linf", {"severity": 1.01}, "linf takes an epsilon from 0 to 1 as its severity, not 1.01"),
        ("l0", {"severity": -0.1}, "l0 takes an epsilon from 0 to 1"),
        ("l2", {"severity": math.inf}, r"l2 takes an epsilon from 0 to 1e\+09"),
        ("l2", {"severity": math.nan}, "not nan"),
        ("l2", {}, "not None"),
        ("l2", {"severity": True}, "not True"),
        ("l2", {"severity": "1"}, "not '1'"),
        ("l2", {"severity": 1, "inside": "surface"}, "l2 takes ball or hull as inside, not 'surface'"),
        ("l0", {"severity": 0.1, "inside": "hull"}, "l0 has no parameter 'inside' beside severity"),
    ],
)
def test_the_shift_itself_refuses_too(name: str, parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        pixel_shift("lp-noise", name).resolve(parameters, 32, 32)
