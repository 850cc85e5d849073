"""The benchmark that holds the corruptions to the paper's rule, on small images and in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def benchmark(*asked: str) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, str(ROOT / "benchmarks" / "fidelity.py"), *asked]
    return subprocess.run(call, capture_output=True, text=True, check=False)


def test_the_tables_say_how_near_pixels_laws_and_accuracies_are(tmp_path: Path) -> None:
    spec = ROOT / "specs" / "resnet.yaml"
    names = ["contrast", "pixelate", "gaussian_noise"]
    asked = ["--limit", "30", "--severities", "2", "--seeds", "2", "--jobs", "1", "--textures", str(tmp_path)]
    found = benchmark("--spec", str(spec), *asked, "--only", *names)
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    assert lines[0].startswith("30 images, 32 x 32, severity 2, table 32: ")
    rows = {line.split(" | ")[0].strip("| "): line.split(" | ")[1:] for line in lines if line.startswith("| ")}
    assert set(rows) == {"corruption", *names, "mean of 3"}
    assert rows["contrast"][0].startswith(("max 0, mean 0.0000", "max 1, mean 0.00"))
    assert rows["pixelate"][0] == "max 0, mean 0.0000"
    assert rows["gaussian_noise"][0].startswith("KS 0.")
    ours, rule, difference = rows["pixelate"][1:]
    assert ours == rule
    # Tango's 99 % interval of no flip among 30: z^2 / (n + z^2)
    assert difference == "+0.00 [-18.11, +18.11] |"
    assert "Of 3 differences 0 have p < 0.01, where chance alone gives 0.0" in found.stdout


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (["--data", "nowhere"], "nowhere is not a folder; name one by --data"),
        (["--only", "rain"], "--only knows gaussian_noise, "),
    ],
)
def test_mistakes_are_answered_with_a_sentence(asked: list[str], sentence: str) -> None:
    found = benchmark(*asked)
    assert found.returncode == 1
    assert sentence in found.stderr
    assert "Traceback" not in found.stderr
