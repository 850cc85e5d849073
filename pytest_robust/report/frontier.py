"""The frontier of accuracy and distortion in words: a table in markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_robust.report.table import percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    Study = Mapping[str, Any]


def table_of(study: Study) -> tuple[list[str], list[list[str]]]:
    """Heads and lines of the table; a distortion stands beside its success rate.

    Args:
        study: the entry `pareto` of an aggregate of the report.
    """
    heads = ["model", "accuracy %", f"mean {study['norm']}", "success %", "attacked", "frontier"]
    lines = [
        [
            one["model"],
            percent(one["accuracy"]),
            "-" if one["distortion"] is None else f"{one['distortion']:.4g}",
            percent(one["success_rate"]),
            str(one["attacked"]),
            "yes" if one["frontier"] else "-" if one["frontier"] is None else "no",
        ]
        for one in study["models"]
    ]
    return heads, lines


def legend_of(study: Study) -> str:
    """What the table says, and the line through the frontier."""
    what = (
        "Accuracy on clean images, and the mean distortion of the attacked ones that turned, pixels from 0 to 1. No "
        "other model beats one of the frontier: none is as good in both and better in one."
    )
    fit = study["fit"]
    if fit is None:
        return f"{what} No line fits the frontier."
    r2 = "undefined" if fit["r2"] is None else f"{fit['r2']:.4f}"
    exact = " (a line through two models fits them exactly)" if sum(map(_on, study["models"])) == 2 else ""
    return f"{what} The line through the frontier: distortion = {line_of(fit['a'], fit['b'])}, R2 {r2}{exact}."


def _on(model: Mapping[str, Any]) -> bool:
    return bool(model["frontier"])


def line_of(a: float, b: float) -> str:
    """The right side of the fit, such as ``0.5 ln(1 - accuracy) - 0.1``."""
    return f"{a:.4g} ln(1 - accuracy) {'-' if b < 0 else '+'} {abs(b):.4g}"
