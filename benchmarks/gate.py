"""What the gate says of real models: the same one again, one with changed weights, one quantised.

A golden of a CIFAR-10 ResNet-20 is recorded; then these are judged against it:

- the unchanged model, run after run, each with another batch size, number of cores and order of its cases: the
  predictions must not change, so nothing but PASS may come out;
- a copy in which a share of the weights was replaced by noise of their own spread;
- its int8 twin, over the device classes.

    python benchmarks/gate.py --data FOLDER [--runs 20] [--images 2000]

FOLDER holds `models/cifar10_resnet20.onnx`, its `_int8` twin and `cifar10/test_jpeg_2000.npz`; by default
$PYTEST_ROBUST_DATA.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

SPEC = """\
format: 1
dataset: {{source: npz, path: {data}/cifar10/test_jpeg_2000.npz, limit: {images}}}
models:
  net:
    path: {data}/models/cifar10_resnet20.onnx
    preprocess: {{size: 32, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}}
shifts:
  - {{suite: imagenet-c, severities: [1, 3, 5]}}
thresholds:
  - {{max_regression: 0.01, max_negative_flips: 0.10}}
aggregates:
  - {{mean_error: {{suite: imagenet-c}}, max_regression: 0.0025}}
gate: {{golden_device: any}}
golden: golden
"""
SHARES = (0.01, 0.02, 0.05)


def gate(folder: Path, *options: str, cores: int | None = None) -> dict[str, Any]:
    """One run of the gate as a subprocess; its report."""
    report = folder / "report.json"
    for old in (report, report.with_suffix(".npz")):
        old.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", f"--robust-report={report}", "-q", "-p", "no:cacheprovider", *options]
    pin = ["taskset", "-c", ",".join(str(core) for core in sorted(os.sched_getaffinity(0))[:cores])] if cores else []
    done = subprocess.run([*pin, *command], cwd=folder, capture_output=True, text=True, check=False)
    if not report.exists():
        raise SystemExit(done.stdout + done.stderr)
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def perturbed(source: Path, target: Path, share: float) -> None:
    """Copy a model with a share of its weights replaced by noise of the spread that their tensor has."""
    rng = np.random.default_rng(0)
    model = onnx.load(source)
    for tensor in model.graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if weights.ndim < 2 or weights.dtype != np.float32:
            continue
        chosen = rng.random(weights.shape) < share
        noise = rng.normal(weights.mean(), weights.std(), weights.shape).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(np.where(chosen, noise, weights), tensor.name))
    onnx.save(model, target)


def show(title: str, report: dict[str, Any]) -> None:
    """Verdicts, and the cells that changed most."""
    rows = [*report["cells"], *report["aggregates"]]
    counts = collections.Counter(row["verdict"] for row in rows)
    print(f"\n{title}: {', '.join(f'{count} {verdict}' for verdict, count in counts.most_common())}")
    changed = sorted((cell for cell in report["cells"] if cell["flips"]), key=lambda cell: -cell["flips"]["drop"])
    for cell in [*changed[:4], *changed[-2:]]:
        flips = cell["flips"]
        print(
            f"  {cell['id'].split('::', 1)[1]:40} {cell['verdict']:12} golden {cell['golden']['accuracy']:.2%} now "
            f"{cell['accuracy']:.2%} lost {flips['negative']} won {flips['positive']} p={flips['p']:.1g}"
        )
    for aggregate in report["aggregates"]:
        print(f"  {aggregate['id'].split('::', 1)[1]:40} {aggregate['verdict']:12} {aggregate['reasons'][0]}")


def main() -> None:
    """Record the golden, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("PYTEST_ROBUST_DATA"))
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--images", type=int, default=2000)
    given = parser.parse_args()
    if given.data is None:
        parser.error("--data is needed, or the variable PYTEST_ROBUST_DATA")
    data = given.data.resolve()
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "net.yaml").write_text(SPEC.format(data=data, images=given.images))
        environment = os.environ
        for variable in ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "BUILD_NUMBER"):
            environment.pop(variable, None)
        fresh = "--robust-no-cache"
        first = gate(folder, fresh, "--robust-spec=net.yaml", "--robust-update", "--robust-reason=first golden")
        ids = first["run"]["planned"]
        print(f"{len(ids)} cases on {given.images} images")
        said: collections.Counter[str] = collections.Counter()
        cores = len(os.sched_getaffinity(0))
        for run in range(given.runs):
            started = time.perf_counter()
            chance.shuffle(ids)
            size, used = chance.choice((1, 7, 32, 100, 256)), 1 + run % cores
            report = gate(folder, fresh, f"--robust-batch-size={size}", *ids, cores=used)
            rows = [*report["cells"], *report["aggregates"]]
            said.update(row["verdict"] for row in rows)
            flips = sum(cell["flips"]["churn"] > 0 for cell in report["cells"])
            took = time.perf_counter() - started
            print(f"  run {run + 1}: batch {size}, {used} cores, {len(rows)} cases, {flips} changed ({took:.0f} s)")
        print(f"unchanged model, {given.runs} runs: {', '.join(f'{n} {verdict}' for verdict, n in said.items())}")
        for share in SHARES:
            copy = folder / f"perturbed_{share}.onnx"
            perturbed(data / "models" / "cifar10_resnet20.onnx", copy, share)
            show(
                f"{share:.0%} of the weights replaced",
                gate(folder, "--robust-spec=net.yaml", f"--robust-model=net={copy}"),
            )
        twin = data / "models" / "cifar10_resnet20_int8.onnx"
        show("the int8 twin", gate(folder, "--robust-spec=net.yaml", f"--robust-model=net={twin}"))


if __name__ == "__main__":
    main()
