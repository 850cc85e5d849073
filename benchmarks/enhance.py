"""What an enhancer is worth: DynTTA trained through a frozen ONNX classifier, and judged by the gate on other images.

    python benchmarks/enhance.py [--data FOLDER] [--only digits|cifar10] [--modes non-blind blind] [--seeds 3]
                                 [--epochs 6] [--device cpu|cuda] [--threads 1] [--out FOLDER]

The demonstration's ResNet on digits: trained on the training split, judged on the test split. Where FOLDER is named, a
ResNet-20 on CIFAR-10 too: it holds `models/cifar10_resnet20.onnx`, and `train_jpeg_10000.npz` and `test_jpeg_2000.npz`
in `cifar10`; by default $PYTEST_ROBUST_DATA.

As a user does it: `pytest-robust enhance train` makes each enhancer, and one run of pytest judges all of them beside
the model alone, by `compare` with a least gain on images that each show one corruption of ImageNet-C at one severity,
as in the paper, and a largest loss on clean ones. The figures are those of its report, the pairs counted as (images
won, images lost). OUT keeps specs, enhancers, logs and reports; an enhancer that lies there is judged as it is.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_robust.report.reading import StoredReport, read_report

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESNET = Path(__file__).resolve().parents[1] / "specs" / "resnet.onnx"
SPEC = """\
format: 1
dataset: {dataset}
models:
  net:
    path: {model}
    preprocess: {{mean: {mean}, std: {std}}}
{variants}shifts:
  - {{suite: imagenet-c, draw: one-per-sample, table: {table}}}
{aggregates}"""
COMPARE = "  - {{name: {0}, compare: {{model: {0}, against: net, suite: imagenet-c}}, {1}}}\n"
LIMITS = "min_gain: 0.05, max_clean_loss: 0.01"


def case(data: Path | None) -> tuple[dict[str, object], list[str]]:
    """What stands in the spec of CIFAR-10 or, without data, digits, and what tells the training its images.

    Enlarged digits hold little detail, so they get the strengths of larger images, as in the demonstration.
    """
    if data is None:
        half = [0.5] * 3
        return {"dataset": "{source: digits}", "model": RESNET, "mean": half, "std": half, "table": 224}, []
    spec: dict[str, object] = {
        "dataset": f"{{source: npz, path: {data}/cifar10/test_jpeg_2000.npz}}",
        "model": data / "models" / "cifar10_resnet20.onnx",
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "table": "auto",
    }
    return spec, ["--data", f"{data}/cifar10/train_jpeg_10000.npz"]


def command(folder: Path, threads: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    line, environment = [sys.executable, "-m", *arguments], {**os.environ, "OMP_NUM_THREADS": str(threads)}
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def made(folder: Path, spec: dict[str, object], images: list[str], asked: argparse.Namespace) -> dict[str, str]:
    """Train what is not there yet: the enhancers' names with the minutes that each took."""
    (folder / "train.yaml").write_text(SPEC.format(**spec, variants="", aggregates=""))
    minutes = {}
    for mode in asked.modes:
        options = [*images, "--mode", mode, "--epochs", str(asked.epochs), "--device", asked.device]
        options += ["--halve-every", str(max(1, asked.epochs // 3))]
        if mode == "non-blind":
            options += ["--table", str(spec["table"])]
        for seed in range(asked.seeds):
            name, began = f"{mode}-{seed}", time.perf_counter()
            minutes[name] = "-"
            if (folder / f"{name}.onnx").exists():
                continue
            train = ("pytest_robust", "enhance", "train", "--spec", "train.yaml", "--model", "net", "--resume")
            done = command(folder, asked.threads, *train, *options, "--seed", str(seed), "--out", f"{name}.onnx")
            if done.returncode:
                raise SystemExit(done.stderr)
            minutes[name] = f"{(time.perf_counter() - began) / 60:.1f}"
    return minutes


def judged(folder: Path, spec: dict[str, object], names: list[str], threads: int) -> StoredReport:
    """One run of pytest over the model alone and behind each enhancer; its report."""
    variants = "".join(f"  {name}: {{like: net, enhancer: {{path: {name}.onnx}}}}\n" for name in names)
    compares = "aggregates:\n" + "".join(COMPARE.format(name, LIMITS) for name in names)
    (folder / "judge.yaml").write_text(SPEC.format(**spec, variants=variants, aggregates=compares))
    (folder / "pytest.ini").write_text("[pytest]\n")
    report = folder / "report.json"
    for old in (report, report.with_suffix(".npz")):
        old.unlink(missing_ok=True)
    options = ("--robust-spec=judge.yaml", f"--robust-report={report}", "--robust-no-cache", "-p", "no:cacheprovider")
    done = command(folder, threads, "pytest", *options)
    if not report.exists():
        raise SystemExit(done.stdout + done.stderr)
    return read_report(report)


def show(report: StoredReport, minutes: dict[str, str]) -> None:
    """Print a row per enhancer."""
    verdicts = {row["id"]: row for row in report.structure["aggregates"]}
    alone: dict[str, NDArray[np.bool_]] = {}
    for name in ("net", *minutes):
        told = [name]
        for shift in ("clean", "imagenet-c.one-per-sample"):
            found = report.measurements[f"judge.yaml::{name}::{shift}"]
            right = found.predicted == report.samples[found.samples].labels
            before = alone.setdefault(shift, right)
            won, lost = int((right & ~before).sum()), int((before & ~right).sum())
            told.append(f"{found.accuracy:.2%}")
            told.append("" if name == "net" else f"{(won - lost) / found.n * 100:+.2f} pp (+{won}, -{lost})")
        row = verdicts.get(f"judge.yaml::_all::{name}")
        print("| " + " | ".join([*told, row["verdict"] if row else "", minutes.get(name, "")]) + " |")
        if row and row["verdict"] != "PASS":
            print("\n".join(f"  {reason}" for reason in row["reasons"]))


def main() -> None:
    """Train, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("PYTEST_ROBUST_DATA"))
    parser.add_argument("--only", choices=("digits", "cifar10"))
    parser.add_argument("--modes", nargs="+", default=["non-blind", "blind"], choices=("non-blind", "blind"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    data = Path(asked.data).resolve() if asked.data else None
    if asked.only == "cifar10" and data is None:
        parser.error("--data is needed for cifar10, or the variable PYTEST_ROBUST_DATA")
    with tempfile.TemporaryDirectory() as scratch:
        for name in (asked.only,) if asked.only else ("digits", "cifar10") if data else ("digits",):
            folder = (asked.out or Path(scratch)).resolve() / name
            folder.mkdir(parents=True, exist_ok=True)
            spec, images = case(data if name == "cifar10" else None)
            minutes = made(folder, spec, images, asked)
            report = judged(folder, spec, list(minutes), asked.threads)
            print(f"\n{name}, {asked.epochs} epochs\n| model | clean | | shifted | | verdict ({LIMITS}) | minutes |")
            print("|---|---|---|---|---|---|---|")
            show(report, minutes)


if __name__ == "__main__":
    main()
