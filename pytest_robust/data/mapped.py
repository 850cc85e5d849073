"""Images in a mapped file: as many as the disk holds, of which none stays in memory."""

from __future__ import annotations

import math
import mmap
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

Mapped: TypeAlias = np.memmap[Any, np.dtype[np.uint8]]

_FOLIO = 2 << 20
"""Linux maps a file by pieces of up to that many bytes, whichever page of one is asked for."""


@dataclass(frozen=True, eq=False)
class Images:
    """Some images of an array, read one by one.

    Attributes:
        held: uint8 (k, H, W, 3), in memory or mapped from a file.
        rows: which of them, in what order, (m,).
    """

    held: NDArray[np.uint8]
    rows: NDArray[np.intp]

    @classmethod
    def of(cls, held: NDArray[np.uint8]) -> Images:
        """All of an array."""
        return cls(held, np.arange(len(held)))

    def __len__(self) -> int:
        """How many they are, m."""
        return len(self.rows)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """One image, a new array, uint8 (H, W, 3); for any thread."""
        row = int(self.rows[index])
        image = np.array(self.held[row])
        let_go(self.held, range(row, row + 1))
        return image

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Each of them, one after the other."""
        return (self[index] for index in range(len(self)))

    @property
    def shape(self) -> tuple[int, ...]:
        """That of all of them in one array: (m, H, W, 3)."""
        return (len(self.rows), *self.held.shape[1:])

    def some(self, indices: NDArray[np.intp] | NDArray[np.bool_]) -> Images:
        """Those at some indices, in that order."""
        return Images(self.held, self.rows[indices])


class Spool:
    """Gathers images in a file without a name, which is gone when nobody has it mapped any more, or was killed.

    Args:
        shape: of an image: height, width, 3.
        folder: on which disk; None for the system's own folder of temporary files.

    Raises:
        RobustError: no file can be made there.
    """

    def __init__(self, shape: tuple[int, ...], folder: Path | None) -> None:
        self._shape = shape
        self._folder = folder
        self._count = 0
        with self._in_a_sentence():
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (closed by `__exit__`)

    def __enter__(self) -> Spool:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the file; what is mapped of it stays."""
        with suppress(OSError):  # what could not be written has been said
            self._file.close()

    def add(self, images: NDArray[np.uint8]) -> None:
        """Append some, uint8 (N, H, W, 3).

        Raises:
            RobustError: the disk has no room for them.
        """
        with self._in_a_sentence():
            self._file.write(np.ascontiguousarray(images).data)
            self._file.flush()
        self._count += len(images)

    def images(self) -> Images:
        """All that were added."""
        if not self._count:
            return Images.of(np.empty((0, *self._shape), np.uint8))
        return Images.of(np.memmap(self._file, np.uint8, "r", shape=(self._count, *self._shape)))

    @contextmanager
    def _in_a_sentence(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RobustError(
                f"images cannot be kept in {self._folder or 'the folder of temporary files'} "
                f"({error.strerror or error}); make room there"
            ) from error


def let_go(images: NDArray[np.uint8], positions: range) -> None:
    """Take the pages of some images off this process, where they would gather; the file keeps what they hold.

    Args:
        images: (n, ...), a whole mapped array; of another nothing is done.
        positions: which of them.
    """
    mapped: object = images.base
    if not (isinstance(images, np.memmap) and isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED")):
        return
    size, first = math.prod(images.shape[1:]), images.offset % mmap.ALLOCATIONGRANULARITY
    start = max(0, first + size * positions.start - _FOLIO)
    stop = min(len(mapped), first + size * positions.stop + _FOLIO)
    page = start // mmap.PAGESIZE * mmap.PAGESIZE
    mapped.madvise(mmap.MADV_DONTNEED, page, stop - page)
