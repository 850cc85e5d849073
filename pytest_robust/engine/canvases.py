"""The canvases of a data set: each image decoded once per run, then read from a memory-mapped file."""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filelock import FileLock
    from numpy.typing import NDArray

    from pytest_robust.data import Dataset
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

    Where the set is too large for such a file, or the disk for the set, every pass decodes anew.

    Raises:
        RobustError: an image cannot be decoded, or the canvases differ in size.
    """
    shape = _first_shape(dataset, geometry)
    decoded: NDArray[np.uint8] | None = None
    if len(dataset.samples.ids) * math.prod(shape) <= MAX_FILE_BYTES:
        with lock:
            if path.exists() or _decode_all(dataset, geometry, shape, path, threads):
                decoded = np.load(path, mmap_mode="r", allow_pickle=False)
    return Canvases(dataset, geometry, shape, decoded, threads)


def stream_canvases(dataset: Dataset, geometry: Geometry, threads: int) -> Canvases:
    """The canvases of a data set that is shown once: each is made when its batch is, and none is kept.

    Raises:
        RobustError: the first image cannot be decoded.
    """
    return Canvases(dataset, geometry, _first_shape(dataset, geometry), None, threads)


def _first_shape(dataset: Dataset, geometry: Geometry) -> tuple[int, int, int]:
    height, width = dataset.canvas(0, geometry).shape[:2]
    return height, width, 3


def _decode_all(dataset: Dataset, geometry: Geometry, shape: tuple[int, int, int], path: Path, threads: int) -> bool:
    """Write every canvas to `path`; False, and nothing written, if the disk has no room."""
    n = len(dataset.samples.ids)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        try:
            target = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=(n, *shape))
            _reserve(temporary)
        except OSError:
            return False

        def fill(position: int) -> None:
            target[position] = decode(dataset, geometry, shape, position)

        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(fill, range(n)):
                pass
        target.flush()
        temporary.replace(path)
        return True
    finally:
        temporary.unlink(missing_ok=True)


def _reserve(path: Path) -> None:
    """Take the room of a file on the disk: writing to a mapped file on a full disk would kill the process.

    Raises:
        OSError: there is no such room.
    """
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def decode(dataset: Dataset, geometry: Geometry, shape: tuple[int, int, int], position: int) -> NDArray[np.uint8]:
    """One canvas; every canvas of a set has the same shape, or one sentence says which does not."""
    name = dataset.samples.ids[position]
    made = dataset.canvas(position, geometry)
    if made.shape != shape:
        raise RobustError(
            f"{name} is {made.shape[1]}x{made.shape[0]} pixels where {dataset.samples.ids[0]} is "
            f"{shape[1]}x{shape[0]}; give the data set a geometry, such as {{resize: 256, crop: 224}}"
        )
    return made
