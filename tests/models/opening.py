"""Opening a model file as a spec would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_robust.errors import Mark, RobustError
from pytest_robust.models import Model, open_model
from pytest_robust.spec.plan import EnhancerPlan, ModelPlan, PathText

MARK = Mark("specs/colours.yaml", 7, 11)


def text_of(path: Path) -> PathText:
    return PathText(path.name, path.parent, MARK)


def plan_of(path: Path, *, enhancer: Path | None = None, **fields: Any) -> ModelPlan:
    if enhancer is not None:
        fields["enhancer"] = EnhancerPlan(text_of(enhancer))
    return ModelPlan("model", text_of(path), MARK, **fields)


def opened(
    path: Path,
    *,
    device: str = "cpu",
    classes: int | None = None,
    max_label: int | None = None,
    batch_size: int = 4,
    **fields: Any,
) -> Model:
    return open_model(
        plan_of(path, **fields),
        device=device,
        classes=classes,
        max_label=max_label,
        threads=1,
        batch_size=batch_size,
    )


def sentence(caught: pytest.ExceptionInfo[RobustError], path: Path) -> str:
    """The error's text, held to be one line that names the line of the spec and the model's file."""
    text = str(caught.value)
    start = f"{MARK}: the model {path} "
    assert text.startswith(start)
    assert "\n" not in text
    assert "Traceback" not in text
    assert not text.endswith(".")
    return text[len(start) :]


def colours(*names: str, size: tuple[int, int] = (8, 8), level: int = 200) -> NDArray[np.uint8]:
    """One plain image per name, `r`, `g` or `b`: uint8 (N, H, W, 3)."""
    images = np.full((len(names), *size, 3), 20, np.uint8)
    for image, name in zip(images, names, strict=True):
        image[..., "rgb".index(name)] = level
    return images
