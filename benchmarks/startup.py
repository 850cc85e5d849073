"""What the plugin costs before any image is read: start-up without a spec, and the collection of 10,000 cells.

    python benchmarks/startup.py

Runs pytest as a subprocess, the compared commands in turn, and prints medians and their differences.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

RUNS = 9
QUIET = ("--collect-only", "-qq", "-p", "no:cacheprovider")


def spec(models: int, multiples: int) -> str:
    """A spec of models x (multiples + clean) cells."""
    lines = ["format: 1", "models:"]
    lines += [f"  model{index}: {{path: model{index}.onnx}}" for index in range(models)]
    values = ", ".join(str(round(1.01 + 0.1 * index, 2)) for index in range(multiples))
    lines += ["shifts:", f"  - {{suite: scaling, mode: down_up, multiples: [{values}]}}"]
    lines += ["thresholds:", "  - {min_accuracy: 0.5}", "  - {max_regression: 0.02}", "golden: golden"]
    return "\n".join(lines) + "\n"


def seconds(folder: Path, *arguments: str) -> float:
    """Processor time of one pytest run, user and system: steadier than wall time on a shared machine."""
    # as users run it: Python may keep the byte code of what it imports
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "pytest", *arguments, *QUIET]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "big.yaml").write_text(spec(models=100, multiples=99))
        (folder / "test_nothing.py").write_text("def test_nothing(): pass\n")
        commands = {
            "pytest without the plugin": ("test_nothing.py", "-p", "no:robust"),
            "pytest with it, no spec": ("test_nothing.py",),
            "collecting 10,000 cells": ("--robust-spec=big.yaml",),
        }
        for arguments in commands.values():
            seconds(folder, *arguments)
        times: dict[str, list[float]] = {label: [] for label in commands}
        for _ in range(RUNS):
            for label, arguments in commands.items():
                times[label].append(seconds(folder, *arguments))
    medians = {label: statistics.median(values) for label, values in times.items()}
    base = medians["pytest without the plugin"]
    for label, median in medians.items():
        print(f"{label:28} {1000 * median:7.0f} ms   {1000 * (median - base):+7.0f} ms   x {median / base:.2f}")


if __name__ == "__main__":
    main()
