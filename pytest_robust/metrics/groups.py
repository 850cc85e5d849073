"""Accuracy by group (SI-Score's factor values, classes): means of groups, and means of those means."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray


def group_accuracies(counts: Mapping[str, Mapping[str, int]], column: str) -> dict[str, float]:
    """Accuracy of every group of one column.

    Args:
        counts: ``column=value`` -> {n, correct}, as `Measurement.groups` has them.
        column: the column, such as ``size``.

    Returns:
        By value; empty where the column has no groups.
    """
    found = {name.partition("=")[2]: one for name, one in counts.items() if name.partition("=")[0] == column}
    return {value: one["correct"] / one["n"] for value, one in found.items()}


def unweighted_mean(means: Collection[float]) -> float:
    """SI-Score's average: the mean of group means, however many samples each group has.

    Raises:
        ValueError: there is no group.
    """
    if not means:
        raise ValueError("a mean over groups needs at least one group")
    return sum(means) / len(means)


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
