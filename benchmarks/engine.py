"""What a gate costs beside its inference: wall time of pytest over the time that ONNX Runtime alone would need.

    python benchmarks/engine.py --data FOLDER [--images 100] [--threads N] [--peer PYTHON] [--only NAME]
    python benchmarks/engine.py --model net.onnx --folder images/ --size 224 [--images 100]
    python benchmarks/engine.py --data FOLDER --memory

For each set of models, in one run: pure inference of as many images at the best batch size and the same number of
threads; then pytest as a subprocess over ImageNet-C, 15 corruptions x 5 severities and clean, with nothing stored
and every image decoded (cold), with the decoded images at hand (warm), and again with everything stored (again).
Pure inference is measured before and after, and the mean of both is the yardstick. First of all comes the collection
of 10,000 cells. --peer names a Python that
has imagecorruptions and onnxruntime, for the loop that one would write by hand: load, corrupt, infer, repeat.
--memory shows the peak of the resident memory over 400, 4,000 and 40,000 images. FOLDER is that of the
developers' models and images, by default $PYTEST_ROBUST_DATA.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import startup

BATCHES = (1, 4, 8, 16, 32, 64, 128)
CELLS = 76
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
HALVES = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
PURE = """
import json, os, sys, time
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import numpy as np, onnxruntime
path, threads, batches, least = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]), float(sys.argv[4])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
entry = session.get_inputs()[0]
sides = [side if isinstance(side, int) else int(sys.argv[5]) for side in entry.shape[1:]]
fixed = entry.shape[0] if isinstance(entry.shape[0], int) else None
best = {}
for size in [fixed] if fixed else batches:
    images = np.random.default_rng(0).random((size, *sides), np.float32)
    session.run(None, {entry.name: images})
    found = []
    started = time.perf_counter()
    while not found or time.perf_counter() - started < least:
        before = time.perf_counter()
        session.run(None, {entry.name: images})
        found.append((time.perf_counter() - before) / size)
    best[size] = sorted(found)[len(found) // 2]
size = min(best, key=best.get)
print(json.dumps([size, best[size]]))
"""
LOOP = """
import json, os, sys, time, warnings
warnings.simplefilter("ignore")
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import numpy as np, onnxruntime
from PIL import Image
from imagecorruptions import corrupt, get_corruption_names
model, files, size, mean, std, threads = json.loads(sys.argv[1])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
mean, std = np.float32(mean), np.float32(std)
started = time.perf_counter()
for corruption in get_corruption_names("common"):
    for severity in (1, 2, 3, 4, 5):
        for first in range(0, len(files), 8):
            batch = []
            for file in files[first : first + 8]:
                image = Image.open(file).convert("RGB")
                scale = 256 / min(image.size)
                image = image.resize((round(image.width * scale), round(image.height * scale)), Image.BILINEAR)
                left, top = (image.width - size) // 2, (image.height - size) // 2
                image = np.asarray(image.crop((left, top, left + size, top + size)))
                batch.append((corrupt(image, severity, corruption) / np.float32(255) - mean) / std)
            session.run(None, {name: np.stack(batch).astype(np.float32).transpose(0, 3, 1, 2)})
print(json.dumps((time.perf_counter() - started) / (75 * len(files))))
"""


@dataclass(frozen=True)
class Model:
    """A model file and how images become its input."""

    path: Path
    size: int
    preprocess: dict[str, list[float]] = field(default_factory=lambda: IMAGENET)

    def line(self, name: str) -> str:
        """The model as a spec names it."""
        return f"  {name}: {{path: {self.path}, preprocess: {json.dumps({'size': self.size, **self.preprocess})}}}"


@dataclass(frozen=True)
class Case:
    """Models that are measured together, their images, and how many times as many of them are used."""

    name: str
    models: tuple[Model, ...]
    dataset: str
    files: tuple[Path, ...] = ()
    times: int = 1


def cases(given: argparse.Namespace) -> list[Case]:
    """What to measure, by the options."""
    if given.model:
        size = given.size
        dataset = (
            f"{{source: folder, path: {given.folder.resolve()}, geometry: {{resize: {size * 8 // 7}, crop: {size}}}}}"
        )
        files = tuple(
            sorted(path for path in given.folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
        )
        return [Case(given.model.stem, (Model(given.model.resolve(), size),), dataset, files)]
    data = given.data.resolve()
    photos = data / "imagenet_samples"
    imagenet = (
        f"{{source: manifest, path: {photos}, labels: {photos / 'labels.csv'}, geometry: {{resize: 256, crop: 224}}}}"
    )
    cifar = f"{{source: npz, path: {data / 'cifar10' / 'test_jpeg_2000.npz'}}}"
    models = data / "models"
    mobile = Model(models / "mobilenet_v2_100_224_fp32.onnx", 224, HALVES)
    squeeze = Model(models / "squeezenet1_0.onnx", 227)
    together = (
        mobile,
        Model(models / "mobilenet_v2_100_224_int8.onnx", 224, HALVES),
        squeeze,
        Model(models / "squeezenet1_0_int8.onnx", 227),
    )
    files = tuple(sorted(photos.glob("*.jp*g")))
    return [
        Case("mobilenet_v2_100_224_fp32", (mobile,), imagenet, files),
        Case("squeezenet1_0", (squeeze,), imagenet, files),
        Case("cifar10_resnet20", (Model(models / "cifar10_resnet20.onnx", 32),), cifar, times=10),
        Case("four ImageNet models", together, imagenet, files),
    ]


def pure(model: Model, threads: int) -> tuple[int, float]:
    """Best batch size of a model, and seconds per image at it."""
    command = [sys.executable, "-c", PURE, str(model.path), str(threads), json.dumps(BATCHES), "1.5", str(model.size)]
    size, seconds = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return size, seconds


@dataclass(frozen=True)
class Run:
    """One pytest run: seconds in all and until the first verdict, peak resident memory in MiB, the report."""

    seconds: float
    first: float
    anonymous: float
    resident: float
    report: dict[str, Any]


def gate(folder: Path, *options: str) -> Run:
    """Run pytest in a folder as a user does."""
    report = folder / "report.json"
    for old in (report, report.with_suffix(".npz")):
        old.unlink(missing_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "pytest", "--robust-spec=net.yaml", "-v", f"--robust-report={report}", *options]
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    peak = {"RssAnon": 0, "VmHWM": 0}
    watcher = threading.Thread(target=_watch, args=(process, peak))
    watcher.start()
    first, said = 0.0, []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if not first and re.search(rb"::clean \S*(PASSED|FAILED)", line):
            first = time.perf_counter() - started
    process.wait()
    seconds = time.perf_counter() - started
    watcher.join()
    if not report.exists():
        raise SystemExit(b"".join(said).decode())
    found = json.loads(report.read_text())
    if errors := [cell["reasons"] for cell in found["cells"] if cell["verdict"] == "ERROR"]:
        raise SystemExit(f"{len(errors)} cells could not be measured: {errors[0]}")
    return Run(seconds, first, peak["RssAnon"] / 1024, peak["VmHWM"] / 1024, found)


def _watch(process: subprocess.Popen[bytes], peak: dict[str, int]) -> None:
    """Keep the highest figures of /proc/PID/status until the process ends."""
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        try:
            text = status.read_text()
        except OSError:
            return
        for name in peak:
            if found := re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE):
                peak[name] = max(peak[name], int(found[1]))
        time.sleep(0.05)


def measure(case: Case, given: argparse.Namespace) -> None:
    """Print one row of the table."""
    images = given.images * case.times
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n")
        names = [f"m{index}" for index in range(len(case.models))]
        lines = ["format: 1", f"dataset: {case.dataset[:-1]}, limit: {images}}}", "models:"]
        lines += [model.line(name) for model, name in zip(case.models, names, strict=True)]
        lines += ["shifts:", "  - {suite: imagenet-c}", ""]
        (folder / "net.yaml").write_text("\n".join(lines))
        before = [pure(model, given.threads) for model in case.models]
        kept = f"--robust-cache={folder / 'cache'}"
        cold = gate(folder, kept)
        shutil.rmtree(folder / "cache" / "cells")
        warm = gate(folder, kept)
        again = gate(folder, kept)
        after = [pure(model, given.threads) for model in case.models]
    n = cold.report["cells"][0]["n"]
    alone = sum((one[1] + two[1]) / 2 for one, two in zip(before, after, strict=True))
    yardstick = alone * n * CELLS
    loop = ""
    if given.peer and case.files and len(case.models) == 1:
        model = case.models[0]
        files = [str(path) for path in case.files[:10]]
        asked = json.dumps([str(model.path), files, model.size, *model.preprocess.values(), given.threads])
        done = subprocess.run([given.peer, "-c", LOOP, asked], check=True, capture_output=True, text=True)
        loop = f"{json.loads(done.stdout) / alone:.2f}"
    print(
        f"| {case.name} | {n} | {1000 * alone:.2f} (batch {before[0][0]}) | {cold.seconds / yardstick:.2f} | "
        f"{warm.seconds / yardstick:.2f} | {loop} | {cold.seconds:.0f} | {again.seconds:.1f} | {cold.first:.1f} | "
        f"{cold.resident:.0f} |",
        flush=True,
    )
    # the time of a shared pass is the same in every model's cell
    one = [cell["seconds"] for cell in warm.report["cells"] if cell["model"] == "m0"]
    every = [cell["seconds"] for cell in warm.report["cells"]]
    parts = {part: sum(cell[part] for cell in one) for part in ("decode", "shift")}
    parts["inference"] = sum(cell["inference"] for cell in every)
    parts["passes"] = sum(cell["total"] for cell in one)
    print("  " + ", ".join(f"{part} {seconds:.1f} s" for part, seconds in parts.items()), file=sys.stderr)


def memory(given: argparse.Namespace) -> None:
    """Print the peak memory over growing numbers of images, the same pictures under many names."""
    case = cases(given)[0]
    model = case.models[0]
    if not given.model:  # the least of them: it is the images that are many
        model = Model(given.data.resolve() / "models" / "mobilenet_v1_025_128_fp32.onnx", 128, HALVES)
    print("| images | seconds | peak MiB, own | peak MiB, with mapped files |\n|---|---|---|---|")
    for count in (400, 4_000, 40_000):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "pytest.ini").write_text("[pytest]\n")
            (folder / "images").mkdir()
            rows = ["file,label"]
            for index in range(count):
                source = case.files[index % len(case.files)]
                target = folder / "images" / f"{index:06d}{source.suffix}"
                target.symlink_to(source)
                rows.append(f"{target.name},{index % 10}")
            (folder / "labels.csv").write_text("\n".join(rows))
            geometry = f"{{resize: {model.size * 8 // 7}, crop: {model.size}}}"
            lines = [
                "format: 1",
                f"dataset: {{source: manifest, path: images, labels: labels.csv, geometry: {geometry}}}",
                "models:",
                model.line("net"),
                "shifts:",
                "  - {suite: imagenet-c, corruptions: [brightness], severities: [3]}",
                "",
            ]
            (folder / "net.yaml").write_text("\n".join(lines))
            run = gate(folder, "--robust-no-cache")
            print(f"| {count} | {run.seconds:.0f} | {run.anonymous:.0f} | {run.resident:.0f} |", flush=True)


def collection() -> None:
    """Print how long pytest takes over nothing, and over the collection of 10,000 cells."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "test_nothing.py").write_text("def test_nothing(): pass\n")
        (folder / "big.yaml").write_text(startup.spec(models=100, multiples=99))
        for label, argument in (("one empty test", "test_nothing.py"), ("10,000 cells", "--robust-spec=big.yaml")):
            startup.seconds(folder, argument)
            times = []
            for _ in range(5):
                started = time.perf_counter()
                startup.seconds(folder, argument)
                times.append(time.perf_counter() - started)
            print(f"collecting {label}: {statistics.median(times):.2f} s")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("PYTEST_ROBUST_DATA"))
    parser.add_argument("--model", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--peer", help="a Python with imagecorruptions and onnxruntime")
    parser.add_argument("--only", help="the case whose name holds this")
    parser.add_argument("--memory", action="store_true")
    given = parser.parse_args()
    if given.model and not given.folder:
        parser.error("--model needs --folder")
    if not given.model and given.data is None:
        parser.error("--data is needed, or --model and --folder, or the variable PYTEST_ROBUST_DATA")
    if given.data:
        given.data = Path(given.data)
    if given.memory:
        memory(given)
        return
    collection()
    print(f"{given.threads} threads; pytest and pure inference in seconds of wall time, one beside the other")
    print(
        "| models | images | pure, ms an image | cold | warm | by hand | cold, s | again, s | first verdict, s | MiB |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for case in cases(given):
        if not given.only or given.only in case.name:
            measure(case, given)


if __name__ == "__main__":
    main()
