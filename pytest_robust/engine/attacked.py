"""From what a model predicts of attacked samples to the measurement of an attack."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.engine.origin import jointly_digest
from pytest_robust.engine.store import Failure
from pytest_robust.errors import RobustError
from pytest_robust.measurement import Attacked, Measurement
from pytest_robust.metrics.attacked import turned
from pytest_robust.metrics.attacks import among_best
from pytest_robust.metrics.distortion import sizes
from pytest_robust.views.adversarial import original

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from pytest_robust.engine.canvases import Canvases
    from pytest_robust.engine.wanted import Wanted
    from pytest_robust.models import Model
    from pytest_robust.spec.plan import CellPlan, ModelPlan
    from pytest_robust.views.packs import Pack

BEST = 5
"""A target counts as near where it is among that many best outputs."""


def of_attack(
    want: Wanted,
    made: Measurement,
    pack: Pack,
    clean: Callable[[Wanted, ModelPlan], Measurement],
    model: Model,
    canvases: Canvases,
    crafting: float = 0.0,
) -> Measurement | Failure:
    """A measurement with its record of the attack; a failure where the model fails, or an image cannot be made.

    What is crafted on the measured model itself changes with that model, and the last bits of a crafted image with the
    machine. So a golden is held to the clean canvases that it began with, to the source and its reading of them where
    that is another model, and to all other models that choose what is attacked; images of a pack are what they are.
    What was attacked on the measured model, and its clean image it has wrong here, does not count as attacked.

    Args:
        want: what was measured.
        made: what the model predicts of all samples.
        pack: what the attack made of them.
        clean: what a model makes of the clean images of a cell.
        model: the measured one.
        canvases: what it was shown.
        crafting: seconds that this cell waited for its images to be crafted.
    """
    try:
        return _recorded(want.cell, made, pack, clean(want, want.cell.model), model, canvases, crafting)
    except RobustError as error:
        return Failure(str(error))


def _recorded(
    cell: CellPlan,
    made: Measurement,
    pack: Pack,
    clean: Measurement,
    model: Model,
    canvases: Canvases,
    crafting: float,
) -> Measurement:
    parameters, notes, seconds = dict(made.parameters), made.notes, dict(made.seconds)
    stored, tried, success, distortions = "pack" in parameters, pack.tried, pack.success, pack.distortions
    if cell.source == cell.model:
        parameters.pop("source_sha256", None)
        tried = tried & (clean.predicted == canvases.dataset.samples.labels)
        success, distortions = _confirmed(made, pack, tried, canvases)
        notes = (*notes, *_differing(cell.model.name, pack, tried, success))
    elif not stored:
        parameters["source_reading"] = pack.source_reading
    if not stored and (jointly := jointly_digest(cell, cell.model)):
        parameters["jointly_sha256"] = jointly
    if crafting:
        seconds |= {"craft": round(crafting, 4), "total": round(seconds["total"] + crafting, 4)}
    near, success = None, success & tried
    if pack.targets is not None:
        near = _near(model, canvases, tried, pack.targets.astype(np.int64) + cell.model.label_offset)
    attacked = Attacked(
        pack.source,
        tried,
        success,
        clean.predicted,
        {norm: np.where(success, sizes, np.float32(np.nan)) for norm, sizes in distortions.items()},
        pack.queries,
        pack.targets,
        near,
    )
    digest = made.canvas_digest if stored else clean.canvas_digest
    return replace(made, attacked=attacked, parameters=parameters, canvas_digest=digest, notes=notes, seconds=seconds)


def _confirmed(
    made: Measurement, pack: Pack, tried: NDArray[np.bool_], canvases: Canvases
) -> tuple[NDArray[np.bool_], dict[str, NDArray[np.float32]]]:
    """Which attacked images turn the model that is shown them, and the distortions of all that do."""
    labels = canvases.dataset.samples.labels
    success = tried & turned(made.predicted, labels, pack.targets)
    distortions = {norm: values.copy() for norm, values in pack.distortions.items()}
    for row in np.flatnonzero(success & ~pack.success).tolist():
        here = canvases.at(range(row, row + 1))
        for norm, found in sizes(original(canvases.dataset, row)[None], here).items():
            distortions[norm][row] = found[0]
    return success, distortions


def _differing(name: str, pack: Pack, tried: NDArray[np.bool_], success: NDArray[np.bool_]) -> Iterator[str]:
    """What became of samples of a pack that was made by another runtime, or for another state of the model."""
    if lost := int(np.count_nonzero(pack.tried & ~tried)):
        yield f"{lost} samples of the pack do not count as attacked: {name} has their clean images wrong here"
    if held := int(np.count_nonzero(pack.success & tried & ~success)):
        yield f"{held} images that turned {name} where the pack was made do not turn it here, and count as failed"
    if fell := int(np.count_nonzero(success & ~pack.success)):
        yield f"{fell} images that did not turn {name} where the pack was made turn it here, and count as successes"


def _near(model: Model, canvases: Canvases, tried: NDArray[np.bool_], columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each attacked sample's target is among the best outputs; False of the others."""
    near, rows = np.zeros(len(tried), np.bool_), np.flatnonzero(tried)
    for start in range(0, len(rows), model.batch_size):
        at = rows[start : start + model.batch_size]
        images = np.concatenate([canvases.at(range(i, i + 1)) for i in at.tolist()])
        outputs = model.outputs(images)
        near[at] = among_best(outputs, np.clip(columns[at], 0, outputs.shape[1] - 1), BEST)
    return near
