"""Which cells are attacks, on which model, and which limits on attacks apply to them."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

from pytest_robust.spec.pixel_range import beyond, canvas_side, widest
from pytest_robust.spec.plan import ATTACK_LIMITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_robust.spec.check import Item
    from pytest_robust.spec.limits import ThresholdSpec
    from pytest_robust.spec.plan import Geometry, ShiftPlan, Threshold
    from pytest_robust.spec.problems import Problems
    from pytest_robust.spec.select import Matrix, Selection

ADVERSARIAL = "adversarial"
"""The suite whose images are crafted on a model."""

_OF_TRANSFER = ("max_transfer",)
_WIDEST_SIDE = 16384
"""The largest side of a canvas that a spec can ask for, in pixels."""
_LEVELS = 255
_SIZES = ("epsilon", "start", "step")
"""Parameters of an attack that are sizes of a change in its norm."""


def source_of(shift: ShiftPlan, model: str) -> str | None:
    """The model whose images a model is shown, itself for a white-box attack; None where the shift is no attack."""
    if shift.attack is None:
        return None
    return model if shift.attack.source is None else shift.attack.source.name


def applied(row: Threshold, shift: ShiftPlan, model: str) -> Threshold | None:
    """What a row limits of one attack: `max_transfer` where another model was attacked, the rest where itself was.

    Returns:
        The row without what does not apply; None if nothing is left.
    """
    transfer = source_of(shift, model) != model
    moot: dict[str, Any] = {key: None for key in ATTACK_LIMITS if (key in _OF_TRANSFER) != transfer}
    bare = replace(row, **moot)
    return bare if bare.limits else None


def check_attacks(item: Item[ThresholdSpec], selection: Selection, matrix: Matrix, problems: Problems) -> None:
    """Note limits on attacks in a row that matches other cells too, or none that they can apply to."""
    keys = [key for key in ATTACK_LIMITS if getattr(item.value, key) is not None]
    if not keys:
        return
    cells = [
        (matrix.columns[column], matrix.models[model])
        for column in sorted(selection.columns)
        for model in sorted(selection.models)
        if column in matrix.cells[model]
    ]
    other = next((shift for shift, model in cells if source_of(shift, model) is None), None)
    if other is not None:
        text = (
            f"`{keys[0]}` limits attacks, and this row also matches {other.label}; choose attacks alone by"
            f" where: {{suite: {ADVERSARIAL}}}"
        )
        problems.add(item.node.key(keys[0]), text)
        return
    transfers = {source_of(shift, model) != model for shift, model in cells}
    for key in keys:
        if key in _OF_TRANSFER and True not in transfers:
            text = f"`{key}` limits attacks on other models, and this row matches none; use max_success_rate"
            problems.add(item.node.key(key), text)
        elif key not in _OF_TRANSFER and False not in transfers:
            text = f"`{key}` limits attacks on the model itself, and this row matches none; use max_transfer"
            problems.add(item.node.key(key), text)


def check_sizes(matrix: Matrix, geometries: Mapping[str, Geometry], problems: Problems) -> None:
    """Note budgets and steps of attacks that no change of their canvases has, where the spec says how large these are.

    Where the images decide, the run says it.

    Args:
        matrix: the spec's cells, without those that are excluded.
        geometries: of the valid models, by name.
        problems: takes one sentence on an entry.
    """
    attacks = [column for column, shift in enumerate(matrix.columns) if shift.attack is not None]
    for column, model in product(attacks, range(len(matrix.models))):
        shift = matrix.columns[column]
        geometry = geometries.get(source_of(shift, matrix.models[model]) or "")
        side = None if geometry is None else canvas_side(shift.dataset, geometry)
        if side is None or column not in matrix.cells[model]:
            continue
        made: Any = shift.parameters
        for key in _SIZES:
            if key in made and (problem := beyond(key, made[key], made["norm"], 3 * side * side)):
                levels = ", or set units: levels" if shift.severity == made[key] else ""
                text = f"{problem}; lower it for canvases of {side}x{side} pixels{levels}"
                problems.add((shift.mark.line, shift.mark.column), text, final=True)


def check_distortions(
    item: Item[ThresholdSpec],
    selection: Selection,
    matrix: Matrix,
    sides: Mapping[str, int | None],
    problems: Problems,
) -> None:
    """Note a `min_distortion` that no image of the selected models can reach.

    Args:
        item: the validated row.
        selection: what it selects.
        matrix: the spec's cells.
        sides: by model the side of its square canvases in pixels; None where the images decide.
        problems: takes the limits.
    """
    spec, node = item.value, item.node.get("min_distortion")
    if spec is None or spec.min_distortion is None or node is None:
        return
    side = max(sides.get(matrix.models[model]) or _WIDEST_SIDE for model in selection.models)
    for norm, least in spec.min_distortion.model_dump(exclude_none=True).items():
        most = widest(norm, 3 * side * side)
        if least <= most:
            continue
        levels = least if least <= _LEVELS else 8
        text = (
            f"`{norm}` {least:g} is more than an image of up to {side}x{side} pixels can change by, which is "
            f"{most:g}: pixels count from 0 to 1"
        )
        if norm == "linf":
            share = f"{levels:g} grey levels as {levels / _LEVELS:.2g}"
            text = f"`linf` {least:g} is above 1, and pixels count from 0 to 1: write {share}"
        problems.add(node.key(norm), text)
