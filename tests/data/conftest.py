"""Plans, small images and the check that an error is one clear sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pytest_robust.data import open_dataset
from pytest_robust.errors import Mark, RobustError
from pytest_robust.spec.plan import DatasetPlan, PathText

MARK = Mark("specs/a.yaml", 3, 3)


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., DatasetPlan]:
    """plan(source, **fields): paths may be given as text or Path, relative ones begin at tmp_path."""

    def make(source: Any, **fields: Any) -> DatasetPlan:
        for key in {"path", "labels"} & fields.keys():
            fields[key] = PathText(str(fields[key]), tmp_path, MARK)
        return DatasetPlan(source, MARK, **fields)

    return make


@pytest.fixture
def paint() -> Callable[..., Path]:
    """paint(path, colour): write a small image of one colour, with the folders it needs."""

    def write(path: Path, colour: tuple[int, int, int] = (1, 2, 3), size: tuple[int, int] = (4, 3)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, colour).save(path)
        return path

    return write


@pytest.fixture
def refused() -> Callable[..., str]:
    """refused(plan, *parts): opening fails with one sentence that holds all parts."""

    def check(plan: DatasetPlan, *parts: str, **options: Any) -> str:
        with pytest.raises(RobustError) as caught:
            open_dataset(plan, **options)
        text = str(caught.value)
        assert "\n" not in text
        for part in parts:
            assert part in text, text
        return text

    return check


@pytest.fixture
def colours() -> np.ndarray:
    """A 5 x 7 image in which every value occurs once."""
    return np.arange(105, dtype=np.uint8).reshape(5, 7, 3) * 2
