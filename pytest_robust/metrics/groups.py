"""Accuracy by group (SI-Score's factor values, classes): means of groups, and means of those means."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from numpy.typing import NDArray


def group_means(right: NDArray[np.bool_], groups: Sequence[Hashable]) -> dict[Hashable, float]:
    """Accuracy of every group, in the order in which groups first occur.

    Args:
        right: whether each prediction is correct, bool, shape (n,).
        groups: the group of each sample, n values such as ``size(0.2)``.

    Raises:
        ValueError: the two differ in length.
    """
    members: dict[Hashable, list[bool]] = {}
    for group, hit in zip(groups, right.tolist(), strict=True):
        members.setdefault(group, []).append(hit)
    return {group: sum(hits) / len(hits) for group, hits in members.items()}


def unweighted_mean(means: Mapping[Hashable, float]) -> float:
    """SI-Score's average: the mean of group means, however many samples each group has.

    Raises:
        ValueError: there is no group.
    """
    if not means:
        raise ValueError("a mean over groups needs at least one group")
    return sum(means.values()) / len(means)


class ClassAccuracy(NamedTuple):
    """A class (its index, here `label`: a tuple has an `index` of its own) and its accuracy in [0, 1]."""

    label: int
    accuracy: float


def accuracy_per_class(labels: NDArray[np.uint16], right: NDArray[np.bool_]) -> dict[int, float]:
    """Accuracy of every class that has samples, by class index in ascending order.

    Args:
        labels: true classes, uint16, shape (n,).
        right: whether each prediction is correct, bool, shape (n,).
    """
    counts = np.bincount(labels)
    hits = np.bincount(labels[right], minlength=len(counts))
    return {int(index): float(hits[index] / counts[index]) for index in np.flatnonzero(counts)}


def worst_class(cells: Sequence[Mapping[int, float]]) -> ClassAccuracy:
    """The class whose accuracy, averaged over the cells that have it, is lowest; of equals the first.

    Args:
        cells: accuracy by class, per cell.

    Raises:
        ValueError: no cell has any class.
    """
    found: dict[int, list[float]] = {}
    for cell in cells:
        for index, accuracy in cell.items():
            found.setdefault(index, []).append(accuracy)
    if not found:
        raise ValueError("a worst class needs at least one sample")
    means = (ClassAccuracy(index, sum(values) / len(values)) for index, values in sorted(found.items()))
    return min(means, key=lambda one: one.accuracy)
