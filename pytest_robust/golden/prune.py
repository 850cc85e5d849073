"""Goldens that nobody compares with any more, found from the spec and never from what happened to run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_robust.golden.record import GoldenFile


def unused(golden: GoldenFile, planned: Collection[str]) -> tuple[str, ...]:
    """Keys of stored cells, of any device class, that the spec no longer declares for the model; sorted."""
    stored = {key for recording in golden.recordings.values() for key in recording.cells}
    return tuple(sorted(stored - set(planned)))


def prune(golden: GoldenFile, planned: Collection[str]) -> GoldenFile:
    """The golden without its unused cells; all others keep their line.

    A recording without cells goes too, and `store.write` removes the files of a golden without recordings.
    """
    recordings = {}
    for device_class, recording in golden.recordings.items():
        cells = {key: cell for key, cell in recording.cells.items() if key in planned}
        if cells:
            recordings[device_class] = replace(recording, cells=cells)
    return replace(golden, recordings=recordings)
