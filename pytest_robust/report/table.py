"""The run as a table, model by model: the one summary that terminal and markdown share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]

_SCORES = {
    "top5": ("top-5", 100),
    "ece": ("ECE", 100),
    "rmsce": ("RMSCE", 100),
    "nll": ("NLL", 1),
    "brier": ("Brier", 1),
}
"""Heading and factor of each score: shares are shown in percent."""

_FAILING = {"ERROR", "BELOW_FLOOR", "REGRESSED", "TOO_MANY_FLIPS", "UNEXPECTED_PASS", "NO_GOLDEN"}


@dataclass(frozen=True, slots=True)
class Row:
    """One model of one spec."""

    spec: str
    model: str
    clean: float | None
    entries: Mapping[str, float]
    worst: float | None
    """The largest drop from golden of any cell; negative if every cell gained."""
    verdicts: Mapping[str, int]
    failed: int
    scores: Mapping[str, tuple[float | None, float | None]]
    """By name on clean and the mean over the shifts; empty where the spec does not ask for scores."""


def rows(cells: Sequence[Record], failed: Iterable[str]) -> list[Row]:
    """Summarise cells by spec and model, in the order of the cells.

    Args:
        cells: the `cells` of a report.
        failed: ids of the cells whose pytest case failed.
    """
    groups: dict[tuple[str, str], list[Record]] = {}
    for cell in cells:
        groups.setdefault((cell["spec"], cell["model"]), []).append(cell)
    failing = set(failed)
    return [_row(spec, model, group, failing) for (spec, model), group in groups.items()]


def _row(spec: str, model: str, cells: Sequence[Record], failing: set[str]) -> Row:
    entries: dict[str, list[float]] = {}
    clean = None
    drops = []
    for cell in cells:
        if cell["accuracy"] is None:
            continue
        if cell["suite"] == "clean":
            clean = cell["accuracy"]
        else:
            entries.setdefault(cell["id"].split("::")[-1].partition(".")[0], []).append(cell["accuracy"])
        if cell["flips"]:
            drops.append(cell["flips"]["drop"])
    return Row(
        spec=spec,
        model=model,
        clean=clean,
        entries={name: sum(values) / len(values) for name, values in entries.items()},
        worst=max(drops, default=None),
        verdicts=Counter(cell["verdict"] for cell in cells),
        failed=sum(cell["id"] in failing for cell in cells),
        scores=_scores([(cell["suite"] == "clean", cell["scores"]) for cell in cells if cell.get("scores")]),
    )


def _scores(cells: Sequence[tuple[bool, Record]]) -> dict[str, tuple[float | None, float | None]]:
    found = {}
    for name in _SCORES if cells else ():
        clean, shifted = (
            [scores[name] for is_clean, scores in cells if is_clean is wanted] for wanted in (True, False)
        )
        found[name] = (_mean(clean), _mean(shifted))
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def headings(table: Sequence[Row]) -> list[str]:
    """The names of the entry columns, in order of appearance."""
    return list(dict.fromkeys(name for row in table for name in row.entries))


def percent(value: float | None) -> str:
    """A fraction as `61.20`; a dash for none."""
    return "-" if value is None else f"{100 * value:.2f}"


def change(drop: float | None) -> str:
    """A drop from golden as a change in points: `-2.90`, `+0.92`."""
    return "-" if drop is None else f"{-100 * drop:+.2f}" if drop else "0.00"


def scores_text(scores: Mapping[str, tuple[float | None, float | None]]) -> str:
    """Scores on clean / over the shifts: `top-5 99.20/91.70, ECE 2.13/8.90, ..., NLL 0.53/1.20, Brier 0.21/0.43`."""
    shown = []
    for name, (clean, shifted) in scores.items():
        title, factor = _SCORES[name]
        both = ("-" if value is None else f"{factor * value:.2f}" for value in (clean, shifted))
        shown.append(f"{title} {'/'.join(both)}")
    return f"{', '.join(shown)} (clean/shifted)"


def verdict_text(verdicts: Mapping[str, int]) -> str:
    """Verdicts with their counts, failures first: `1 REGRESSED, 17 PASS`."""
    ordered = sorted(verdicts, key=lambda name: (name not in _FAILING, name == "PASS", name))
    return ", ".join(f"{verdicts[name]} {name}" for name in ordered)
