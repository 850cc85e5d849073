"""Attacks in reports: a cell's numbers, the line that shows them, and the arrays that they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_robust.measurement import Attacked
from pytest_robust.report.table import percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_robust.metrics.attacked import AttackSummary, Share

_NORMS = ("linf", "l2", "l1", "l0")
_ARRAYS = ("tried", "success", "clean", "queries")
_OF_TARGETS = ("targets", "near_target")


def attack_record(source: str, found: AttackSummary) -> dict[str, Any]:
    """The entry `attack` of a cell: plain values, undefined ones None.

    Distortions are those of pixels that count from 0 to 1; a scale from -0.5 to 0.5 gives the same numbers.
    """
    own = found.success
    return {
        "source": source,
        "attacked": own.attacked,
        "successes": own.successes,
        "success_rate": own.success_rate,
        "robust_accuracy": own.robust_accuracy,
        "distortions": own.distortions
        and {norm: {"mean": size.mean, "std": size.deviation} for norm, size in own.distortions.items()},
        "queries": found.queries,
        "transfer": _share(found.transfer),
        "target_top1": _share(found.top1),
        "target_top5": _share(found.top5),
    }


def attack_text(attack: Mapping[str, Any]) -> str:
    """An attack on one line; a success rate never stands without its distortion.

    Args:
        attack: the entry `attack` of a cell.
    """
    parts = []
    if moved := attack["transfer"]:
        parts.append(f"transfer from {attack['source']} {_rate(moved)} ({moved['hits']} of {moved['counted']} counted)")
    rate = "undefined" if attack["success_rate"] is None else f"{100 * attack['success_rate']:.2f}%"
    own = f"success rate {rate} ({attack['successes']} of {attack['attacked']} attacked)"
    parts.append(f"{own}, {distortion_text(attack)}")
    parts.append(f"robust accuracy {100 * attack['robust_accuracy']:.2f}%")
    for name in ("top1", "top5"):
        if share := attack[f"target_{name}"]:
            parts.append(f"target {name} {_rate(share)}")
    if attack["queries"] is not None:
        parts.append(f"{attack['queries']:.4g} queries per image")
    return "; ".join(parts)


def distortion_text(attack: Mapping[str, Any]) -> str:
    """Mean distortion by norm, or that there is none."""
    if attack["distortions"] is None:
        return "distortion undefined"
    means = ", ".join(f"{norm} {attack['distortions'][norm]['mean']:.4g}" for norm in _NORMS)
    return f"mean distortion {means} (pixels 0 to 1)"


LEGEND = (
    "A success turns the source of the images; mean distortions are of the successes, pixels from 0 to 1. A transfer "
    "turns the case's own model, of those whose clean image both have right. The robust accuracy is undefined where "
    "only what all models have right is attacked."
)
"""What the numbers of `table_of` are."""


def table_of(cells: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Heads and a line per attack; a column stands where any attack fills it.

    Args:
        cells: of a report, those with an entry `attack`.
    """
    columns = {"case": [cell["id"] for cell in cells]}
    shares = {"transfer %": "transfer", "target %": "target_top1", "target in top 5 %": "target_top5"}
    for head, key in shares.items():
        found = [cell["attack"][key] for cell in cells]
        if any(found):
            columns[head] = [_counted(one["rate"], one["hits"], one["counted"]) if one else "" for one in found]
    attacks = [cell["attack"] for cell in cells]
    columns["success %"] = [_counted(one["success_rate"], one["successes"], one["attacked"]) for one in attacks]
    for norm in _NORMS:
        sizes = [one["distortions"] for one in attacks]
        columns[f"mean {norm}"] = [f"{size[norm]['mean']:.4g}" if size else "-" for size in sizes]
    columns["robust accuracy %"] = [
        "-" if cell["parameters"].get("only") else percent(cell["attack"]["robust_accuracy"]) for cell in cells
    ]
    columns["queries"] = ["-" if one["queries"] is None else f"{one['queries']:.4g}" for one in attacks]
    return list(columns), [list(line) for line in zip(*columns.values(), strict=True)]


def _counted(rate: float | None, hits: int, counted: int) -> str:
    return f"{percent(rate)} ({hits}/{counted})"


def attacked_arrays(attacked: Attacked, device_class: str, cell: str) -> dict[str, NDArray[Any]]:
    """The arrays of an attack by their names in a report's npz."""
    found = {part: getattr(attacked, part) for part in (*_ARRAYS, *_OF_TARGETS)}
    found |= {f"distortion_{norm}": attacked.distortions[norm] for norm in _NORMS}
    return {_name(part, device_class, cell): array for part, array in found.items() if array is not None}


def attacked_of(cell: Mapping[str, Any], device_class: str, arrays: Mapping[str, Any]) -> Attacked | None:
    """What `attacked_arrays` stored of a cell of a report; None where it is no attack."""
    if not cell.get("attack"):
        return None
    found: dict[str, Any] = {part: arrays[_name(part, device_class, cell["id"])] for part in _ARRAYS}
    found |= {part: arrays.get(_name(part, device_class, cell["id"])) for part in _OF_TARGETS}
    sizes = {norm: arrays[_name(f"distortion_{norm}", device_class, cell["id"])] for norm in _NORMS}
    return Attacked(source=cell["attack"]["source"], distortions=sizes, **found)


def _name(part: str, device_class: str, cell: str) -> str:
    return f"attack_{part}/{device_class}/{cell}"


def _share(share: Share | None) -> dict[str, Any] | None:
    return None if share is None else {"rate": share.rate, "hits": share.hits, "counted": share.counted}


def _rate(share: Mapping[str, Any]) -> str:
    return "undefined" if share["rate"] is None else f"{100 * share['rate']:.2f}%"
