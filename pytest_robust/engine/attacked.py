"""From what a model predicts of attacked samples to the measurement of an attack."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.engine.crafting import jointly_digest
from pytest_robust.measurement import Attacked, Measurement
from pytest_robust.metrics.attacks import among_best

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_robust.engine.canvases import Canvases
    from pytest_robust.models import Model
    from pytest_robust.spec.plan import CellPlan
    from pytest_robust.views.packs import Pack

BEST = 5
"""A target counts as near where it is among that many best outputs."""


def of_attack(
    cell: CellPlan,
    made: Measurement,
    pack: Pack,
    clean: Measurement,
    model: Model,
    canvases: Canvases,
    crafting: float = 0.0,
) -> Measurement:
    """A measurement with its record of the attack.

    What is crafted on the measured model itself changes with that model, and the last bits of a crafted image with the
    machine. So a golden is held to the clean canvases that it began with, to the source and its reading of them where
    that is another model, and to all other models that choose what is attacked; images of a pack are what they are.
    What was attacked on the measured model, and its clean image it has wrong here, does not count as attacked.

    Args:
        cell: what was measured.
        made: what the model predicts of all samples.
        pack: what the attack made of them.
        clean: what the model makes of the clean images.
        model: the measured one.
        canvases: what it was shown.
        crafting: seconds that this cell waited for its images to be crafted.

    Raises:
        RobustError: the model fails, or an image cannot be made.
    """
    parameters, notes, seconds = dict(made.parameters), made.notes, dict(made.seconds)
    stored, tried = "pack" in parameters, pack.tried
    if cell.source == cell.model:
        parameters.pop("source_sha256", None)
        tried = tried & (clean.predicted == canvases.dataset.samples.labels)
        if lost := int(np.count_nonzero(pack.tried & ~tried)):
            notes = (
                *notes,
                f"{lost} samples of the pack do not count as attacked: {cell.model.name} has their clean images wrong "
                "here",
            )
    elif not stored:
        parameters["source_reading"] = pack.source_reading
    if not stored and (jointly := jointly_digest(cell, cell.model)):
        parameters["jointly_sha256"] = jointly
    if crafting:
        seconds |= {"craft": round(crafting, 4), "total": round(seconds["total"] + crafting, 4)}
    near, success = None, pack.success & tried
    if pack.targets is not None:
        near = _near(model, canvases, tried, pack.targets.astype(np.int64) + cell.model.label_offset)
    attacked = Attacked(
        pack.source,
        tried,
        success,
        clean.predicted,
        {norm: np.where(success, sizes, np.float32(np.nan)) for norm, sizes in pack.distortions.items()},
        pack.queries,
        pack.targets,
        near,
    )
    digest = made.canvas_digest if stored else clean.canvas_digest
    return replace(made, attacked=attacked, parameters=parameters, canvas_digest=digest, notes=notes, seconds=seconds)


def _near(model: Model, canvases: Canvases, tried: NDArray[np.bool_], columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each attacked sample's target is among the best outputs; False of the others."""
    near, rows = np.zeros(len(tried), np.bool_), np.flatnonzero(tried)
    for start in range(0, len(rows), model.batch_size):
        at = rows[start : start + model.batch_size]
        images = np.concatenate([canvases.at(range(i, i + 1)) for i in at.tolist()])
        outputs = model.outputs(images)
        near[at] = among_best(outputs, np.clip(columns[at], 0, outputs.shape[1] - 1), BEST)
    return near
