"""What makes two pieces of work of one run the same, by what the spec says; `contents` goes by what that stands for."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_robust.errors import Mark
from pytest_robust.spec.plan import CellPlan, Geometry, PathText, ShiftPlan

if TYPE_CHECKING:
    from pytest_robust.settings import Settings
    from pytest_robust.spec.plan import ModelPlan


def pass_key(cell: CellPlan, seed: int) -> str:
    """One key per stream of shifted images: data set, geometry, shift, parameters and seed.

    Cells of one key are shown the same batches, whatever spec they stand in.
    """
    return _digest("pass", column_key(cell.shift, seed), geometry_of(cell), _attack_on(cell))


def column_key(shift: ShiftPlan, seed: int) -> str:
    """One key per shift over a data set, whatever the geometry of the models that it is shown to."""
    return _digest(
        "column",
        shift.dataset,
        [shift.suite, shift.shift, shift.severity, shift.version, dict(shift.parameters)],
        [shift.stored, shift.main, shift.textures, shift.side],
        seed,
    )


def described_model(plan: ModelPlan) -> str:
    """One digest of how canvases become a model's classes, beside what its files hold."""
    return _digest(plan.geometry, plan.preprocess, [plan.output, plan.output_kind, plan.label_offset])


def _attack_on(cell: CellPlan) -> Any:
    """Which models' images are shown; those of a white-box attack are another stream for every model."""
    attack = cell.shift.attack
    if attack is None:
        return None
    models = [cell.source, *attack.jointly]
    return [[[one.name, one.path, one.sha256, one.enhancer, described_model(one)] for one in models], attack.pack]


def cell_key(cell: CellPlan, seed: int, settings: Settings) -> str:
    """One key per measurement: its pass, the model with its preprocessing, and where it runs."""
    model = cell.model
    return _digest(
        "cell",
        pass_key(cell, seed),
        [model.path, model.sha256, model.preprocess, model.output, model.label_offset, model.enhancer],
        [cell.scored, model.output_kind],
        [settings.device, settings.cuda, settings.limit],
    )


def geometry_of(cell: CellPlan) -> Geometry:
    """How the cell's images become canvases: a matter of the model."""
    return cell.model.geometry


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, default=_plain, sort_keys=True).encode()).hexdigest()[:32]


def _plain(value: Any) -> Any:
    """Dataclasses by their fields; a path by where it points, never by the line that names it."""
    if isinstance(value, PathText):
        return [value.text, str(value.base)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value)]
        return [[name, getattr(value, name)] for name in fields if not isinstance(getattr(value, name), Mark)]
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be part of a key")
