"""Measured cells from wherever they are stored, so that any two stores can be held against each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_robust.errors import RobustError
from pytest_robust.golden import read, same_spec
from pytest_robust.report.reading import is_report, read_json, read_report
from pytest_robust.verdict import compare, mcnemar_midp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pytest_robust.golden import GoldenFile
    from pytest_robust.measurement import Samples

Name = tuple[str, str, str, str]
"""Spec, model, device class, key of the cell."""

_CHANCE = 0.01
_ANEW = (
    "a side is a golden (restore it with git), a folder of goldens, or a report (make it again with --robust-report)"
)


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """One cell; `error` says why it was not measured, and then there is no more of it."""

    samples: Samples | None = None
    predicted: NDArray[np.uint16] | None = None
    accuracy: float | None = None
    shift: tuple[int, Mapping[str, Any]] = (0, {})
    canvas_digest: str = ""
    geometry: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of a cell; `words` is ``same`` where nothing did. Counts are None where nothing can be counted."""

    name: Name
    old: float | None
    new: float | None
    lost: int | None
    won: int | None
    words: str


def open_side(path: Path) -> dict[Name, Stored]:
    """The cells of a golden, of a folder of goldens, or of a report.

    Raises:
        RobustError: there is nothing of the kind, or it is damaged.
    """
    if path.is_dir():
        cells: dict[Name, Stored] = {}
        for beside in sorted(path.glob("*.json")):
            if "recordings" in read_json(beside, _ANEW):
                cells |= _of_golden(beside)
        if not cells:
            raise RobustError(f"the folder {path} holds no golden; name a folder of goldens, a golden or a report")
        return cells
    document = read_json(path, _ANEW)
    if "recordings" in document:
        return _of_golden(path)
    if not is_report(document):
        raise RobustError(f"{path} is neither a golden nor a report of pytest-robust")
    return _of_report(path)


def _of_golden(path: Path) -> dict[Name, Stored]:
    golden: GoldenFile | None = read(path.parent, path.stem)
    cells = {}
    for device_class, recording in (golden.recordings if golden else {}).items():
        for key, cell in recording.cells.items():
            cells[golden.spec if golden else "", path.stem, device_class, key] = Stored(
                samples=cell.samples,
                predicted=cell.predicted,
                accuracy=cell.accuracy,
                shift=(cell.shift_version, cell.parameters),
                canvas_digest=cell.canvas_digest,
                geometry=cell.origin.geometry,
            )
    return cells


def _of_report(path: Path) -> dict[Name, Stored]:
    report = read_report(path)
    cells = {}
    usual = report.run["device_class"].partition(", ")[0]
    for record in report.structure["cells"]:
        spec = report.run["specs"][record["spec"]]["name"]
        measurement = report.measurements.get(record["id"])
        if measurement is None:
            reason = "; ".join(record["reasons"]) or record["verdict"]
            cells[spec, record["model"], usual, report.key(record)] = Stored(error=reason)
            continue
        made = measurement.provenance
        cells[spec, record["model"], made.device_class, report.key(record)] = Stored(
            samples=report.samples[measurement.samples],
            predicted=measurement.predicted,
            accuracy=measurement.accuracy,
            shift=(measurement.shift_version, dict(measurement.parameters)),
            canvas_digest=measurement.canvas_digest,
            geometry=made.geometry,
        )
    return cells


def differences(old: Mapping[Name, Stored], new: Mapping[Name, Stored]) -> Iterator[Difference]:
    """Every cell of either side, in the order of the old one, then what only the new one has.

    Where each side has one spec, or one device class of a model, these two are compared whatever they are called.
    """
    old, new = _alike(old, new)
    for name in dict.fromkeys([*old, *new]):
        yield _difference(name, old.get(name), new.get(name))


def _alike(old: Mapping[Name, Stored], new: Mapping[Name, Stored]) -> tuple[dict[Name, Stored], dict[Name, Stored]]:
    before, after = dict(old), dict(new)
    specs = [{name[0] for name in side} for side in (before, after)]
    for spec in specs[1] - specs[0]:
        alike = specs[0] if len(specs[0]) == len(specs[1]) == 1 else {one for one in specs[0] if same_spec(one, spec)}
        if len(alike) == 1:
            (meant,) = alike
            after = {(meant, *name[1:]) if name[0] == spec else name: cell for name, cell in after.items()}
    for pair in {name[:2] for name in (*before, *after)}:
        classes = [{name[2] for name in side if name[:2] == pair} for side in (before, after)]
        known = (classes[0] | classes[1]) - {""}
        if "" in classes[0] | classes[1] and len(known) == 1:
            # where every cell of a report is an ERROR, no device is known
            before, after = (_reclassed(side, pair, max(known)) for side in (before, after))
            continue
        if len(classes[0]) == len(classes[1]) == 1 and classes[0] != classes[1]:
            both = f"{min(classes[0])} -> {min(classes[1])}"
            before, after = (_reclassed(side, pair, both) for side in (before, after))
    return before, after


def _reclassed(side: Mapping[Name, Stored], pair: tuple[str, str], device_class: str) -> dict[Name, Stored]:
    """The side with another device class for one model of one spec."""
    return {(*pair, device_class, name[3]) if name[:2] == pair else name: cell for name, cell in side.items()}


def _difference(name: Name, old: Stored | None, new: Stored | None) -> Difference:
    before, after = (cell.accuracy if cell else None for cell in (old, new))
    lost = won = None
    if old is None or new is None:
        words = "only in OLD" if new is None else "only in NEW"
    elif old.error or new.error:
        words = f"not measured in {'NEW' if new.error else 'OLD'}: {new.error or old.error}"
    else:
        words = _incomparable(name, old, new)
        if not words and old.samples and old.predicted is not None and new.predicted is not None:
            flips = compare(old.samples.labels, old.predicted, new.predicted)
            lost, won = flips.b, flips.c
            words = _words(lost, won, changed=bool((old.predicted != new.predicted).any()))
    return Difference(name, before, after, lost, won, words)


def _incomparable(name: Name, old: Stored, new: Stored) -> str:
    if old.samples is None or new.samples is None or old.samples.digest != new.samples.digest:
        return "other samples, not comparable"
    if old.shift != new.shift:
        return "other shift parameters, not comparable"
    one_class = " -> " not in name[2]
    if one_class and old.geometry == new.geometry and old.canvas_digest != new.canvas_digest:
        return "other images, not comparable"
    return ""


def _words(lost: int, won: int, changed: bool) -> str:
    if lost == won:
        return "other labels, same accuracy" if changed else "same"
    p = mcnemar_midp(max(lost, won), min(lost, won))
    word = "worse" if lost > won else "better"
    return f"{word} (p={p:.2g})" if p <= _CHANCE else f"{word}, within chance (p={p:.2g})"
