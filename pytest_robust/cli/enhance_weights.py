"""Which augmentations an enhancer chooses, shift by shift."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.cli.columns import columns
from pytest_robust.cli.contact import column_of
from pytest_robust.data import open_dataset
from pytest_robust.enhance import NAMES, Estimator
from pytest_robust.errors import RobustError
from pytest_robust.report.chosen import largest
from pytest_robust.spec.attack_limits import ADVERSARIAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pytest_robust.spec.plan import ModelPlan, Plan


def show(plan: Plan, model: ModelPlan, images: int, top: int) -> None:
    """Print the largest mean weights of each shift.

    Raises:
        RobustError: the model has no enhancer, or one without weights, or images cannot be made.
    """
    if model.enhancer is None:
        raise RobustError(f"{model.mark}: {model.name} has no enhancer; name a model of the spec that has one")
    if images < 1 or top < 1:
        raise RobustError(f"--images {images} --top {top}: take 1 or more")
    heads = ["shift", "images", *(f"{place}." for place in range(1, min(top, len(NAMES)) + 1))]
    lines = [
        [label, str(count), *largest(dict(zip(NAMES, mean.tolist(), strict=True)), top)]
        for label, count, mean in means(plan, model, images)
    ]
    for line in columns(heads, lines, left=(0, *range(2, len(heads)))):
        print(line)


def means(plan: Plan, model: ModelPlan, images: int) -> Iterator[tuple[str, int, NDArray[np.float32]]]:
    """Label, number of images and mean weights (50,) of the shifts of a model with an enhancer.

    Attacks are left out: their images are crafted on a model.

    Args:
        plan: the spec.
        model: whose geometry, shifts and enhancer.
        images: how many of each shift, the first by id.

    Raises:
        RobustError: the enhancer gives no weights, or images cannot be made.
    """
    assert model.enhancer is not None
    estimator = Estimator(model.enhancer.path, model.enhancer.sha256)
    opened = cache(open_dataset)
    for cell in plan.cells:
        if cell.model != model or cell.shift.suite == ADVERSARIAL:
            continue
        column = column_of(cell.shift, model.geometry, plan.seed, opened)
        made = [column.shifted(sample) for sample in column.dataset.samples.ids[:images]]
        canvases = np.stack([one for one in made if one is not None])
        yield cell.key, len(canvases), estimator.weights(canvases).mean(0)
