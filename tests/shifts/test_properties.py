"""What holds for every shift: its bytes hang on seed, parameters and id alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_robust.registry import Registry
from pytest_robust.shifts.base import PixelShift
from pytest_robust.shifts.streams import make

# frost with photographs of a folder has tests of its own
ALL = [one for one in Registry().shifts() if one.suite != "clean" and "textures" not in one.options]
TABLED = [shift for shift in ALL if shift.suite in ("imagenet-c", "imagenet-c-extra")]
NOISES = [shift for shift in TABLED if shift.name.endswith("_noise")]
ANY = {"zoom_crop": 2, "resize": 24, "l0.5": 1e6, "l1": 500, "l2": 9}
"""What 0.5 does not do as the severity of a shift that takes any number."""
RESIZING = {"feed_scaled", "resize"}
EVERY = pytest.mark.parametrize("shift", ALL, ids=lambda shift: shift.name)


def numbers(shift: PixelShift, images: NDArray[np.uint8], severity: float | None = None) -> dict[str, Any]:
    if severity is None:
        severity = 3 if shift.severities else ANY.get(shift.name, 0.5)
    return shift.resolve({"severity": severity}, *images.shape[1:3])


def ids(count: int) -> list[str]:
    return [f"class/{i}.png" for i in range(count)]


@EVERY
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_batches_orders_and_subsets_change_nothing(
    pictures: NDArray[np.uint8], shift: PixelShift, data: st.DataObject
) -> None:
    names = ids(len(pictures))
    whole = make(shift, pictures, names, 1, numbers(shift, pictures))
    chosen = data.draw(st.lists(st.integers(0, len(pictures) - 1), min_size=1, max_size=6))
    cut = data.draw(st.integers(0, len(chosen)))
    halves = [
        make(shift, pictures[part], [names[i] for i in part], 1, numbers(shift, pictures))
        for part in (chosen[:cut], chosen[cut:])
    ]
    assert np.array_equal(np.concatenate(halves), whole[chosen])


@EVERY
def test_threads_change_nothing(pictures: NDArray[np.uint8], shift: PixelShift) -> None:
    many = np.concatenate([pictures] * 8)
    names = ids(len(many))
    whole = make(shift, many, names, 1, numbers(shift, many))
    with ThreadPoolExecutor(8) as pool:
        parts = list(
            pool.map(
                lambda i: make(shift, many[i : i + 1], names[i : i + 1], 1, numbers(shift, many)), range(len(many))
            )
        )
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("shift", NOISES, ids=lambda shift: shift.name)
def test_a_batch_larger_than_a_working_part_is_seamless(shift: PixelShift) -> None:
    big = np.random.default_rng(3).integers(0, 256, (5, 200, 200, 3), np.uint8)
    whole = make(shift, big, ids(5), 1, numbers(shift, big))
    assert np.array_equal(make(shift, big[3:4], ids(5)[3:4], 1, numbers(shift, big))[0], whole[3])


@EVERY
def test_the_input_is_read_only_and_the_output_is_new(pictures: NDArray[np.uint8], shift: PixelShift) -> None:
    before = pictures.copy()
    made = make(shift, pictures, ids(4), 0, numbers(shift, pictures))
    assert np.array_equal(pictures, before)
    assert made.dtype == np.uint8
    assert made.flags.c_contiguous
    assert not np.shares_memory(made, pictures)
    if shift.name not in RESIZING:
        assert made.shape == pictures.shape
    assert not np.array_equal(made, pictures)


@EVERY
def test_views_of_an_array_shift_as_their_copies_do(pictures: NDArray[np.uint8], shift: PixelShift) -> None:
    view = pictures[::-1, ::-1, ::2, ::-1]
    same = np.ascontiguousarray(view)
    made = [make(shift, images, ids(4), 0, numbers(shift, same)) for images in (view, same)]
    assert np.array_equal(*made)


def test_a_rule_is_given_contiguous_images(pictures: NDArray[np.uint8]) -> None:
    seen: list[bool] = []

    def rule(images: NDArray[np.uint8], bits: Any, **_: Any) -> NDArray[np.uint8]:
        seen.append(images.flags.c_contiguous)
        return images.copy()

    make(replace(TABLED[0], apply=rule), pictures[:, ::2, ::-1], ids(4), 0, {"std": 0.1})
    assert seen == [True]


@EVERY
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2)])
def test_small_canvases_and_empty_batches_pass(shift: PixelShift, size: tuple[int, int]) -> None:
    for count in (0, 2):
        images = np.full((count, *size, 3), 90, np.uint8)
        made = make(shift, images, ids(count), 0, numbers(shift, images))
        assert made.shape[0] == count
        if shift.name not in RESIZING:
            assert made.shape == images.shape


@pytest.mark.parametrize("shift", TABLED, ids=lambda shift: shift.name)
def test_severity_0_is_the_identity(pictures: NDArray[np.uint8], shift: PixelShift) -> None:
    made = make(shift, pictures, ids(4), 0, numbers(shift, pictures, 0))
    assert np.array_equal(made, pictures)
    assert not np.shares_memory(made, pictures)


@pytest.mark.parametrize("shift", NOISES, ids=lambda shift: shift.name)
def test_noise_hangs_on_id_seed_and_severity(pictures: NDArray[np.uint8], shift: PixelShift) -> None:
    one = np.repeat(pictures[:1], 2, axis=0)
    made = make(shift, one, ["a", "b"], 0, numbers(shift, one))
    assert not np.array_equal(made[0], made[1])
    assert np.array_equal(*make(shift, one, ["a", "a"], 0, numbers(shift, one)))
    other_seed = make(shift, one, ["a", "b"], 1, numbers(shift, one))
    assert not np.array_equal(made, other_seed)
    # another severity draws anew, not the same pattern at another strength
    change, stronger = (
        make(shift, one, ["a", "b"], 0, numbers(shift, one, s)).astype(float).ravel() - one.ravel() for s in (3, 4)
    )
    assert abs(np.corrcoef(change, stronger)[0, 1]) < 0.25


class Asked:
    """Bits that remember whether they were asked for any."""

    drawn = 0

    def uint16(self, count: int, *, lane: int = 0) -> NDArray[np.uint16]:
        self.drawn += count
        return np.arange(count, dtype=np.uint16)


def draws(shift: PixelShift) -> bool:
    images, bits = np.full((1, 16, 16, 3), 90, np.uint8), Asked()
    shift.apply(images, [bits], **numbers(shift, images))
    return bits.drawn > 0


DRAWING = [shift for shift in ALL if draws(shift)]


def test_all_noise_draws() -> None:
    assert {shift.name for shift in NOISES} <= {shift.name for shift in DRAWING}
    assert all(shift in DRAWING for shift in ALL if shift.suite == "lp-noise")


@pytest.mark.parametrize("shift", DRAWING, ids=lambda shift: shift.name)
def test_what_draws_hangs_on_id_and_seed(pictures: NDArray[np.uint8], shift: PixelShift) -> None:
    same, names = np.repeat(pictures[2:3], 16, axis=0), ids(16)
    made = make(shift, same, names, 0, numbers(shift, same))
    assert len(np.unique(made, axis=0)) > 1
    assert np.array_equal(make(shift, same, names, 0, numbers(shift, same)), made)
    assert not np.array_equal(make(shift, same, names, 1, numbers(shift, same)), made)
    assert len(np.unique(make(shift, same, names[:1] * 16, 0, numbers(shift, same)), axis=0)) == 1


@pytest.mark.parametrize("shift", [one for one in ALL if one not in DRAWING], ids=lambda shift: shift.name)
def test_the_other_shifts_draw_nothing(pictures: NDArray[np.uint8], shift: PixelShift) -> None:
    made = [make(shift, pictures, [name] * 4, seed, numbers(shift, pictures)) for name, seed in (("a", 0), ("b", 9))]
    assert np.array_equal(*made)


@pytest.mark.parametrize("shift", TABLED, ids=lambda shift: shift.name)
@pytest.mark.parametrize(("short", "table"), [(1, 32), (48, 32), (49, 64), (144, 64), (145, 224), (500, 224)])
def test_the_table_follows_the_short_side(shift: PixelShift, short: int, table: int) -> None:
    for size in ((short, 600), (600, short)):
        found = shift.resolve({"severity": 2}, *size)
        assert found == shift.resolve({"severity": 2, "table": table}, 1, 1)
        assert found["table"] == table


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({}, "a severity of 1, 2, 3, 4 or 5 .0 changes nothing., not None"),
        ({"severity": 6}, "not 6"),
        ({"severity": "3"}, "not '3'"),
        ({"severity": 2.5}, "not 2.5"),
        ({"severity": [1]}, "not .1."),
        ({"severity": 1, "table": 48}, "has the tables auto, 224, 64, 32, not 48"),
        ({"severity": 1, "std": 0.1}, "has no parameter 'std'; it takes table"),
    ],
)
@pytest.mark.parametrize("shift", TABLED, ids=lambda shift: shift.name)
def test_what_a_shift_does_not_take_is_refused(shift: PixelShift, parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{shift.name} .*{sentence}"):
        shift.resolve(parameters, 224, 224)
