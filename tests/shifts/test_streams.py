"""The threads that batches are made in change nothing but the time it takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial, wraps
from types import FunctionType
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


@pytest.fixture(scope="module")
def many(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.concatenate([pictures, pictures[:, ::-1], pictures[:2, :, ::-1]])


@pytest.mark.parametrize("shift", ALL, ids=lambda shift: shift.name)
def test_threads_at_once_give_the_same_bytes(many: NDArray[np.uint8], shift: PixelShift) -> None:
    severity = 3 if shift.severities else ANY.get(shift.name, 0.5)
    numbers = shift.resolve({"severity": severity}, *many.shape[1:3])
    one = make(shift, many, NAMES, 5, numbers)
    assert one.flags.c_contiguous
    parts = [slice(start, start + 3) for start in range(0, len(many), 3)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda here: make(shift, many[here], NAMES[here], 5, numbers), parts))
    assert np.array_equal(np.concatenate(found), one)


def watching(
    seen: list[tuple[str, int]], error: Exception | None = None, wait: threading.Barrier | None = None
) -> PixelShift:
    """A shift that notes its thread and OpenCV's threads."""

    def rule(images: NDArray[np.uint8], bits: Any, **_: Any) -> NDArray[np.uint8]:
        if wait:
            wait.wait()
        seen.append((threading.current_thread().name, cv2.getNumThreads()))
        if error:
            raise error
        return images.copy()

    return replace(ALL[0], apply=as_own(rule))


def as_own(rule: Any) -> Any:
    """A function as if it were written in the package, whose shifts are pure."""
    there = {**rule.__globals__, "__name__": "pytest_robust.shifts.noise"}
    return FunctionType(rule.__code__, there, rule.__name__, None, rule.__closure__)


def test_every_shift_of_the_package_is_known_as_its_own() -> None:
    assert all(streams.is_own(one.apply) for one in ALL)
    assert all(streams.is_own(one.device_apply) for one in ALL if one.device_apply)

    @wraps(ALL[0].apply)
    def around(*given: Any, **numbers: Any) -> Any:
        return ALL[0].apply(*given, **numbers)

    assert not streams.is_own(around)
    assert not streams.is_own(partial(around, std=1))


@pytest.mark.parametrize("there", [False, True])
def test_a_shift_of_the_users_own_may_keep_a_buffer(there: bool) -> None:
    import torch

    from pytest_robust.shifts.on_device.streams import make_on_device

    kept: dict[int, Any] = {}
    inside, most = [0], [0]

    def rule(images: Any, bits: Any, **numbers: Any) -> Any:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        buffer = kept.setdefault(len(images), images + 0)
        buffer[:] = images
        for _ in range(20):
            time.sleep(1e-4)
            buffer += 1
        inside[0] -= 1
        return buffer

    shift = replace(ALL[0], apply=rule, device_apply=rule if there else None)
    levels = [np.full((4, 8, 8, 3), level, np.uint8) for level in range(24)]

    def made(images: NDArray[np.uint8]) -> Any:
        if there:
            return make_on_device(shift, torch.from_numpy(images), NAMES[:4], 0, {"std": 1}).numpy()
        return make(shift, images, NAMES[:4], 0, {"std": 1})

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(made, levels))
    assert most == [1]
    assert all(np.array_equal(one, given + 20) for one, given in zip(found, levels, strict=True))


@pytest.fixture
def four_threads() -> Iterator[None]:
    """What a notebook may have set."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(4)
    yield
    cv2.setNumThreads(before)


@pytest.mark.usefixtures("four_threads")
def test_opencv_starts_no_threads_of_its_own(many: NDArray[np.uint8]) -> None:
    seen: list[tuple[str, int]] = []
    make(watching(seen), many, NAMES, 0, {"std": 0.1})
    assert seen == [(threading.current_thread().name, 1)]
    assert cv2.getNumThreads() == 4, "a notebook's own setting is left as it was"


@pytest.mark.usefixtures("four_threads")
def test_opencv_gets_its_threads_back_once_the_last_shift_is_made(many: NDArray[np.uint8]) -> None:
    together = threading.Barrier(3, timeout=10)
    seen: list[tuple[str, int]] = []

    def made(_: int) -> None:
        make(watching(seen, wait=together), many, NAMES, 0, {"std": 0.1})

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(made, range(3)))
    assert [threads for _, threads in seen] == [1] * 3
    assert cv2.getNumThreads() == 4


@pytest.mark.usefixtures("four_threads")
def test_an_error_reaches_the_caller_and_opencv_gets_its_threads_back(many: NDArray[np.uint8]) -> None:
    with pytest.raises(ZeroDivisionError, match="here"):
        make(watching([], ZeroDivisionError("here")), many, NAMES, 0, {"std": 0.1})
    assert cv2.getNumThreads() == 4


def test_few_images_and_none() -> None:
    numbers = ALL[0].resolve({"severity": 1}, 8, 8)
    for count in (0, 1):
        images = np.zeros((count, 8, 8, 3), np.uint8)
        assert make(ALL[0], images, NAMES[:count], 0, numbers).shape == images.shape


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
def test_what_a_shift_returns_is_checked(returned: Any, said: str) -> None:
    own = replace(ALL[0], suite="mine", name="dim", apply=lambda images, bits, **_: returned(images))
    images = np.zeros((10, 16, 16, 3), np.uint8)
    match = (
        rf"^the shift mine\.dim must return uint8 \((\d+), H, W, 3\) for \1 images, not {said}; correct its function$"
    )
    with pytest.raises(RobustError, match=match):
        make(own, images, NAMES, 0, {"std": 0.1})
