"""What outlives a run: entries in a folder under content keys, bounded in size.

Every entry is a pure function of what its key digests, so any process may write, read or remove any of them at any
time: the worst that can follow is that something is made again.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from pytest_robust.cache_folder import MARKS, TAG
from pytest_robust.engine.entries import pack, unpack, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_ABANDONED_SECONDS = 86_400
"""A temporary file of that age belongs to a process that was killed."""

_KINDS = ("cells", "samples", "digests", "models", "places", "canvases", "packs", "clever")


class Cache:
    """Entries by kind and key: measurements, samples, digests of files, facts on models, and files of canvases.

    Attributes:
        folder: where they lie; pytest processes on any number of hosts may share it.
        size: bytes that `trim` leaves.
        lasting: whether the folder outlives the run, so that cells are worth a content key.
        damaged: kind and key of entries that were found damaged by this process, and removed.
        problem: why an entry could not be written, the last time that happened.
    """

    def __init__(self, folder: Path, size: int, *, lasting: bool = True) -> None:
        self.folder = folder
        self.size = size
        self.lasting = lasting
        self.damaged: set[tuple[str, str]] = set()
        self.problem: str | None = None

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """What is kept, or None; a damaged entry is removed, for it will be made again."""
        path = self.path(kind, key)
        try:
            content = path.read_bytes()
            used(path)
        except OSError:
            return None
        plain = unpack(content)
        if plain is None:
            self.damaged.add((kind, key))
            remove(path)
        return plain

    def has(self, kind: str, key: str) -> bool:
        """Whether there is an entry, sound or not."""
        return self.path(kind, key).exists()

    def put(self, kind: str, key: str, plain: Mapping[str, Any]) -> bool:
        """Keep an entry; False, with the reason in `problem`, where that cannot be done: a run goes on without."""
        path = self.path(kind, key)
        try:
            self.make(kind)
            write(path, pack(plain))
        except OSError as error:
            self.problem = f"{self.folder} cannot be written: {error.strerror or error}"
            return False
        return True

    def path(self, kind: str, key: str) -> Path:
        """Where an entry lies."""
        return self.folder / kind / key

    def make(self, kind: str) -> None:
        """Make the folder of a kind of entries, and say to git and to backup programs that it is one.

        Raises:
            OSError: it cannot be made.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, text in MARKS.items():
            if not (self.folder / name).exists():
                write(self.folder / name, text.encode())
        (self.folder / kind).mkdir(exist_ok=True)

    def lock(self, kind: str, key: str) -> FileLock:
        """Held by the one process that makes a large entry; the folder must exist."""
        return FileLock(self.folder / kind / f"{key}.lock")

    def trim(self, room: int = 0) -> None:
        """Remove the entries that were used longest ago until `room` bytes more would fit.

        Another process that trims meanwhile does it for both.
        """
        if not (self.folder / TAG).exists():
            return
        try:
            with FileLock(self.folder / "trim.lock", timeout=0):
                self._trim(self.size - room)
        except (Timeout, OSError):
            return

    def _trim(self, size: int) -> None:
        found = sorted(self._entries(), key=lambda entry: entry[1].st_mtime_ns)
        total = sum(_on_disk(status) for _, status in found)
        for path, status in found:
            if total <= size:
                return
            remove(path)
            total -= _on_disk(status)

    def _entries(self) -> Iterator[tuple[str, os.stat_result]]:
        old = time.time() - _ABANDONED_SECONDS
        for kind in _KINDS:
            folder = self.folder / kind
            for entry in os.scandir(folder) if folder.is_dir() else ():
                try:
                    status = entry.stat()
                except OSError:
                    continue
                if entry.name.endswith(".tmp"):
                    if status.st_mtime < old:
                        remove(entry.path)
                elif not entry.name.endswith(".lock"):
                    yield entry.path, status


def used(path: Path) -> None:
    """Note that an entry was read now; `trim` goes by it."""
    os.utime(path)


def remove(path: Path | str) -> None:
    """Remove a file; where it is gone already, or in use on Windows, there is nothing to be done."""
    try:
        os.unlink(path)  # noqa: PTH108  (a text as well as a Path)
    except OSError:
        return


def _on_disk(status: os.stat_result) -> int:
    """Bytes that a file takes: whole blocks, of which a small file wastes most."""
    return max(status.st_size, 4096)
