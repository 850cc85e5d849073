"""Which models an entry of attacks crafts its images on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_robust.spec.plan import AttackPlan
from pytest_robust.spec.problems import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pytest_robust.spec.dataset import Folder
    from pytest_robust.spec.loader import Node
    from pytest_robust.spec.plan import ModelPlan

SELF, EACH = "self", "each"
"""Every measured model is its own source; every model of the spec is a source for all."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The models of a spec: all names, and the plans of those without a mistake."""

    names: Collection[str]
    models: Sequence[ModelPlan]


def attack_plans(options: Any, row: Node, sources: Sources, folder: Folder) -> list[tuple[str, AttackPlan | None]]:
    """The attacks of an entry, one per source, with what the source adds to the shift's name.

    What is wrong with a name is noted, and an entry of another suite has one attack that is None.

    Args:
        options: the entry, validated by its suite.
        row: the entry in the file.
        sources: what it may name.
        folder: anchors the path of a pack and takes the problems.
    """
    if not hasattr(options, "attack"):
        return [("", None)]
    asked = {name: _node(row, "models") for name in options.models or ()}
    if options.source not in (SELF, EACH):
        asked[options.source] = _node(row, "source")
    unknown = [(name, node) for name, node in asked.items() if name not in sources.names]
    for name, node in unknown:
        folder.problems.add(node.place, f"no model '{name}' in this spec{did_you_mean(name, sources.names)}")
    known = {model.name: model for model in sources.models}
    if unknown or not asked.keys() <= known.keys():
        return []
    pack = row.get("pack")
    jointly = options.models or list(known)
    common = {
        "jointly": tuple(known[name] for name in jointly) if options.only else (),
        "pack": None if pack is None else folder.path(str(pack.value), pack),
        "batch": options.batch,
        "per_class": options.per_class,
    }
    if options.source == SELF:
        return [("", AttackPlan(options.attack, **common))]
    names = list(known) if options.source == EACH else [options.source]
    return [(f".from_{name}", AttackPlan(options.attack, known[name], **common)) for name in names]


def _node(row: Node, key: str) -> Node:
    return row.get(key) or row
