"""Expands `clever` rows: a score of each model from the gradients around some clean images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_robust.spec.scope import CLEAN_COLUMN

if TYPE_CHECKING:
    from pytest_robust.spec.loader import Node
    from pytest_robust.spec.plan import Json
    from pytest_robust.spec.scope import Draft, Rules
    from pytest_robust.spec.study_rows import CleverRow

RADIUS = {"linf": 0.1, "l2": 3.0, "l1": 30.0}
"""How far points are drawn unless told otherwise, as the released code draws them."""


def clever_drafts(rules: Rules, row: CleverRow, node: Node, at: Node) -> list[Draft]:
    """One aggregate per model over its clean cell.

    Args:
        rules: the spec's cells.
        row: the validated row.
        node: where the row stands.
        at: where its `clever` stands.
    """
    what = row.clever
    models = rules.models(what.model, at, (CLEAN_COLUMN,))
    radius = RADIUS[what.norm] if what.radius is None else what.radius
    limit = row.min_clever
    if limit is not None and limit > radius:
        text = f"a score is at most the radius, here {radius:g}, and `min_clever` asks for {limit:g}; raise `radius`"
        rules.problems.add(node.key("min_clever"), text)
        return []
    options: dict[str, Json] = {
        "norm": what.norm,
        "targets": what.targets,
        "batches": what.batches,
        "points": what.points,
        "radius": radius,
        "samples": what.samples,
    }
    name = "clean.clever"
    return [rules.draft(row, node, "clever", name, [m], [(m, CLEAN_COLUMN)], options) for m in models]
