"""Expands `mce` rows: mean corruption error against AlexNet's published errors or against a model of the spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_robust.spec.problems import did_you_mean
from pytest_robust.spec.scope import CLEAN_COLUMN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_robust.spec.aggregate_rows import MceRow, MceSpec
    from pytest_robust.spec.loader import Node
    from pytest_robust.spec.plan import Json
    from pytest_robust.spec.scope import Draft, Rules, Scope

IMAGENET_C = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
)
"""The 15 corruptions that mCE is defined over (Hendrycks and Dietterich 2019); the 4 extras are not among them."""

STAND_INS = {"frost": "frost_procedural"}
"""Taken where the spec has no textures for the corruption itself; the value then says so."""

ALEXNET = "alexnet"
ALEXNET_SEVERITIES = (1, 2, 3, 4, 5)
ALEXNET_CANVAS = 224
ALEXNET_CLASSES = 1000


def mce_drafts(rules: Rules, row: MceRow, node: Node, at: Node) -> list[Draft]:
    """One aggregate per model.

    Args:
        rules: the spec's cells.
        row: the validated row.
        node: where the row stands.
        at: where its `mce` stands.

    Returns:
        The aggregates in the order of the models; none after a problem. Models left out though the row names none
        (another canvas, or no such cells) are listed in the options as ``left_out``.
    """
    what = row.mce
    scope = rules.scope(what.suite, what.entry, at)
    if scope is None:
        return []
    if any(not isinstance(rules.matrix.columns[column].severity, (int, float)) for column in scope.columns):
        rules.problems.add(
            at.place, f"mce needs shifts with severities that are numbers; those of '{scope.entry}' are not"
        )
        return []
    models = rules.models(what.model, at, scope.columns)
    if what.reference == ALEXNET:
        columns = _published_columns(rules, scope, at)
        judged = _on_published_canvas(rules, what, models, at)
        reference = None
    else:
        columns = scope.columns
        reference = _reference(rules, what, at)
        judged = _beside(rules, what, models, reference, at)
    if columns and what.relative:
        columns = (CLEAN_COLUMN, *columns)
    others = [] if reference is None else [reference]
    members = [(other, column) for other in others for column in columns]
    if not columns or not rules.have((*judged, *others), columns, at):
        return []
    options: dict[str, Json] = {"suite": what.suite, "entry": scope.entry, "reference": what.reference}
    if what.relative:
        options["relative"] = True
    if not what.model:
        options["left_out"] = rules.left_out([*judged, *others])
    name = f"{scope.entry}.{'relative_mce' if what.relative else 'mce'}"
    return [
        rules.draft(row, node, "mce", name, [model], [*((model, c) for c in columns), *members], options)
        for model in judged
    ]


def _reference(rules: Rules, what: MceSpec, at: Node) -> int | None:
    if what.reference in rules.matrix.models:
        return rules.matrix.models.index(what.reference)
    hint = did_you_mean(what.reference, (ALEXNET, *rules.matrix.models))
    rules.problems.add((at.get("reference") or at).place, f"no reference '{what.reference}'{hint}")
    return None


def _beside(rules: Rules, what: MceSpec, models: Sequence[int], reference: int | None, at: Node) -> list[int]:
    """The models to judge by another one; the reference itself would always be exactly 1."""
    if reference is None:
        return []
    judged = [model for model in models if model != reference]
    if not judged or (what.model and len(judged) < len(models)):
        place = (at.get("reference") or at).place
        rules.problems.add(place, f"'{what.reference}' cannot be the reference of itself; name another model")
    return judged


def _published_columns(rules: Rules, scope: Scope, at: Node) -> tuple[int, ...]:
    """The 75 columns that AlexNet's published errors belong to; empty after a problem."""
    shifts = rules.matrix.columns
    columns = {(shifts[column].shift, shifts[column].severity): column for column in scope.columns}
    for shift, stand_in in STAND_INS.items():
        for severity in ALEXNET_SEVERITIES:
            if (stand_in, severity) in columns:
                columns.setdefault((shift, severity), columns[stand_in, severity])
    wanted = [(shift, severity) for shift in IMAGENET_C for severity in ALEXNET_SEVERITIES]
    gaps = []
    for shift in IMAGENET_C:
        missing = [str(severity) for severity in ALEXNET_SEVERITIES if (shift, severity) not in columns]
        if missing:
            gaps.append(shift if len(missing) == len(ALEXNET_SEVERITIES) else f"{shift} at {', '.join(missing)}")
    if gaps and rules.matrix.complete:
        rules.problems.add(
            at.place,
            "mce with the reference alexnet needs the 15 corruptions of ImageNet-C at severities 1 to 5; missing:"
            f" {'; '.join(gaps)}",
        )
    classes = rules.dataset.classes
    number = len(classes) if isinstance(classes, tuple) else classes
    if rules.dataset.source == "digits":
        number = 10
    if number not in (None, ALEXNET_CLASSES):
        rules.problems.add(
            (at.get("reference") or at).place,
            f"the errors of alexnet hold for the {ALEXNET_CLASSES} classes of ImageNet, and this data set has"
            f" {number}; name a model of this spec as reference",
        )
    return () if gaps else tuple(columns[key] for key in wanted)


def _on_published_canvas(rules: Rules, what: MceSpec, models: Sequence[int], at: Node) -> list[int]:
    """The models with AlexNet's canvas; it is a problem if there is none, or if the row names one without it."""
    names = rules.matrix.models
    valid = [model for model in models if names[model] in rules.geometry]
    fits = [model for model in valid if rules.geometry[names[model]].crop == ALEXNET_CANVAS]
    if len(fits) < len(valid) and (what.model or not fits):
        others = ", ".join(f"'{names[model]}'" for model in valid if model not in fits)
        rules.problems.add(
            at.key("model"),
            f"the errors of alexnet hold for a canvas of {ALEXNET_CANVAS}: {others} needs"
            f" `geometry: {{crop: {ALEXNET_CANVAS}}}`, or name a model of this spec as reference",
        )
    return fits
