"""Clusters of real nodes on this machine, and the project that is measured on them."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_robust.engine import slices
from pytest_robust.registry import default_registry
from tests.cli.conftest import at_home  # noqa: F401
from tests.folder import Folder
from tests.plugin.project import SPEC

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")

TWO_MODELS = SPEC.replace(
    "  net: {path: ../net.onnx}",
    "  net: {path: ../net.onnx}\n  weak: {like: net, path: ../weak.onnx}",
).replace(
    "thresholds:",
    "  - {suite: fourier, amplitude_swap: [0.5]}\n  - {suite: mine}\nthresholds:",
)

CONFTEST = """
import os
import time
from pathlib import Path

from pytest_robust.shifts.base import PixelShift

MARKS = Path({marks!r})


def resolve(parameters, height, width):
    return {{"severity": parameters["severity"]}}


def dim(images, bits, severity):
    if MARKS.is_dir():
        import ray

        if ray.is_initialized():
            (MARKS / ray.get_runtime_context().get_node_id()).touch()
            until = time.monotonic() + 40
            while len(list(MARKS.iterdir())) < 3 and time.monotonic() < until:
                time.sleep(0.02)
            time.sleep(0.2)
    return images - images // (4 * severity)


def pytest_robust_register(registry):
    registry.add(PixelShift("dim", "mine", 1, "our own camera", [1, 2], resolve, dim))
"""


def two_models(path: Path) -> Folder:
    """Two models under shifts of every kind: of pixels, of a view, and of a conftest."""
    project = Folder(path)
    project.spec(TWO_MODELS)
    project.model("weak", bias=12)
    (path / "conftest.py").write_text(CONFTEST.format(marks=str(path / "marks")))
    return project


def untimed(report: dict[str, Any]) -> dict[str, Any]:
    """A report without what the clock says."""
    kept = {name: value for name, value in report["run"].items() if name not in ("started", "duration_s")}
    cells = [{name: value for name, value in cell.items() if name != "seconds"} for cell in report["cells"]]
    return {**report, "run": kept, "cells": cells}


@pytest.fixture(autouse=True)
def no_shifts_of_other_projects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each project's conftest adds to the registry of this process."""
    registry = default_registry()
    own = {(shift.suite, shift.name) for shift in registry.own()}
    kept = {(shift.suite, shift.name): shift for shift in registry.shifts()}
    monkeypatch.setattr(registry, "_shifts", {name: shift for name, shift in kept.items() if name not in own})


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten batches of 300 images in slices of 64."""
    monkeypatch.setattr(slices, "LEAST", 64)
    monkeypatch.setattr(slices, "_MOST", 64)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes with a core each."""
    pytest.importorskip("ray", reason="Ray is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        from ray.cluster_utils import Cluster

        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        made.add_node(num_cpus=1)
        yield made
        made.shutdown()
