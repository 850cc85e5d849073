"""Ctrl-C ends a command with one word and the exit code of a shell, and leaves nothing half-written behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.interrupts import heeds_ctrl_c
from tests.onnx_models import BRIGHTEST, classifier

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")

SPEC = """\
format: 1
dataset: {source: npz, path: data.npz, classes: 3}
models: {net: {path: net.onnx, preprocess: {size: 12}}}
shifts:
  - {suite: adversarial, name: quick, attack: fgsm, epsilons: [8], units: levels}
  - {suite: adversarial, name: slow, attack: pgd, epsilons: [1], units: levels, steps: 1000000}
"""

TELLS = """
import sys
import threading
import time

def watch():
    main = threading.main_thread().ident
    while True:
        frame = sys._current_frames()[main]
        while frame is not None and frame.f_code.co_name != "%s":
            frame = frame.f_back
        if frame is not None:
            print("begun", file=sys.__stderr__, flush=True)
            return
        time.sleep(0.01)

threading.Thread(target=watch, daemon=True).start()
"""
"""A conftest that says when the main thread is in a function."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    classifier(home / "net.onnx", BRIGHTEST)
    images = np.random.default_rng(0).integers(60, 180, (12, 12, 12, 3), np.uint8)
    labels = images.mean((1, 2)).argmax(1)
    np.savez(home / "data.npz", x=images, y=labels)
    (home / "s.yaml").write_text(SPEC)
    (home / "pyproject.toml").write_text("[tool.pytest]\nminversion = '9.0'\n")
    (tmp_path / "temporary").mkdir()
    return home


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "TMPDIR": str(folder.parent / "temporary")}
    command = [sys.executable, "-m", "pytest_robust", *arguments]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "preexec_fn": heeds_ctrl_c}
    with subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def interrupted(process: subprocess.Popen[str]) -> tuple[str, str]:
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    return out, err


def test_crafting_keeps_the_packs_that_are_whole(folder: Path) -> None:
    with running(folder, "craft", "s.yaml", "--out", "packs") as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.startswith("packs/quick."), first
        assert interrupted(process)[1] == "interrupted\n"
    assert len(list((folder / "packs").iterdir())) == 1
    assert not list((folder.parent / "temporary").glob("pytest-robust*"))
    kept = folder / ".pytest_cache" / "d" / "robust" / "packs"
    assert len([path for path in kept.iterdir() if path.suffix != ".lock"]) == 1


@pytest.mark.parametrize("function", ["make_fingerprint", "pytest_make_collect_report"])
def test_a_fingerprint_is_whole_or_absent(folder: Path, function: str) -> None:
    (folder / "conftest.py").write_text(TELLS % function)
    if function != "make_fingerprint":
        (folder / "conftest.py").write_text(
            "import sys\nimport time\nprint('begun', file=sys.__stderr__, flush=True)\n"
            "def pytest_robust_register(registry):\n    time.sleep(60)\n"
        )
    (folder / "fp.npz").write_bytes(b"the last one")
    options = ("--spec", "s.yaml", "--iterations", "1000000", "--out", "fp.npz")
    before = sorted(path.name for path in folder.iterdir() if path.name != "__pycache__")
    with running(folder, "fingerprint", *options) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "begun\n"
        assert interrupted(process) == ("", "interrupted\n")
    assert (folder / "fp.npz").read_bytes() == b"the last one"
    assert sorted(path.name for path in folder.iterdir() if path.name != "__pycache__") == before
    assert not list((folder.parent / "temporary").glob("pytest-robust*"))
