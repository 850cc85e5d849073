"""Where memory runs out fewer images are shown at once, nothing else changes, and the reader is told."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from pytest_robust.errors import RobustError
from pytest_robust.models.portions import Portions, ran_out
from tests.models.opening import colours, opened, sentence
from tests.onnx_models import enhancer, save

NOTE = "memory did not suffice for showing the model 4 images at once; it went on with 2"


def hungry(path: Path, *, times: int = 1, batch: int | str = "N") -> Path:
    """Answers the brightest channel, and takes (times x batch) ** 24 bytes for it.

    That is 16 MiB for 2 and 256 TiB for 4, more than a process can address on x86-64 or ARM, so it fails everywhere and
    at once, in ONNX Runtime's own words.
    """
    nodes = [
        helper.make_node("Shape", ["image"], ["batch"], start=0, end=1),
        helper.make_node("Mul", ["batch", "times"], ["base"]),
        helper.make_node("Pow", ["base", "power"], ["size"]),
        helper.make_node("Expand", ["zero", "size"], ["much"]),
        helper.make_node("ReduceMax", ["much"], ["largest"], keepdims=0),
        helper.make_node("Cast", ["largest"], ["nothing"], to=TensorProto.FLOAT),
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Add", ["flat", "nothing"], ["scores"]),
    ]
    return save(
        path,
        nodes,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, "H", "W"])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, 3])],
        {"times": np.array([times]), "power": np.array([24]), "zero": np.array([0], np.uint8)},
    )


@pytest.mark.parametrize("there", [False, True])
def test_a_model_that_needs_too_much_is_shown_fewer_images(tmp_path: Path, there: bool) -> None:
    model = opened(hungry(tmp_path / "net.onnx"), enhancer=enhancer(tmp_path / "front.onnx"))
    images = colours(*"rgbbgrr")
    assert model.notes == ()
    found = model.predict(torch.from_numpy(images) if there else images)
    assert found.predicted.tolist() == [0, 1, 2, 2, 1, 0, 0]
    assert model.batch_size == 2
    assert model.notes == (NOTE,)
    assert model.predict(images).predicted.tolist() == found.predicted.tolist(), "and it stays so"


@pytest.mark.parametrize(("times", "batch"), [(4, "N"), (1, 4)])
def test_the_least_is_one_image_or_what_the_model_fixes(tmp_path: Path, times: int, batch: int | str) -> None:
    path = hungry(tmp_path / "net.onnx", times=times, batch=batch)
    model = opened(path, batch_size=1)
    with pytest.raises(RobustError) as caught:
        model.predict(colours(*"rgbbg"))
    least = 1 if batch == "N" else batch
    assert sentence(caught, path) == (
        f"failed on an input of shape ({least}, 3, 8, 8): Expand: Failed to allocate memory for requested buffer of "
        "size 281474976710656"
    )


def test_lanes_that_meet_one_shortage_halve_once() -> None:
    lanes, portions = 8, Portions(64)
    together = threading.Barrier(lanes, timeout=10)
    sizes: list[int] = []

    def work(here: slice) -> None:
        sizes.append(here.stop - here.start)
        if sizes[-1] == 64:
            together.wait()
            raise MemoryError

    with ThreadPoolExecutor(lanes) as pool:
        list(pool.map(lambda _: portions(64, work), range(lanes)))
    assert portions.size == 32
    assert sizes.count(64) == lanes
    assert sizes.count(32) == 2 * lanes


@settings(max_examples=60, deadline=None)
@given(count=st.integers(0, 40), size=st.integers(1, 40), room=st.integers(1, 40))
def test_every_image_is_worked_on_once_and_in_order(count: int, size: int, room: int) -> None:
    portions = Portions(size)

    def work(here: slice) -> list[int]:
        if here.stop - here.start > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return list(range(count))[here]

    made = portions(count, work)
    assert [one for part in made for one in part] == list(range(count))
    assert all(0 < len(part) <= min(size, room) for part in made)
    assert portions.asked == size
    assert bool(portions.note("shifting")) == (portions.size < size)
    assert portions.size == size or portions.size * 2 + 1 > room, "no smaller than need be"


def test_one_image_that_does_not_fit_is_one_sentence() -> None:
    def work(here: slice) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    for portions, said in ((Portions(8), "1 image"), (Portions(8, fixed=True), "8 images")):
        with pytest.raises(RobustError, match=f"^memory ran out for {said} at once: CUDA out of memory"):
            portions(8, work)


def test_other_failures_are_not_tried_again() -> None:
    tries: list[slice] = []

    def work(here: slice) -> None:
        tries.append(here)
        raise ValueError("shape")

    with pytest.raises(ValueError, match="shape"):
        Portions(8)(8, work)
    assert tries == [slice(0, 8)]


def test_lanes_whose_memory_runs_out_together_halve_once() -> None:
    portions, together = Portions(4), threading.Barrier(2)

    def work(here: slice) -> int:
        if here.stop - here.start == 4:
            together.wait()
            raise MemoryError
        return here.stop - here.start

    with ThreadPoolExecutor(2) as lanes:
        found = [lane.result() for lane in [lanes.submit(portions, 4, work) for _ in range(2)]]
    assert found == [[2, 2], [2, 2]]
    assert portions.size == 2


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("bfc_arena.cc:360 Failed to allocate memory for requested buffer of size 281474976710656"),
        RuntimeError("Available memory of 1024 is smaller than requested bytes of 2048"),
        RuntimeError("CUDA failure 2: out of memory ; GPU=0 ; hostname=h ; expr=cudaMalloc((void**)&p, size);"),
        RuntimeError("CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0"),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_how_it_is_said(error: Exception) -> None:
    assert ran_out(error)
    outer = RobustError("the model failed")
    outer.__cause__ = error
    assert ran_out(outer)


@pytest.mark.parametrize("text", ["", "CUDA failure 700: an illegal memory access was encountered", "invalid shape"])
def test_what_is_something_else(text: str) -> None:
    assert not ran_out(RuntimeError(text))
