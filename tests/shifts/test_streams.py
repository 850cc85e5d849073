"""The cores that a batch is made on change nothing but the time it takes."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_robust.errors import RobustError
from pytest_robust.registry import Registry
from pytest_robust.shifts import streams
from pytest_robust.shifts.base import PixelShift
from pytest_robust.shifts.streams import make

# frost with photographs of a folder differs from its sibling in the pictures alone
ALL = [one for one in Registry().shifts() if one.suite != "clean" and "textures" not in one.options]
ANY = {"l0.5": 1e6, "l1": 500, "l2": 9, "zoom_crop": 2, "resize": 24}
NAMES = [f"{i}.png" for i in range(10)]


@pytest.fixture(autouse=True)
def small_canvases_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LARGE", 0)


@pytest.fixture(scope="module")
def many(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.concatenate([pictures, pictures[:, ::-1], pictures[:2, :, ::-1]])


@pytest.mark.parametrize("shift", ALL, ids=lambda shift: shift.name)
def test_any_number_of_threads_gives_the_same_bytes(many: NDArray[np.uint8], shift: PixelShift) -> None:
    severity = 3 if shift.severities else ANY.get(shift.name, 0.5)
    numbers = shift.resolve({"severity": severity}, *many.shape[1:3])
    one = make(shift, many, NAMES, 5, numbers)
    for threads in (2, 3, 7, 64):
        found = make(shift, many, NAMES, 5, numbers, threads=threads)
        assert found.flags.c_contiguous
        assert np.array_equal(found, one)


def watching(seen: list[tuple[str, int, int]], error: Exception | None = None) -> PixelShift:
    """A shift that notes its thread, its share of the batch and OpenCV's threads."""

    def rule(images: NDArray[np.uint8], bits: Any, **_: Any) -> NDArray[np.uint8]:
        seen.append((threading.current_thread().name, len(images), cv2.getNumThreads()))
        if error:
            raise error
        return images.copy()

    return replace(ALL[0], apply=rule)


@pytest.mark.parametrize(
    ("threads", "shares"), [(1, [10]), (2, [5, 5]), (3, [4, 4, 2]), (4, [3, 3, 3, 1]), (20, [1] * 10)]
)
def test_each_thread_takes_a_share_and_opencv_starts_none(
    many: NDArray[np.uint8], threads: int, shares: list[int]
) -> None:
    seen: list[tuple[str, int, int]] = []
    before = cv2.getNumThreads()
    cv2.setNumThreads(4)
    try:
        make(watching(seen), many, NAMES, 0, {"std": 0.1}, threads=threads)
        assert cv2.getNumThreads() == 4, "a notebook's own setting is left as it was"
    finally:
        cv2.setNumThreads(before)
    assert sorted((count for _, count, _ in seen), reverse=True) == shares
    assert {opencv for *_, opencv in seen} == {1}
    here = threading.current_thread().name
    assert {name == here for name, *_ in seen} == {threads == 1}


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_reaches_the_caller_and_opencv_gets_its_threads_back(many: NDArray[np.uint8], threads: int) -> None:
    before = cv2.getNumThreads()
    with pytest.raises(ZeroDivisionError, match="here"):
        make(watching([], ZeroDivisionError("here")), many, NAMES, 0, {"std": 0.1}, threads=threads)
    assert cv2.getNumThreads() == before


def test_few_images_and_none() -> None:
    numbers = ALL[0].resolve({"severity": 1}, 8, 8)
    for count in (0, 1):
        images = np.zeros((count, 8, 8, 3), np.uint8)
        assert make(ALL[0], images, NAMES[:count], 0, numbers, threads=8).shape == images.shape


@pytest.mark.parametrize(("size", "shares"), [((128, 128), [5, 5]), ((129, 127), [10]), ((40, 2000), [5, 5])])
def test_small_canvases_are_not_worth_threads(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], shares: list[int]
) -> None:
    monkeypatch.undo()
    seen: list[tuple[str, int, int]] = []
    make(watching(seen), np.zeros((10, *size, 3), np.uint8), NAMES, 0, {"std": 0.1}, threads=2)
    assert [count for _, count, _ in seen] == shares
    assert {opencv for *_, opencv in seen} == {1}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (lambda images: images / 255, r"float64 \(\d+, 16, 16, 3\)"),
        (lambda images: images.astype(int) + 300, r"int64 \(\d+, 16, 16, 3\)"),
        (lambda images: images[..., 0], r"uint8 \(\d+, 16, 16\)"),
        (lambda images: images.transpose(0, 3, 1, 2), r"uint8 \(\d+, 3, 16, 16\)"),
        (lambda images: images[1:], r"uint8 \(\d+, 16, 16, 3\)"),
        (lambda images: images[:, :0], r"uint8 \(\d+, 0, 16, 3\)"),
        (lambda images: None, "NoneType"),
        (lambda images: list(images), "list"),
    ],
)
def test_what_a_shift_returns_is_checked(threads: int, returned: Any, said: str) -> None:
    own = replace(ALL[0], suite="mine", name="dim", apply=lambda images, bits, **_: returned(images))
    images = np.zeros((10, 16, 16, 3), np.uint8)
    match = (
        rf"^the shift mine\.dim must return uint8 \((\d+), H, W, 3\) for \1 images, not {said}; correct its function$"
    )
    with pytest.raises(RobustError, match=match):
        make(own, images, NAMES, 0, {"std": 0.1}, threads=threads)
