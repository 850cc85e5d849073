"""What can only be found out on a GPU, in one run: the cost of a gate, and how far CUDA is from the CPU.

    python benchmarks/cuda.py [--device cuda:0] [--data FOLDER] [--model net.onnx --size 224] [--images 2048]
                              [--batch 256] [--photos 256] [--severity 3]

1. The answers of a model in both modes of --robust-cuda against those on the CPU: the largest difference of an output,
   every photo that is predicted otherwise with its margin, and whether a second session, a bound run and a run with one
   image at once give the same bits.
2. The same for canvases that are shifted on the device, against canvases that are shifted on the host.
3. The bytes of the shifts on the device against those on the host, and their time (benchmarks/device.py).
4. Wall time of pytest over ImageNet-C, 15 corruptions x 5 severities and clean, with the canvases cached, over the time
   that ONNX Runtime alone needs for as many images at the same batch size, fed by arrays and bound.

Without a GPU it says so, measures nothing and ends with 2. --device cpu goes through the same steps on the CPU; that
shows that the script works and nothing else. FOLDER is that of the developers' models and images, by default
$PYTEST_ROBUST_DATA.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.errors import Mark, RobustError
from pytest_robust.models import Model, open_model
from pytest_robust.models.outputs import NEAR_TIE
from pytest_robust.spec.plan import ModelPlan, PathText, Preprocess

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_robust.models.providers import CudaMode

CELLS = 76
HALVES = Preprocess(size=224, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
IMAGENET = Preprocess(size=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
NAMES = ("gaussian_noise", "defocus_blur", "snow", "contrast", "elastic_transform", "jpeg_compression")


def photos(folder: Path, count: int) -> np.ndarray[Any, Any]:
    """The developers' photos as canvases, uint8 (N, 224, 224, 3); repeated where there are fewer."""
    from PIL import Image

    made = []
    for path in sorted((folder / "imagenet_samples").glob("*.jp*g"))[:count]:
        image = Image.open(path).convert("RGB")
        scale = 256 / min(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
        left, top = (image.width - 224) // 2, (image.height - 224) // 2
        made.append(np.asarray(image.crop((left, top, left + 224, top + 224))))
    return np.stack([made[index % len(made)] for index in range(count)])


def opened(plan: ModelPlan, device: str, batch: int, mode: CudaMode = "exact") -> Model:
    threads = len(os.sched_getaffinity(0))
    return open_model(plan, device=device, classes=None, threads=threads, batch_size=batch, cuda=mode)


def differences(title: str, expected: np.ndarray[Any, Any], found: np.ndarray[Any, Any]) -> None:
    """Print how far outputs are apart, and every photo whose class differs, with its margin."""
    size = np.sqrt(np.mean(np.square(expected, dtype=np.float64), axis=1))
    far = (np.abs(expected.astype(np.float64) - found).max(axis=1) / size).max()
    classes, others = expected.argmax(axis=1), found.argmax(axis=1)
    pair = np.partition(expected, -2, axis=1)[:, -2:].astype(np.float64)
    margins = (pair[:, 1] - pair[:, 0]) / size
    changed = np.flatnonzero(classes != others)
    print(
        f"{title}: equal bits {np.array_equal(expected, found)}, largest difference {far:.2e} of the outputs' size, "
        f"{len(changed)} of {len(classes)} predicted otherwise, "
        f"{np.count_nonzero(margins[changed] > NEAR_TIE)} of them beyond a near tie ({NEAR_TIE})"
    )
    for index in changed:
        print(f"    photo {index}: {classes[index]} -> {others[index]}, margin {margins[index]:.2e}")


def answers(plan: ModelPlan, device: str, images: np.ndarray[Any, Any], batch: int) -> None:
    import torch

    print("\n## 1. Answers against those on the CPU, the same canvases")
    expected = opened(plan, "cpu", batch).outputs(images)
    there = torch.tensor(images, device=device)
    modes: tuple[CudaMode, CudaMode] = ("exact", "fast")
    for mode in modes:
        model, again, single = (opened(plan, device, size, mode) for size in (batch, batch, 1))
        print(f"{mode}: {json.dumps(dict(model.provenance.options))} on {model.provenance.device_class}")
        first = model.outputs(there)
        differences(f"  {mode} against the CPU", expected, first)
        differences("  the same session again", first, model.outputs(there))
        differences("  a second session", first, again.outputs(there))
        differences("  fed by arrays", first, model.outputs(images))
        differences("  one image at once", first, single.outputs(there))


def shifted(plan: ModelPlan, device: str, images: np.ndarray[Any, Any], severity: int, batch: int) -> None:
    import torch

    from pytest_robust.engine.placement import Device
    from pytest_robust.registry import default_registry
    from pytest_robust.shifts.streams import make

    print(f"\n## 2. Canvases shifted on the device and on the host, severity {severity}, shown to the same session")
    model, place = opened(plan, device, batch), Device(torch.device(device))
    ids = [str(index) for index in range(len(images))]
    for name in NAMES:
        shift = default_registry().pixel_shift("imagenet-c", name)
        numbers = shift.resolve({"severity": severity}, *images.shape[1:3])
        host = make(shift, images, ids, 0, numbers)
        there = place.make(shift, images, ids, 0, numbers)
        equal = np.mean(place.fetch(there) == host)
        made = "twin" if shift.device_apply else "made on the host"
        differences(f"  {name} ({made}, {equal:.4%} of the bytes equal)", model.outputs(host), model.outputs(there))


def fastest(run: Callable[[], object], images: int, least: float = 3.0) -> float:
    """Median seconds per image of a run, over `least` seconds; the first two runs warm up."""
    run()
    run()
    found: list[float] = []
    started = time.perf_counter()
    while len(found) < 5 or time.perf_counter() - started < least:
        before = time.perf_counter()
        run()
        found.append((time.perf_counter() - before) / images)
    return sorted(found)[len(found) // 2]


def pure(plan: ModelPlan, device: str, batch: int) -> dict[str, float]:
    """Seconds per image of ONNX Runtime alone, by how it is fed."""
    import torch

    from pytest_robust.models.files import read_model
    from pytest_robust.models.providers import parse_device
    from pytest_robust.models.runtime import load_runtime
    from pytest_robust.models.session import Network

    kind, index = parse_device(device)
    gpu = None if kind == "cpu" else index
    network = Network(load_runtime(), read_model(plan.path), gpu, len(os.sched_getaffinity(0)), batch)
    side = plan.preprocess.size or 224
    array = np.random.default_rng(0).random((network.batch, 3, side, side), np.float32)
    tensor = torch.tensor(array, device=device)
    output = network.outputs[0].name
    return {
        "arrays": fastest(lambda: network.run(array, output), network.batch),
        "bound": fastest(lambda: network.run_bound(tensor, output), network.batch),
    }


def gate(plan: ModelPlan, device: str, images: np.ndarray[Any, Any], batch: int) -> None:
    print(f"\n## 4. A gate over ImageNet-C, {len(images)} images x {CELLS} cells, batch {batch}, canvases cached")
    alone = pure(plan, device, batch)
    preprocess = {"size": plan.preprocess.size, "mean": list(plan.preprocess.mean), "std": list(plan.preprocess.std)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "data.npz", x=images, y=np.zeros(len(images), np.int64))
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "net.yaml").write_text(
            "format: 1\ndataset: {source: npz, path: data.npz}\n"
            f"models:\n  net: {{path: {plan.path.resolve()}, preprocess: {json.dumps(preprocess)}}}\n"
            "shifts:\n  - {suite: imagenet-c}\n"
        )
        command = [sys.executable, "-m", "pytest", "--robust-spec=net.yaml", "-q"]
        command += [f"--robust-device={device}", f"--robust-batch-size={batch}", "--robust-cache=cache"]
        command += ["--robust-cache-size=200G"]
        for state in ("every image decoded", "canvases cached"):
            shutil.rmtree(folder / "cache" / "cells", ignore_errors=True)
            started = time.perf_counter()
            report = folder / f"{state.replace(' ', '-')}.json"
            done = subprocess.run(
                [*command, f"--robust-report={report}"], cwd=folder, capture_output=True, text=True, check=False
            )
            seconds = time.perf_counter() - started
            if not report.exists():
                raise SystemExit(done.stdout + done.stderr)
            cells = json.loads(report.read_text())["cells"]
            parts = {part: sum(cell["seconds"][part] for cell in cells) for part in ("decode", "shift", "inference")}
            passes = sum(cell["seconds"]["total"] for cell in cells)
            said = ", ".join(f"{part} {value:.1f} s" for part, value in parts.items())
            print(f"{state}: {seconds:.1f} s of pytest, {passes:.1f} s of it passes ({said})")
            for way, each in alone.items():
                whole = each * len(images) * len(cells)
                print(
                    f"    ONNX Runtime alone, {way}: {1000 * each:.3f} ms per image, {whole:.1f} s; "
                    f"ratio {seconds / whole:.2f}, of the passes alone {passes / whole:.2f}"
                )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--data", type=Path, default=os.environ.get("PYTEST_ROBUST_DATA"))
    parser.add_argument("--model", type=Path, help="a classifier in place of MobileNetV2, with ImageNet's mean and std")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--photos", type=int, default=256)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--severity", type=int, default=3)
    given = parser.parse_args()
    if given.data is None:
        parser.error("--data or $PYTEST_ROBUST_DATA must name the folder of models and images")
    path = (given.model or given.data / "models" / "mobilenet_v2_100_224_fp32.onnx").resolve()
    rule = HALVES if given.model is None else replace(IMAGENET, size=given.size)
    mark = Mark("benchmark", 1, 1)
    plan = ModelPlan("net", PathText(path.name, path.parent, mark), mark, preprocess=rule)
    device = "cuda:0" if given.device == "cuda" else given.device
    try:
        where = opened(plan, device, given.batch).provenance
    except RobustError as error:
        print(f"NO GPU, NOTHING WAS MEASURED: {error}")
        return 2
    if device == "cpu":
        print("ON THE CPU: no figure below is of a GPU")
    print(f"{path.name} on {where.device} ({where.device_class}), onnxruntime {where.onnxruntime}")
    images = photos(given.data, given.photos)
    answers(plan, device, images, given.batch)
    shifted(plan, device, images, given.severity, given.batch)
    print("\n## 3. Bytes and time of the shifts", flush=True)
    script = Path(__file__).with_name("device.py")
    subprocess.run([sys.executable, script, "--device", device, "--batch", str(given.batch)], check=True)
    gate(plan, device, photos(given.data, given.images), given.batch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
