"""The shifts on a GPU: seconds per batch of ImageNet-C's 15 corruptions, and how far their bytes are from the CPU's.

    python benchmarks/device.py [--device cuda:0] [--batch 256] [--severity 3] [--rounds 5] [--check 32] [--every]

Milliseconds per image at 224 x 224 of each corruption, its images already on the device, and the sum of all. Then the
first --check images of the batch, at every severity, against the definition in NumPy and OpenCV: the share of values
that are equal, and that lie within one grey level. --every compares the other suites as well. With --device cpu the
torch code runs on the CPU, where it is slower than the definition.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pytest_robust.spec.mce import IMAGENET_C, STAND_INS

SIDE = 224
NAMES = [STAND_INS.get(name, name) for name in IMAGENET_C]
ANY: dict[str, tuple[float | None, ...]] = {
    "clean": (None,),
    "one-per-sample": (None,),
    "down_up": (0.25, 0.5, 2, 4),
    "zoom_crop": (2, 4),
    "shrink_pad": (0.25, 0.5),
    "feed_scaled": (0.25, 2),
    "l0.5": (1e6, 1e7),
    "l1": (500, 1500),
    "l2": (2, 15),
    "resize": (112, 288),
}
"""Severities of the shifts that take any number; 0.02, 0.1 and 0.3 of the others."""


def photos(count: int) -> np.ndarray[Any, Any]:
    """Plasma in three colours, soft as a photograph."""
    from pytest_robust.shifts.fog import plasma
    from pytest_robust.shifts.rng import Stream

    planes = np.stack([plasma(Stream(0, "photo", {}, str(i)), 256, 1.5)[:SIDE, :SIDE] for i in range(3 * count)])
    low, high = planes.min(axis=(1, 2), keepdims=True), planes.max(axis=(1, 2), keepdims=True)
    levels = (255 * (planes - low) / (high - low)).astype(np.uint8)
    return np.ascontiguousarray(levels.reshape(count, 3, SIDE, SIDE).transpose(0, 2, 3, 1))


def seconds(device: torch.device, run: Any, rounds: int) -> float:
    """The fastest of several runs, the device's own work included."""
    found = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        found.append(time.perf_counter() - started)
    return min(found[1:])


def agreement(shift: Any, images: np.ndarray[Any, Any], there: torch.Tensor) -> tuple[float, float]:
    """The smallest share of equal values, and of values within one level, over the severities."""
    from pytest_robust.shifts.on_device.streams import make_on_device
    from pytest_robust.shifts.streams import make

    ids = [str(position) for position in range(len(images))]
    equal, near = [], []
    for severity in shift.severities or ANY.get(shift.name, (0.02, 0.1, 0.3)):
        numbers = shift.resolve({"severity": severity}, SIDE, SIDE)
        expected = make(shift, images, ids, 0, numbers).astype(np.int16)
        off = np.abs(make_on_device(shift, there, ids, 0, numbers).cpu().numpy() - expected)
        equal.append(float((off == 0).mean()))
        near.append(float((off <= 1).mean()))
    return min(equal), min(near)


def main() -> None:
    from pytest_robust.registry import default_registry, pixel_shift
    from pytest_robust.shifts.on_device.streams import make_on_device

    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--severity", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", type=int, default=32, help="how many images are compared with the CPU's")
    parser.add_argument("--every", action="store_true", help="compare the shifts of every suite")
    asked = parser.parse_args()
    device = torch.device(asked.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no GPU; --device cpu runs the same code on the CPU")
    images = photos(asked.batch)
    there = torch.tensor(images, device=device)
    ids = [str(position) for position in range(len(images))]
    few = images[: asked.check], there[: asked.check]
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "torch on the CPU"
    print(f"{where}: {SIDE} x {SIDE}, severity {asked.severity}, batch {asked.batch}")
    print(f"{'':28} {'ms/image':>9} {'equal':>10} {'within 1':>10}")
    total = 0.0
    for name in NAMES:
        shift = pixel_shift("imagenet-c", name)
        numbers = shift.resolve({"severity": asked.severity}, SIDE, SIDE)
        took = seconds(device, lambda s=shift, n=numbers: make_on_device(s, there, ids, 0, n), asked.rounds)
        total += took
        equal, near = agreement(shift, *few)
        note = "" if shift.device_apply else "  on the host"
        print(f"{name:28} {took / asked.batch * 1e3:9.3f} {equal:10.5%} {near:10.5%}{note}", flush=True)
    print(f"{'sum':28} {total / asked.batch * 1e3:9.3f}   {total:.2f} s for the batch")
    if asked.every:
        for shift in default_registry().shifts():
            if shift.name in NAMES or shift.name == "frost":
                continue
            equal, near = agreement(shift, *few)
            note = "" if shift.device_apply else "  on the host"
            print(f"{f'{shift.suite}.{shift.name}':48} {equal:10.5%} {near:10.5%}{note}", flush=True)
    if device.type == "cuda":
        print(f"peak memory of the device: {torch.cuda.max_memory_allocated(device) / 2**30:.2f} GiB")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main()
