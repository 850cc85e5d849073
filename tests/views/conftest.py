"""Inputs of a view over real data sets, and small pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pytest_robust.data import open_dataset
from pytest_robust.errors import Mark
from pytest_robust.registry import default_registry
from pytest_robust.spec.plan import DatasetPlan, Geometry, PathText, ShiftPlan
from pytest_robust.views.base import Derived, ViewInputs

MARK = Mark("specs/a.yaml", 3, 3)


@pytest.fixture
def place(tmp_path: Path) -> Callable[[object], PathText]:
    """A path relative to the test's folder."""
    return lambda text: PathText(str(text), tmp_path, MARK)


@pytest.fixture
def derive() -> Callable[..., Derived]:
    """derive(suite, shift, severity, dataset, ...): the view's samples."""

    def make(
        suite: str,
        shift: str,
        severity: Any,
        dataset: DatasetPlan,
        *,
        parameters: dict[str, Any] | None = None,
        stored: PathText | None = None,
        main: DatasetPlan | None = None,
        geometry: Geometry | None = None,
        limit: int | None = None,
    ) -> Derived:
        plan = ShiftPlan(suite, suite, shift, severity, 1, dataset, MARK, parameters or {}, False, stored, main)
        view = default_registry().view(plan)
        assert view is not None
        inputs = ViewInputs(plan, geometry or Geometry(), 0, limit, lambda one: open_dataset(one, limit=limit))
        return view.derive(inputs)

    return make


@pytest.fixture
def paint() -> Callable[..., Path]:
    """paint(path, colour, size): write a picture of one colour, with the folders it needs."""

    def write(path: Path, colour: tuple[int, ...] = (1, 2, 3), size: tuple[int, int] = (8, 8)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGBA" if len(colour) == 4 else "RGB", size, colour).save(path)
        return path

    return write


@pytest.fixture
def noise(tmp_path: Path) -> Callable[..., Path]:
    """noise(path, shape, seed): write random pixels, lossless."""

    def write(path: Path, shape: tuple[int, ...], seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8)).save(path)
        return path

    return write
