"""Turns the `dataset` of a spec, or of a natural shift, into a `DatasetPlan`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_robust.spec.plan import DatasetPlan, PathText

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_robust.spec.check import Item
    from pytest_robust.spec.language import DataSpec
    from pytest_robust.spec.limits import ProfileSpec
    from pytest_robust.spec.loader import Node
    from pytest_robust.spec.problems import Problems

_TAKES = {
    "folder": ("path", "classes"),
    "manifest": ("path", "labels", "classes"),
    "npz": ("path", "classes", "arrays"),
    "cutouts": ("path", "classes"),
    "digits": ("split",),
}
"""Which keys each source takes beside `limit` and `per_class`; `path` and `labels` must be given where taken."""

_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")


@dataclass(frozen=True, slots=True)
class Folder:
    """The spec's folder, at which its relative paths begin."""

    base: Path
    problems: Problems

    def path(self, text: str, node: Node) -> PathText:
        """A path as the spec writes it; a broken variable or a NUL character is noted as a problem."""
        if "${" in _VARIABLE.sub("", text):
            self.problems.add(node.place, "an environment variable in a path is written ${NAME}")
        if "\0" in text:
            self.problems.add(node.place, "a path cannot hold a NUL character")
        return PathText(text, self.base, self.problems.mark(node.place))


def dataset_plan(item: Item[DataSpec], folder: Folder, seed: int, profile: ProfileSpec | None) -> DatasetPlan | None:
    """Check the keys against the source and resolve them.

    Args:
        item: the section; `value` holds the validated keys.
        folder: anchors the paths and takes the problems.
        seed: the spec's seed, which chooses the samples of a `limit`.
        profile: the chosen profile, whose `limit` replaces the data set's own.

    Returns:
        The plan, or None if anything is wrong (and noted).
    """
    spec, node = item.value, item.node
    if spec is None:
        return None
    problems, takes, good = folder.problems, _TAKES[spec.source], True
    default = "" if "source" in node.keys else ", the source unless `source:` names another"
    for key, place, _ in node.items():
        if key not in ("source", "limit", "per_class", "geometry", *takes):
            wanted = ", ".join(source for source, keys in _TAKES.items() if key in keys)
            problems.add(place, f"`{key}` belongs to the source {wanted}, not to {spec.source}{default}")
            good = False
    for key in ("path", "labels"):
        if key in takes and key not in node.keys:
            problems.add(item.at, f"the key '{key}' is missing, which the source {spec.source} needs")
            good = False
    if isinstance(spec.classes, list) and len(set(spec.classes)) < len(spec.classes):
        twice = next(name for name in spec.classes if spec.classes.count(name) > 1)
        problems.add(node.key("classes"), f"the class '{twice}' is listed twice")
        good = False
    if not good:
        return None
    path, labels = node.get("path"), node.get("labels")
    return DatasetPlan(
        source=spec.source,
        mark=problems.mark(item.at),
        path=folder.path(spec.path, path) if spec.path and path else None,
        labels=folder.path(spec.labels, labels) if spec.labels and labels else None,
        classes=tuple(spec.classes) if isinstance(spec.classes, list) else spec.classes,
        arrays=(spec.arrays.x, spec.arrays.y),
        split=spec.split,
        limit=profile.limit if profile and "limit" in profile.model_fields_set else spec.limit,
        seed=seed,
        per_class=spec.per_class,
    )


def narrowed(plan: DatasetPlan, per_class: int | None) -> DatasetPlan:
    """A data set of which up to `per_class` samples of each class are used: a part of the whole, or the whole."""
    if per_class is None or (plan.per_class is not None and plan.per_class <= per_class):
        return plan
    return replace(plan, per_class=per_class)


def with_classes(plan: DatasetPlan, main: DatasetPlan) -> DatasetPlan:
    """A natural shift's data set with the class order of the spec's own, unless it states one.

    Both are labelled for the same models, so one statement of the order serves both. A number of classes says
    nothing of how many folders there are.
    """
    if plan.source == "folder" and isinstance(main.classes, int):
        return plan
    if plan.classes is None and plan.source != "digits" and main.classes is not None:
        return replace(plan, classes=main.classes)
    return plan
