"""What enhancers chose: the largest mean weights of their augmentations, shift by shift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_robust.spec.plan import severity_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TOP = 3

HEADS = ("shift", *(f"{place}." for place in range(1, _TOP + 1)))
"""Of the tables of `by_model`."""

LEGEND = "The largest mean weights of the enhancer's augmentations over the images of each shift."


def largest(weights: Mapping[str, float], top: int) -> list[str]:
    """The largest weights with their augmentations: `network 63.1%`.

    Args:
        weights: mean weight of each augmentation by name.
        top: how many.
    """
    ordered = sorted(weights.items(), key=lambda entry: -entry[1])
    return [f"{name} {weight:.1%}" for name, weight in ordered[:top]]


def by_model(cells: Sequence[Mapping[str, Any]]) -> dict[str, list[list[str]]]:
    """Per model the lines of a table: a shift, then its largest mean weights; no model whose enhancer gives none.

    Severities of one shift are one line, and each image of them counts alike.

    Args:
        cells: as in the report.
    """
    groups: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for cell in cells:
        if cell.get("enhancer_weights"):
            model, _, key = cell["id"].rpartition("::")
            shift = key if cell["severity"] is None else key.removesuffix(f"-{severity_text(cell['severity'])}")
            groups.setdefault(model, {}).setdefault(shift, []).append(cell)
    return {
        model: [[shift, *largest(_mean(group), _TOP)] for shift, group in shifts.items()]
        for model, shifts in groups.items()
    }


def _mean(cells: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    images = sum(cell["n"] for cell in cells)
    return {
        name: sum(cell["n"] * cell["enhancer_weights"][name] for cell in cells) / images
        for name in cells[0]["enhancer_weights"]
    }
