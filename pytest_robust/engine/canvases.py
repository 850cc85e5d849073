"""The canvases of a data set: each image decoded once, then read from a memory-mapped file in the cache.

The file is a plain npy, uint8 (n, H, W, 3), followed by the CRC-32 of every canvas. It is written under another name,
flushed to the disk and then put in its place; a canvas is checked the first time a process shows it, and one that is
damaged is decoded anew.
"""

from __future__ import annotations

import hashlib
import math
import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.data.mapped import let_go
from pytest_robust.data.part import Part, part_of
from pytest_robust.engine.cache import remove, used
from pytest_robust.engine.entries import temporary_for
from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_robust.data import Dataset
    from pytest_robust.data.mapped import Mapped
    from pytest_robust.engine.cache import Cache
    from pytest_robust.spec.plan import Geometry

_KIND = "canvases"

_SHARE = 0.5
"""The part of the cache that one file of canvases may take; larger sets are decoded anew for every pass."""


@dataclass(frozen=True, eq=False)
class Kept:
    """Canvases in a mapped file: uint8 (n, H, W, 3), with the CRC-32 of each, and which were found to agree."""

    path: Path
    canvases: Mapped
    checksums: NDArray[np.uint32]
    checked: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Canvases:
    """All canvases of one data set under one geometry, in the order of its samples.

    Attributes:
        kept: where they are read from; None where each is decoded when it is shown.
        damaged: positions of kept canvases that had to be decoded anew.
    """

    dataset: Dataset
    geometry: Geometry
    shape: tuple[int, int, int]
    kept: Kept | None
    damaged: set[int] = field(default_factory=set)

    def at(self, positions: range) -> NDArray[np.uint8]:
        """Some canvases, a new array, uint8 (len(positions), H, W, 3); for any thread."""
        if self.kept is not None:
            return self._sound(self.kept, positions)
        return np.stack([self._decode(position) for position in positions])

    def _sound(self, kept: Kept, positions: range) -> NDArray[np.uint8]:
        images = np.array(kept.canvases[positions.start : positions.stop])
        let_go(kept.canvases, positions)
        for position, image in zip(positions, images, strict=True):
            if not kept.checked[position]:
                if _checksum(image) != kept.checksums[position]:
                    self.damaged.add(position)
                    remove(kept.path)
                kept.checked[position] = True
        for position in self.damaged.intersection(positions):
            images[position - positions.start] = self._decode(position)
        return images

    def _decode(self, position: int) -> NDArray[np.uint8]:
        return decode(self.dataset, self.geometry, self.shape, position)


def canvas_key(dataset: Dataset, geometry: Geometry) -> str:
    """One key per set of canvases: the images and labels, the geometry, and what decodes and resizes."""
    versions = [metadata.version(name) for name in ("pytest-robust", "pillow", "numpy")]
    return hashlib.sha256(repr((dataset.samples.digest, astuple(geometry), versions)).encode()).hexdigest()


def open_canvases(
    dataset: Dataset, geometry: Geometry, cache: Cache, threads: int, positions: range | None = None
) -> Canvases:
    """Decode a data set into a file of the cache, or map the file that another process, or run, has made.

    Where the set is too large for the cache, or the disk for the set, every pass decodes anew.

    Args:
        dataset: the whole set.
        geometry: how an image becomes a canvas.
        cache: where the file lies.
        threads: cores to decode on.
        positions: only these samples, which then have a file of their own; None for all.

    Raises:
        RobustError: an image cannot be decoded, or the canvases differ in size.
    """
    shape = first_shape(dataset, geometry)
    fits = len(dataset.samples.ids) * math.prod(shape) <= cache.size * _SHARE
    dataset = part_of(dataset, positions)
    count = len(dataset.samples.ids)
    kept: Kept | None = None
    if fits:
        key = canvas_key(dataset, geometry)
        path = cache.path(_KIND, f"{key}.npy")
        try:
            cache.make(_KIND)
            with cache.lock(_KIND, key):
                kept = _map(path, count, shape)
                if kept is None:
                    _discard(path)
                    cache.trim(count * math.prod(shape))
                    kept = _decode_all(dataset, geometry, shape, path, threads)
        except OSError:  # no room, or no right to write there
            kept = None
    return Canvases(dataset, geometry, shape, kept)


def stream_canvases(dataset: Dataset, geometry: Geometry, positions: range | None = None) -> Canvases:
    """The canvases of a data set that is shown once: each is made when its batch is, and none is kept.

    Raises:
        RobustError: the first image cannot be decoded.
    """
    shape = first_shape(dataset, geometry)
    return Canvases(part_of(dataset, positions), geometry, shape, None)


def first_shape(dataset: Dataset, geometry: Geometry) -> tuple[int, int, int]:
    """The shape of the first canvas, (H, W, 3), which all others must have.

    Raises:
        RobustError: the first image cannot be decoded.
    """
    height, width = dataset.canvas(0, geometry).shape[:2]
    return height, width, 3


def _map(path: Path, count: int, shape: tuple[int, int, int]) -> Kept | None:
    """The canvases of a file, None where there is none of that shape and length."""
    try:
        canvases = np.load(path, mmap_mode="r", allow_pickle=False)
        start = canvases.offset + canvases.nbytes
        if canvases.shape != (count, *shape) or canvases.dtype != np.uint8 or path.stat().st_size != start + 4 * count:
            return None
        checksums = np.fromfile(path, "<u4", count, offset=start)
        used(path)
    except (OSError, ValueError, EOFError):
        return None
    return Kept(path, canvases, checksums, np.zeros(count, np.bool_))


def _discard(path: Path) -> None:
    """Remove a damaged file, and what a process left that was killed while it wrote: its lock is ours now."""
    for left in path.parent.glob(f"{path.name}*"):
        remove(left)


def _decode_all(dataset: Dataset, geometry: Geometry, shape: tuple[int, int, int], path: Path, threads: int) -> Kept:
    """Write every canvas to `path`.

    Raises:
        OSError: the disk has no room.
    """
    count = len(dataset.samples.ids)
    temporary = temporary_for(path)
    checksums = np.zeros(count, "<u4")
    try:
        target = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=(count, *shape))
        _reserve(temporary)

        def fill(position: int) -> None:
            canvas = decode(dataset, geometry, shape, position)
            target[position] = canvas
            checksums[position] = _checksum(canvas)
            let_go(target, range(position, position + 1))

        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(fill, range(count)):
                pass
        target.flush()
        with temporary.open("ab") as file:
            file.write(checksums.tobytes())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        remove(temporary)
    kept = _map(path, count, shape)
    if kept is None:
        raise OSError(f"{path} is gone")
    return kept


def _checksum(canvas: NDArray[np.uint8]) -> int:
    return zlib.crc32(canvas.data)


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
        first = (dataset.whole if isinstance(dataset, Part) else dataset).samples.ids[0]
        raise RobustError(
            f"{name} is {made.shape[1]}x{made.shape[0]} pixels where {first} is "
            f"{shape[1]}x{shape[0]}; give the data set a geometry, such as {{resize: 256, crop: 224}}"
        )
    return made
