"""What a fully cached run costs beyond pytest's own start-up, and what an unchanged data set does.

    python benchmarks/cache.py

Measures a spec of 75 cells once, runs pytest over the cached cells as a subprocess, and prints medians. Then opens a
folder of 20,000 files with and without remembered digests.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx

from pytest_robust.data import open_dataset
from pytest_robust.data.dataset import remembering
from pytest_robust.engine.cache import Cache
from pytest_robust.engine.digests import SETTLED_SECONDS, Digests
from pytest_robust.errors import Mark
from pytest_robust.spec.plan import DatasetPlan, PathText

RUNS = 7
CLASSES, IMAGES = 100, 200

SPEC = """\
format: 1
dataset: {source: digits, split: test}
models:
  a: {path: net.onnx}
shifts:
  - {suite: imagenet-c, table: 224}
thresholds: [{min_accuracy: 0}]
"""


def seconds(folder: Path, *arguments: str) -> tuple[float, float]:
    """Processor and wall time of one pytest run."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *arguments], cwd=folder, env=environment, check=True, capture_output=True
    )
    after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, ended - started


def model(path: Path) -> None:
    """A classifier of the digits that costs nothing."""
    value, info = onnx.TensorProto.FLOAT, onnx.helper.make_tensor_value_info
    nodes = [
        onnx.helper.make_node("ReduceMean", ["x"], ["m"], axes=[2, 3], keepdims=0),
        onnx.helper.make_node("MatMul", ["m", "w"], ["y"]),
    ]
    weights = onnx.numpy_helper.from_array(np.ones((3, 10), np.float32), "w")
    shapes = info("x", value, ["n", 3, "h", "w"]), info("y", value, ["n", 10])
    graph = onnx.helper.make_graph(nodes, "g", [shapes[0]], [shapes[1]], [weights])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9), str(path))


def cached_run(folder: Path) -> None:
    """Time runs over cells that are all cached."""
    (folder / "spec.yaml").write_text(SPEC)
    (folder / "test_nothing.py").write_text("def test_nothing(): pass\n")
    model(folder / "net.onnx")
    first = seconds(folder, "--robust-spec=spec.yaml")
    print(f"first run, 76 cells              {first[1]:7.2f} s")
    commands = {"pytest alone": ("test_nothing.py", "-p", "no:robust"), "76 cached cells": ("--robust-spec=spec.yaml",)}
    times: dict[str, list[tuple[float, float]]] = {label: [] for label in commands}
    for _ in range(RUNS):
        for label, arguments in commands.items():
            times[label].append(seconds(folder, *arguments))
    medians = {
        label: [statistics.median(column) for column in zip(*found, strict=True)] for label, found in times.items()
    }
    for label, (processor, wall) in medians.items():
        print(f"{label:32} {wall:7.2f} s wall {processor:7.2f} s processor")
    alone, cells = medians.values()
    print(f"cached cells beyond pytest       {cells[1] - alone[1]:7.2f} s wall {cells[0] - alone[0]:7.2f} s processor")


def unchanged_data(folder: Path) -> None:
    """Time the opening of a data set whose files are all known."""
    for number in range(CLASSES):
        inner = folder / "images" / f"{number:03}"
        inner.mkdir(parents=True)
        for image in range(IMAGES):
            (inner / f"{image}.jpg").write_bytes(os.urandom(20_000))
    time.sleep(SETTLED_SECONDS + 1)
    plan = DatasetPlan("folder", Mark("spec.yaml", 1, 1), PathText("images", folder, Mark("spec.yaml", 1, 1)))
    digests = Digests(Cache(folder / "cache", 1 << 30))
    for label in ("read and digested", "remembered"):
        started = time.perf_counter()
        with remembering(digests):
            open_dataset(plan)
        print(f"{CLASSES * IMAGES} files, {label:18} {time.perf_counter() - started:7.2f} s")


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        cached_run(Path(name))
    with tempfile.TemporaryDirectory() as name:
        unchanged_data(Path(name))


if __name__ == "__main__":
    main()
