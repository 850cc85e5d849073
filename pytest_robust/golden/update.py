"""What an update would do to a golden: the new state, every change by name, and the reasons to refuse it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from statistics import mode as mode_of
from typing import TYPE_CHECKING, Literal

from pytest_robust.golden.record import GoldenCell, GoldenFile, Recording, cell_of
from pytest_robust.measurement import count_correct

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pytest_robust.measurement import Measurement, Samples

Mode = Literal["all", "new"]

_MANY = 5


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A measurement offered to the golden; `worse` is the verdict's word that it falls behind."""

    measurement: Measurement
    samples: Samples
    worse: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one cell: ``+`` added, ``~`` changed, ``=`` left as it is, ``-`` dropped."""

    key: str
    device_class: str
    kind: Literal["+", "~", "=", "-"]
    old_accuracy: float | None
    new_accuracy: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """The outcome of `propose`.

    Attributes:
        golden: the state to write; the old one wherever there are refusals.
        changes: per cell, in the order of device class and key; also listed where the update is refused.
        refusals: one sentence each; any of them forbids the writing.
        notes: one sentence each on cells that were left as they are although they were offered.
    """

    golden: GoldenFile
    changes: tuple[Change, ...]
    refusals: tuple[str, ...]
    notes: tuple[str, ...] = ()


def propose(
    golden: GoldenFile | None,
    *,
    spec: str,
    model: str,
    entries: Mapping[str, Entry],
    planned: Collection[str],
    mode: Mode,
    reason: str | None,
    date: str,
) -> Proposal:
    """Work out what an update does, without touching a file.

    With the model file that a recording was made from, the given cells are taken and all others stay; with
    another one the recording is made anew, which needs every planned cell. A cell that says the same as the
    stored one keeps its line, date included. Device classes are kept apart.

    Args:
        golden: what `store.read` returned.
        spec: the spec's name.
        model: the model's name.
        entries: selected and executed cells by key.
        planned: keys of all cells that the spec declares for the model.
        mode: ``all`` takes every entry, ``new`` only those without a stored cell.
        reason: why values may get worse; stored with what changes.
        date: ISO date of the update.
    """
    base = golden or GoldenFile(spec, model)
    said = (reason or "").strip() or None
    offered: dict[str, dict[str, GoldenCell]] = {}
    files: dict[str, set[str]] = {}
    refusals: list[str] = []
    for key in sorted(entries):
        entry = entries[key]
        defect = _defect(key, entry, planned)
        if defect:
            refusals.append(f"{model}::{key}: {defect}")
            continue
        made = entry.measurement.provenance
        cell = cell_of(entry.measurement, entry.samples, date=date, reason=said)
        offered.setdefault(made.device_class, {})[key] = cell
        files.setdefault(made.device_class, set()).add(made.model_sha256)

    changes: list[Change] = []
    notes: list[str] = []
    recordings = dict(base.recordings)
    for device_class in sorted(offered):
        cells, old = offered[device_class], base.recordings.get(device_class)
        if len(files[device_class]) > 1:
            refusals.append(
                f"the cells of {model} on {device_class} come from {len(files[device_class])} model files, "
                "which one golden never mixes; run them with one"
            )
            continue
        sha256 = files[device_class].pop()
        kept = dict(old.cells) if old is not None else {}
        if old is not None and old.model_sha256 != sha256:
            refusal = _new_file(old, sha256, model, cells, planned, mode)
            refusals += refusal
            kept = kept if refusal else {}
        elif mode == "new":
            notes += _left(kept, cells, device_class)
            cells = {key: cell for key, cell in cells.items() if key not in kept}
        taken = {key: cell for key, cell in cells.items() if key not in kept or not cell.same_as(kept[key])}
        changes += _changes(old, device_class, offered[device_class], {**kept, **taken})
        if taken:
            recordings[device_class] = _recording(old, device_class, sha256, kept, taken)
    refusals += _unexplained(changes, entries, model, said)
    state = base if refusals else GoldenFile(spec, model, recordings)
    return Proposal(state, tuple(changes), tuple(refusals), tuple(notes))


def _defect(key: str, entry: Entry, planned: Collection[str]) -> str | None:
    measurement, samples = entry.measurement, entry.samples
    if key not in planned:
        return "the spec has no such cell; run the spec that the measurement belongs to"
    if measurement.samples != samples.digest or measurement.n != len(samples.ids):
        return "the measurement does not follow the samples that came with it; run the cell again"
    if measurement.correct != count_correct(measurement.predicted, samples.labels):
        return "the count of correct predictions is not what the predictions say; run the cell again"
    try:
        json.dumps(dict(measurement.parameters), allow_nan=False)
    except ValueError:
        return "a parameter of its shift is NaN or infinite, which JSON cannot hold; use a finite number"
    return None


def _new_file(
    old: Recording,
    sha256: str,
    model: str,
    cells: Mapping[str, GoldenCell],
    planned: Collection[str],
    mode: Mode,
) -> list[str]:
    what = f"the model file of {model} is not the one recorded on {old.device_class}"
    files = f"(sha256 {old.model_sha256[:12]} -> {sha256[:12]})"
    if mode == "new":
        return [f"{what} {files}, and --robust-update-new changes no recorded cell; use --robust-update"]
    missing = sorted(set(planned) - cells.keys())
    if not missing:
        return []
    return [
        f"{what} {files}, so the update needs every cell of the model: {len(missing)} of {len(planned)} were "
        f"not measured ({_some(missing)}); run the whole spec"
    ]


def _left(kept: Mapping[str, GoldenCell], cells: Mapping[str, GoldenCell], device_class: str) -> list[str]:
    differing = sorted(key for key, cell in cells.items() if key in kept and not cell.same_as(kept[key]))
    if not differing:
        return []
    return [
        f"recorded cells on {device_class} that now measure otherwise stayed as they were "
        f"({_some(differing)}); --robust-update takes them"
    ]


def _changes(
    old: Recording | None,
    device_class: str,
    offered: Mapping[str, GoldenCell],
    state: Mapping[str, GoldenCell],
) -> list[Change]:
    before = old.cells if old is not None else {}
    changes = []
    for key in sorted({*offered, *before}):
        was, now = before.get(key), state.get(key)
        if now is None:
            changes.append(Change(key, device_class, "-", was.accuracy if was else None, None))
        elif was is None:
            changes.append(Change(key, device_class, "+", None, now.accuracy))
        elif key in offered:
            kind: Literal["=", "~"] = "=" if now.same_as(was) else "~"
            changes.append(Change(key, device_class, kind, was.accuracy, now.accuracy))
    return changes


def _unexplained(changes: Sequence[Change], entries: Mapping[str, Entry], model: str, reason: str | None) -> list[str]:
    if reason is not None:
        return []
    worse = []
    for change in changes:
        values = [value for value in (change.old_accuracy, change.new_accuracy) if value is not None]
        fell = len(values) == 2 and values[1] < values[0]
        if change.kind in "+~" and (fell or entries[change.key].worse):
            worse.append(f"{change.key} {' -> '.join(f'{100 * value:.2f} %' for value in values)}")
    if not worse:
        return []
    return [f"{model} got worse ({_some(worse)}); say why with --robust-reason=TEXT"]


def _recording(
    old: Recording | None,
    device_class: str,
    sha256: str,
    kept: Mapping[str, GoldenCell],
    taken: Mapping[str, GoldenCell],
) -> Recording:
    """The header stays while any cell leans on it; otherwise it says what most of the new cells share."""
    cells = {**kept, **taken}
    if old is not None and kept.keys() - taken.keys():
        return Recording(device_class, sha256, old.origin, old.samples, cells)
    origins = [cells[key].origin for key in sorted(cells)]
    samples = [cells[key].samples.digest for key in sorted(cells)]
    return Recording(device_class, sha256, max(origins, key=origins.count), mode_of(samples), cells)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_MANY]) + (", ..." if len(names) > _MANY else "")
