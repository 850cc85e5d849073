"""The canvases of a data set: each image decoded once per run, then read from a memory-mapped file."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.data import Dataset, canvas
from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filelock import FileLock
    from numpy.typing import NDArray

    from pytest_robust.spec.plan import Geometry

MAX_FILE_BYTES = 4 << 30
"""Larger sets are decoded anew for every pass, so that a run never fills the disk."""


@dataclass(frozen=True, eq=False)
class Canvases:
    """All canvases of one data set under one geometry, in the order of its samples."""

    dataset: Dataset
    geometry: Geometry
    shape: tuple[int, int, int]
    decoded: NDArray[np.uint8] | None
    threads: int

    def batches(self, size: int) -> Iterator[tuple[range, NDArray[np.uint8]]]:
        """Yield (positions, canvases uint8 (<= size, H, W, 3)); the arrays must not be written to."""
        n = len(self.dataset.samples.ids)
        with ThreadPoolExecutor(self.threads) as pool:
            for start in range(0, n, size):
                positions = range(start, min(start + size, n))
                if self.decoded is not None:
                    yield positions, self.decoded[start : positions.stop]
                else:
                    yield positions, np.stack(list(pool.map(self._decode, positions)))

    def _decode(self, position: int) -> NDArray[np.uint8]:
        return decode(self.dataset, self.geometry, self.shape, position)


def open_canvases(dataset: Dataset, geometry: Geometry, path: Path, lock: FileLock, threads: int) -> Canvases:
    """Decode a data set into the file `path`, or map the file that another process has made.

    Raises:
        RobustError: an image cannot be decoded, or the canvases differ in size.
    """
    n = len(dataset.samples.ids)
    first = canvas(dataset.image(0), geometry, dataset.samples.ids[0])
    shape = (int(first.shape[0]), int(first.shape[1]), 3)
    decoded: NDArray[np.uint8] | None = None
    if n * first.nbytes <= MAX_FILE_BYTES:
        with lock:
            if not path.exists():
                _decode_all(dataset, geometry, shape, path, threads)
        decoded = np.load(path, mmap_mode="r", allow_pickle=False)
    return Canvases(dataset, geometry, shape, decoded, threads)


def _decode_all(dataset: Dataset, geometry: Geometry, shape: tuple[int, int, int], path: Path, threads: int) -> None:
    n = len(dataset.samples.ids)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    target = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=(n, *shape))

    def fill(position: int) -> None:
        target[position] = decode(dataset, geometry, shape, position)

    try:
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(fill, range(n), chunksize=16):
                pass
        target.flush()
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def decode(dataset: Dataset, geometry: Geometry, shape: tuple[int, int, int], position: int) -> NDArray[np.uint8]:
    """One canvas; every canvas of a set has the same shape, or one sentence says which does not."""
    name = dataset.samples.ids[position]
    made = canvas(dataset.image(position), geometry, name)
    if made.shape != shape:
        raise RobustError(
            f"{name} is {made.shape[1]}x{made.shape[0]} pixels where {dataset.samples.ids[0]} is "
            f"{shape[1]}x{shape[0]}; give the data set a geometry, such as {{resize: 256, crop: 224}}"
        )
    return made
