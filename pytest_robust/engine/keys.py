"""What makes two pieces of work the same: content keys of passes and of cells."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_robust.errors import Mark
from pytest_robust.spec.plan import CellPlan, Geometry, PathText

if TYPE_CHECKING:
    from pytest_robust.settings import Settings


def pass_key(cell: CellPlan, seed: int) -> str:
    """One key per stream of shifted images: data set, geometry, shift, parameters and seed.

    Cells of one key are shown the same batches, whatever spec they stand in.
    """
    shift = cell.shift
    return _digest(
        "pass",
        shift.dataset,
        geometry_of(cell),
        [shift.suite, shift.shift, shift.severity, shift.version, dict(shift.parameters)],
        [shift.stored, shift.main, shift.textures],
        seed,
    )


def cell_key(cell: CellPlan, seed: int, settings: Settings) -> str:
    """One key per measurement: its pass, the model with its preprocessing, and where it runs."""
    model = cell.model
    return _digest(
        "cell",
        pass_key(cell, seed),
        [model.path, model.sha256, model.preprocess, model.output, model.label_offset, model.enhancer],
        [settings.device, settings.limit],
    )


def geometry_of(cell: CellPlan) -> Geometry:
    """How the cell's images become canvases: a matter of the model."""
    return cell.model.geometry


def canvas_key(cell: CellPlan, settings: Settings) -> str:
    """One key per set of decoded canvases."""
    return _digest("canvas", cell.shift.dataset, geometry_of(cell), settings.limit)


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
