"""Canvases made beside the model: on a device, here torch's CPU, as on the host, byte for byte."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

from pytest_robust.data import open_dataset
from pytest_robust.engine import passes, placement
from pytest_robust.engine.canvases import stream_canvases
from pytest_robust.engine.parts import Part, join
from pytest_robust.engine.passes import Take, batch_size_for, run_pass
from pytest_robust.engine.placement import Device, Host, Placement
from pytest_robust.measurement import Measurement
from pytest_robust.models import Model
from pytest_robust.registry import default_registry
from pytest_robust.shifts.base import PixelShift
from pytest_robust.shifts.on_device import streams
from pytest_robust.spec.plan import DatasetPlan, Geometry, ShiftPlan
from tests.models.opening import MARK, opened, text_of
from tests.models.test_portions import hungry
from tests.onnx_models import classifier

CPU = torch.device("cpu")
COUNT = 45
IMAGES = np.random.default_rng(3).integers(0, 256, (COUNT, 12, 10, 3), np.uint8)


def canvases(folder: Path) -> Any:
    path = folder / "data.npz"
    np.savez(path, x=IMAGES, y=np.arange(COUNT) % 3)
    return stream_canvases(open_dataset(DatasetPlan("npz", MARK, text_of(path), classes=3)), Geometry())


def column(suite: str, name: str, severity: float | None) -> ShiftPlan:
    shift = default_registry().pixel_shift(suite, name)
    declared = {} if severity is None else {"severity": severity}
    return ShiftPlan(suite, suite, name, severity, shift.version, DatasetPlan("npz", MARK), MARK, declared)


def shown(folder: Path, shift: ShiftPlan, *models: Model, batch: int = 8) -> list[Measurement]:
    takes = [Take(str(number), model) for number, model in enumerate(models)]
    given = canvases(folder)
    part: Part = run_pass(shift, 1, given, None, takes, batch, batch, 2, lambda names: None, lambda done, total: None)
    made = [join(take.name, [part], shift, given.dataset, given.shape, None) for take in takes]
    assert all(isinstance(one, Measurement) for one in made), made
    return made  # type: ignore[return-value]


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models whose `gpu` is a number are served by a device that is torch's CPU."""

    def place(gpu: int | None) -> Placement:
        return Host() if gpu is None else Device(CPU)

    monkeypatch.setattr(passes, "placement_for", place)


SHIFTS = [
    ("clean", "clean", None),
    ("imagenet-c", "gaussian_noise", 3),
    ("imagenet-c", "contrast", 2),
    ("imagenet-c", "jpeg_compression", 3),
    ("scaling", "down_up", 0.5),
]


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize(("suite", "name", "severity"), SHIFTS)
def test_a_pass_on_a_device_measures_what_one_on_the_host_does(
    tmp_path: Path, suite: str, name: str, severity: float | None
) -> None:
    here, there = (opened(classifier(tmp_path / "net.onnx"), batch_size=8) for _ in range(2))
    there.gpu = 0
    shift = column(suite, name, severity)
    (alone,) = shown(tmp_path, shift, here)
    for both in (
        shown(tmp_path, shift, there),
        shown(tmp_path, shift, here, there),
        shown(tmp_path, shift, there, here),
    ):
        for one in both:
            np.testing.assert_array_equal(one.predicted, alone.predicted)
            np.testing.assert_array_equal(one.near_tie, alone.near_tie)
            assert one.canvas_digest == alone.canvas_digest
            assert one.notes == ()
    first, second = shown(tmp_path, shift, here, there)
    assert "torch" not in first.provenance.options
    assert second.provenance.options["torch"] == torch.__version__


@pytest.mark.usefixtures("beside")
def test_models_get_arrays_on_the_host_and_tensors_on_a_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = (opened(classifier(tmp_path / "net.onnx")) for _ in range(2))
    there.gpu = 0
    seen: list[tuple[int | None, type]] = []
    predict = Model.predict

    def noted(self: Model, images: Any, **options: Any) -> Any:
        seen.append((self.gpu, type(images)))
        return predict(self, images, **options)

    monkeypatch.setattr(Model, "predict", noted)
    shown(tmp_path, column("imagenet-c", "contrast", 1), here, there, batch=32)
    # Two batches in two lanes, whose order is nobody's.
    assert Counter(seen) == {(None, np.ndarray): 2, (0, torch.Tensor): 2}


def test_blas_is_held_at_one_thread_while_lanes_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[int] = set()
    predict = Model.predict

    def noted(self: Model, images: Any, **options: Any) -> Any:
        seen.update(one["num_threads"] for one in threadpool_info() if f"{os.sep}numpy" in one["filepath"])
        return predict(self, images, **options)

    monkeypatch.setattr(Model, "predict", noted)
    with threadpool_limits(limits=3, user_api="blas"):
        shown(tmp_path, column("clean", "clean", None), opened(classifier(tmp_path / "net.onnx")))
    assert seen == {1}


def numbers(shift: PixelShift) -> dict[str, Any]:
    return shift.resolve({"severity": 2}, 12, 10)


def test_a_shift_without_a_twin_is_made_on_the_host_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    jpeg = default_registry().pixel_shift("imagenet-c", "jpeg_compression")
    noise = default_registry().pixel_shift("imagenet-c", "gaussian_noise")
    assert jpeg.device_apply is None
    ids = [str(one) for one in range(COUNT)]
    made: list[str] = []
    on_host, on_device = placement.make, streams.make_on_device

    def host(shift: PixelShift, *rest: Any) -> NDArray[np.uint8]:
        made.append(f"host {shift.name}")
        return on_host(shift, *rest)

    def device(shift: PixelShift, *rest: Any) -> torch.Tensor:
        made.append(f"device {shift.name}")
        return on_device(shift, *rest)

    monkeypatch.setattr(placement, "make", host)
    monkeypatch.setattr(streams, "make_on_device", device)
    for shift in (jpeg, noise):
        found = Device(CPU).make(shift, IMAGES, ids, 1, numbers(shift))
        np.testing.assert_array_equal(found.numpy(), on_host(shift, IMAGES, ids, 1, numbers(shift)))
    assert made == ["host jpeg_compression", "device gaussian_noise"]


def test_images_are_copied_and_never_written_to() -> None:
    images = IMAGES.copy()
    images.flags.writeable = False
    made = Device(CPU).make(None, images[::2], [], 1, {})
    np.testing.assert_array_equal(made.numpy(), IMAGES[::2])
    made.zero_()
    np.testing.assert_array_equal(images, IMAGES)


def test_a_device_without_room_shifts_fewer_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure is torch's own: working arrays of `room` images and more are asked for in petabytes."""
    noise = default_registry().pixel_shift("imagenet-c", "gaussian_noise")
    ids, room = [str(one) for one in range(COUNT)], 12
    assert noise.device_apply is not None
    apply = noise.device_apply

    def greedy(images: torch.Tensor, bits: Any, **rest: Any) -> torch.Tensor:
        torch.empty(1 if len(images) <= room else 1 << 58)
        return apply(images, bits, **rest)

    place = Device(CPU)
    made = place.make(replace(noise, device_apply=greedy), IMAGES, ids, 1, numbers(noise))
    np.testing.assert_array_equal(made.numpy(), Host().make(noise, IMAGES, ids, 1, numbers(noise)))
    assert place.notes == ("memory did not suffice for shifting 45 images at once; it went on with 11",)


@pytest.mark.parametrize("gpu", [None, 0])
@pytest.mark.usefixtures("beside")
def test_a_cell_says_that_memory_ran_out(tmp_path: Path, gpu: int | None) -> None:
    model = opened(hungry(tmp_path / "net.onnx"), batch_size=4)
    model.gpu = gpu
    (made,) = shown(tmp_path, column("clean", "clean", None), model)
    (same,) = shown(tmp_path, column("clean", "clean", None), opened(classifier(tmp_path / "plain.onnx")))
    assert made.notes == ("memory did not suffice for showing the model 4 images at once; it went on with 2",)
    np.testing.assert_array_equal(made.predicted, same.predicted)


def test_batches_are_larger_on_a_gpu() -> None:
    shape = (224, 224, 3)
    assert batch_size_for(shape, None) == 8
    assert batch_size_for((32, 32, 3), None) == 64
    assert batch_size_for(shape, None, on_gpu=True) == 256
    assert batch_size_for((1024, 1024, 3), None, on_gpu=True) == 21
    assert batch_size_for(shape, 7, on_gpu=True) == 7
