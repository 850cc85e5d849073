"""Rows that hold a fingerprint's copies against models that have nothing to do with its owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_robust.spec.shifts import FINGERPRINT

if TYPE_CHECKING:
    from pytest_robust.spec.loader import Node
    from pytest_robust.spec.plan import Json
    from pytest_robust.spec.scope import Draft, Rules
    from pytest_robust.spec.study_rows import UniquenessRow


def uniqueness_drafts(rules: Rules, row: UniquenessRow, node: Node, at: Node) -> list[Draft]:
    """The one aggregate over all named models.

    Args:
        rules: the spec's cells.
        row: the validated row.
        node: where the row stands.
        at: where its `uniqueness` stands.

    Returns:
        No draft after a problem.
    """
    what = row.uniqueness
    scope = rules.scope(FINGERPRINT, what.entry, at)
    sides = {}
    for key, names in (("copies", what.copies), ("unrelated", what.unrelated)):
        nodes = (at.get(key) or at).rows()
        sides[key] = [rules.model(name, place) for name, place in zip(names, nodes, strict=True)]
    models = [model for side in sides.values() for model in side if model is not None]
    if scope is None or len(models) < sum(map(len, sides.values())):
        return []
    twice = next((model for model in models if models.count(model) > 1), None)
    if twice is not None:
        rules.problems.add(at.place, f"'{rules.matrix.models[twice]}' is named twice; a model is a copy or unrelated")
        return []
    if not rules.have(models, scope.columns, at):
        return []
    members = [(model, column) for model in models for column in scope.columns]
    options: dict[str, Json] = {"entry": scope.entry, "copies": [*what.copies], "unrelated": [*what.unrelated]}
    return [rules.draft(row, node, "uniqueness", f"{scope.entry}.uniqueness", models, members, options)]
