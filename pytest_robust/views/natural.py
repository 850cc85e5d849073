"""Natural shifts: other images of the models' classes, shown as they are.

The images may have classes of their own names or only some of the models' classes, so a class finds its index in the
models' by the first rule that applies:

1. the entry's `classes_map`; a class that it leaves out goes on by its name;
2. the order of `classes` in the entry's own data set, which is then the models' own;
3. its name, where the spec's data set has class names;
4. its place among the sorted folders, where these are as many as the classes of the label subset, or as the models'.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.data import Dataset
from pytest_robust.data.dataset import label_problem
from pytest_robust.data.names import closest, nfc
from pytest_robust.errors import RobustError
from pytest_robust.measurement import Samples, digest_of
from pytest_robust.views.base import Derived, View, ViewInputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_robust.spec.plan import Geometry, Json


@dataclass(frozen=True, eq=False)
class Relabelled(Dataset):
    """A data set whose labels are indices of other classes."""

    inner: Dataset

    def image(self, index: int) -> NDArray[np.uint8]:
        """The same image; see `Dataset.image`."""
        return self.inner.image(index)

    def canvas(self, index: int, geometry: Geometry) -> NDArray[np.uint8]:
        """The same canvas; see `Dataset.canvas`."""
        return self.inner.canvas(index, geometry)

    def mask(self, index: int) -> NDArray[np.bool_]:
        """The same mask; see `Dataset.mask`."""
        return self.inner.mask(index)


@cache
def label_subsets() -> dict[str, tuple[int, ...]]:
    """The named label subsets: ImageNet class indices in rising order."""
    found = json.loads(Path(__file__).with_name("label_subsets.json").read_bytes())
    return {name: tuple(indices) for name, indices in found.items()}


def _derive(inputs: ViewInputs) -> Derived:
    parameters: Mapping[str, Any] = inputs.shift.parameters
    asked = parameters.get("label_subset")
    kept = label_subsets()[asked] if isinstance(asked, str) else None if asked is None else tuple(asked)
    dataset = _in_model_classes(inputs, parameters.get("classes_map", {}), kept)
    if kept is not None:
        _check_kept(kept, dataset, f"{inputs.shift.mark}: label_subset")
    recorded: dict[str, Json] = {} if asked is None else {"label_subset": asked}
    return Derived(dataset, recorded, kept=kept)


def _check_kept(kept: Sequence[int], dataset: Dataset, what: str) -> None:
    if dataset.classes is not None and max(kept) >= dataset.classes:
        raise RobustError(
            f"{what} names the class {max(kept)}, and there are {dataset.classes} (0 to {dataset.classes - 1})"
        )
    labels = dataset.samples.labels
    lost = np.flatnonzero(~np.isin(labels, kept))
    if lost.size:
        raise RobustError(
            f"{what} lacks the class {labels[lost[0]]} of {dataset.samples.ids[lost[0]]} and of {lost.size} samples in "
            "all, which could never be right; add it, or take these samples away"
        )


def _in_model_classes(inputs: ViewInputs, given: Mapping[str, str | int], kept: Sequence[int] | None) -> Dataset:
    """The entry's data set with labels that are indices of the models' classes."""
    shift = inputs.shift
    own = inputs.open(shift.dataset)
    if shift.main is None or (own.class_names is None and not given):
        return own
    if shift.dataset.classes is not None and not given:
        return own
    main = inputs.open(shift.main)
    names = own.class_names or tuple(str(number) for number in range(int(own.samples.labels.max()) + 1))
    if unknown := given.keys() - {*names}:
        name = min(unknown)
        raise RobustError(
            f"{shift.mark}: classes_map names {name!r}, which is no class of these images{closest(name, names)}"
        )
    used = np.unique(own.samples.labels).tolist()
    table = np.zeros(max(used) + 1, np.uint16)
    for label in used:
        # a label without a name is an index of the models' classes already
        unnamed = own.class_names is None and names[label] not in given
        table[label] = (
            label if unnamed else _index(names, label, given, main, kept, f"{shift.mark}: the class {names[label]!r}")
        )
    labels = table[own.samples.labels]
    samples = own.samples
    if not np.array_equal(labels, samples.labels):
        digest = digest_of([samples.digest.encode(), labels.astype("<u2").tobytes()])
        samples = Samples(samples.ids, labels, digest)
    return Relabelled(samples, main.classes, main.class_names, own, groups=own.groups, notes=own.notes)


def _index(
    names: Sequence[str],
    label: int,
    given: Mapping[str, str | int],
    main: Dataset,
    kept: Sequence[int] | None,
    what: str,
) -> int:
    target = given.get(names[label], names[label])
    if isinstance(target, int):
        if problem := label_problem(target, main.classes):
            raise RobustError(f"{what} is mapped to {target}: {problem}; correct classes_map")
        return target
    if main.class_names is not None:
        if nfc(target) in main.class_names:
            return main.class_names.index(nfc(target))
        near = closest(target, main.class_names)
        if names[label] in given:
            raise RobustError(
                f"{what} is mapped to {target!r}, which is none of the spec's classes{near}; correct classes_map"
            )
        raise RobustError(f"{what} is none of the spec's classes{near}; name its class in classes_map")
    if names[label] in given:
        raise RobustError(
            f"{what} is mapped to {target!r}, and the spec's data set has no class names; map it to an index, or list "
            "the names in dataset.classes"
        )
    if kept is not None and len(kept) == len(names):
        return sorted(kept)[label]
    if main.classes == len(names):
        return label
    raise RobustError(
        f"{what} has no index among the models' classes, because the spec's data set has no class names; list them in "
        "dataset.classes, or give a classes_map"
    )


VIEWS = (
    View(
        "natural",
        "natural",
        1,
        "the user's own images, such as ImageNet-A, -R, -V2 and -Sketch; label subsets as in arXiv 2007.08558",
        _derive,
        "name the images in a spec by {name: NAME, dataset: {source: folder, path: PATH}}",
        options={"classes_map": None, "label_subset": None},
    ),
)
