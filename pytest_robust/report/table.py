"""The run as a table, model by model: the one summary that terminal and markdown share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]

_FAILING = {"ERROR", "BELOW_FLOOR", "REGRESSED", "TOO_MANY_FLIPS", "NO_GOLDEN"}


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
    )


def headings(table: Sequence[Row]) -> list[str]:
    """The names of the entry columns, in order of appearance."""
    return list(dict.fromkeys(name for row in table for name in row.entries))


def percent(value: float | None) -> str:
    """A fraction as `61.20`; a dash for none."""
    return "-" if value is None else f"{100 * value:.2f}"


def change(drop: float | None) -> str:
    """A drop from golden as a change in points: `-2.90`, `+0.92`."""
    return "-" if drop is None else f"{-100 * drop:+.2f}" if drop else "0.00"


def verdict_text(verdicts: Mapping[str, int]) -> str:
    """Verdicts with their counts, failures first: `1 REGRESSED, 17 PASS`."""
    ordered = sorted(verdicts, key=lambda name: (name not in _FAILING, name == "PASS", name))
    return ", ".join(f"{verdicts[name]} {name}" for name in ordered)
