"""The transfer matrix in words: a table in markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_robust.report.table import percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Matrix = Mapping[str, Any]

HITS = {
    "untargeted": "the most probable class is another than the label's",
    "top1": "the most probable class is the target class",
    "top5": "the target class is among the five most probable",
}
"""What counts as a hit, by the matrix's `match`."""


def rows_of(matrix: Matrix) -> Iterator[tuple[str, list[str]]]:
    """Per source the text of its cells, in percent: the white-box rate in brackets, a dash where nothing is known.

    Args:
        matrix: the entry `matrix` of an aggregate of the report.
    """
    for source, rates, own in zip(matrix["sources"], matrix["rates"], matrix["white_box"], strict=True):
        yield (
            source,
            [
                f"({percent(own)})" if target == source and own is not None else percent(rate)
                for target, rate in zip(matrix["targets"], rates, strict=True)
            ],
        )


def legend_of(matrix: Matrix) -> str:
    """What the numbers of the table are."""
    brackets = ""
    if any(rate is not None for rate in matrix["white_box"]):
        brackets = " In brackets a source's own images shown to itself (white box), which are no transfer."
    return (
        "Share of the images crafted on the row's model that turn the column's, of those whose clean image both have "
        f"right; a hit is that {HITS[matrix['match']]}.{brackets} Distortions are of pixels from 0 to 1."
    )


def table_of(matrix: Matrix) -> tuple[list[str], list[list[str]]]:
    """Heads and lines of the table; a source's success rate stands beside its distortion."""
    norms = next((list(means) for means in matrix["distortions"] if means), [])
    heads = ["from \\ to %", *matrix["targets"], "success %", *(f"mean {norm}" for norm in norms)]
    lines = []
    for position, (source, cells) in enumerate(rows_of(matrix)):
        means = matrix["distortions"][position]
        sizes = [f"{means[norm]:.4g}" if means else "-" for norm in norms]
        lines.append([source, *cells, percent(matrix["success_rates"][position]), *sizes])
    return heads, lines
