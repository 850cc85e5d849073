"""Holm-adjusted p-values: what a complete run says of all tests of a model at once. They decide nothing."""

from __future__ import annotations

from typing import Any

from pytest_robust.verdict import holm


def adjust(report: dict[str, Any]) -> dict[str, Any]:
    """Fill in `flips.p_holm` of a complete run, and clear it in any other.

    The family of a model is every cell that a `max_regression` is declared for. A member without a comparable
    golden counts as p = 1, so that what could not be tested never makes the others look better.

    Args:
        report: the structure; its cells are changed in place.

    Returns:
        The same structure.
    """
    flips = {cell["id"]: cell["flips"] for cell in report["cells"] if cell["flips"]}
    for found in flips.values():
        found["p_holm"] = None
    if report["run"]["complete"] and not report["run"]["smoke"]:
        for spec in report["run"]["specs"].values():
            for members in spec["tests"].values():
                adjusted = holm([flips[name]["p"] if name in flips else 1.0 for name in members])
                for name, value in zip(members, adjusted, strict=True):
                    if name in flips:
                        flips[name]["p_holm"] = value
    return report
