"""Resolves `like:`, the data set's geometry and candidates into `ModelPlan`s."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_robust.errors import Mark
from pytest_robust.spec.plan import EnhancerPlan, Geometry, ModelPlan, PathText, Preprocess
from pytest_robust.spec.problems import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_robust.spec.check import Item
    from pytest_robust.spec.dataset import Folder
    from pytest_robust.spec.language import ModelSpec

_NAME_RULE = "letters, digits, '.', '_' and '-', without '_' in front"


class ModelSection:
    """The models of a spec by name, resolved on demand so that `like:` may point up or down."""

    def __init__(
        self,
        items: Sequence[Item[ModelSpec]],
        geometry: Mapping[str, Any],
        candidates: Mapping[str, PathText],
        folder: Folder,
    ) -> None:
        """Take the section.

        Args:
            items: the models in the order of the file.
            geometry: the keys that `dataset.geometry` sets.
            candidates: files to judge in place of the models' own, by model name.
            folder: anchors the paths and takes the problems.
        """
        self._items = {item.name: item for item in items}
        self._root = {"geometry": dict(geometry)}
        self._candidates = candidates
        self._folder = folder
        self._merged: dict[str, dict[str, Any] | None] = {}

    def plans(self) -> list[ModelPlan]:
        """All models that are valid, in the order of the file; the problems of the others are noted."""
        plans = (self._plan(item) for item in self._items.values())
        return [plan for plan in plans if plan is not None]

    def _resolve(self, name: str, chain: tuple[str, ...]) -> dict[str, Any] | None:
        if name not in self._merged:
            self._merged[name] = self._merge_one(self._items[name], (*chain, name))
        return self._merged[name]

    def _merge_one(self, item: Item[ModelSpec], chain: tuple[str, ...]) -> dict[str, Any] | None:
        spec = item.value
        if spec is None:
            return None
        own = self._own(item, spec)
        if spec.like is None:
            return _merge(self._root, own)
        like = item.node.get("like") or item.node
        if spec.like not in self._items:
            hint = did_you_mean(spec.like, (name for name in self._items if name != item.name))
            self._folder.problems.add(like.place, f"no model '{spec.like}' to be like{hint}")
            return None
        if spec.like in chain:
            round_trip = " -> ".join((*chain[chain.index(spec.like) :], spec.like))
            self._folder.problems.add(
                like.place, f"`like` goes in a circle: {round_trip}; give one of them its own keys"
            )
            return None
        base = self._resolve(spec.like, chain)
        return None if base is None else _merge(base, own)

    def _own(self, item: Item[ModelSpec], spec: ModelSpec) -> dict[str, Any]:
        """The keys that the model itself sets, with paths anchored and the candidate in place."""
        own = spec.model_dump(exclude_unset=True, exclude={"like"})
        path, enhancer = item.node.get("path"), item.node.get("enhancer")
        if spec.path is not None and path is not None:
            own["path"] = self._folder.path(spec.path, path)
        enhancer_path = enhancer.get("path") if enhancer else None
        if spec.enhancer is not None and spec.enhancer.path is not None and enhancer_path is not None:
            own["enhancer"]["path"] = self._folder.path(spec.enhancer.path, enhancer_path)
        if item.name in self._candidates:
            own.pop("sha256", None)
            own |= {"path": self._candidates[item.name], "candidate": True}
        return own

    def _plan(self, item: Item[ModelSpec]) -> ModelPlan | None:
        problems = self._folder.problems
        keys = self._resolve(item.name, ())
        if keys is None:
            return None
        if "path" not in keys:
            problems.add(item.at, "the key 'path' is missing; give the ONNX file, or `like:` another model")
            return None
        geometry = Geometry(**keys.get("geometry", {}))
        pixels: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in keys.get("preprocess", {}).items()
        }
        preprocess = Preprocess(**pixels)
        enhancer = keys.get("enhancer")
        if enhancer is not None and "path" not in enhancer:
            problems.add(item.node.key("enhancer"), "the key 'path' is missing; give the enhancer's ONNX file")
            return None
        if self._contradicts(item, geometry, preprocess):
            return None
        output = keys.get("output", {})
        candidate = keys.get("candidate", False)
        return ModelPlan(
            name=item.name,
            path=keys["path"],
            mark=problems.mark(item.at),
            sha256=None if candidate else _lower(keys.get("sha256")),
            preprocess=preprocess,
            output=output.get("name"),
            output_kind=output.get("kind"),
            label_offset=output.get("label_offset", 0),
            geometry=geometry,
            enhancer=EnhancerPlan(enhancer["path"], _lower(enhancer.get("sha256"))) if enhancer else None,
            candidate=candidate,
        )

    def _contradicts(self, item: Item[ModelSpec], geometry: Geometry, preprocess: Preprocess) -> bool:
        place = item.node.key("geometry") if "geometry" in item.node.keys else item.at
        crop, size = geometry.crop, preprocess.size
        problems = self._folder.problems
        if geometry.resize and crop and crop > geometry.resize:
            problems.add(place, f"crop {crop} is larger than the resized short side {geometry.resize}; raise `resize`")
            return True
        if preprocess.fit == "crop" and crop and size and size > crop:
            where = item.node.key("preprocess") if "preprocess" in item.node.keys else item.at
            problems.add(where, f"size {size} cannot be cut out of a canvas of {crop}; use `fit: resize`")
            return True
        for key, values in (("mean", preprocess.mean), ("std", preprocess.std)):
            if len(values) == 2:
                node = item.node.get("preprocess")
                problems.add(
                    node.key(key) if node else item.at, f"`{key}` needs one value per channel: 3, or 1 for all"
                )
                return True
        return False


def _merge(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`own` over `base`, mapping by mapping; a new path leaves behind what belonged to the old one."""
    merged = dict(base)
    if "path" in own:
        merged.pop("sha256", None)
        merged.pop("candidate", None)
    for key, value in own.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _lower(digest: str | None) -> str | None:
    return digest.lower() if digest else None


def candidate_paths(
    candidates: Mapping[str, Path], items: Sequence[Item[ModelSpec]], folder: Folder
) -> dict[str, PathText]:
    """The command line's files as the plan keeps them, relative to the current folder."""
    names = {item.name for item in items}
    return {
        name: PathText(str(path), path.cwd(), Mark(f"--robust-model={name}", 0, 0))
        for name, path in candidates.items()
        if name in names
    }
