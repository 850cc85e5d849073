"""sha256 of files, remembered by what a stat call says of them.

A digest is believed as long as size, both time stamps, inode and device are those under which it was made. A file
that was changed within `SETTLED_SECONDS` could change again without a new time stamp, so it is not remembered.
"""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING

from pytest_robust.data.dataset import read_and_hash

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_robust.engine.cache import Cache

SETTLED_SECONDS = 3.0
"""Longer than the coarsest time stamp in use: FAT counts in two seconds."""

_KIND = "digests"


class Digests:
    """Digests of files, kept in a cache folder by folder."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def __call__(self, paths: Sequence[Path]) -> list[bytes]:
        """sha256 of each file, in their order; only files that are new or changed are read.

        Raises:
            RobustError: a file cannot be read.
        """
        folders: dict[str, list[int]] = {}
        for index, path in enumerate(paths):
            folders.setdefault(os.path.abspath(path.parent), []).append(index)  # noqa: PTH100  (links stay links)
        found: list[bytes] = [b""] * len(paths)
        for folder, indices in folders.items():
            for index, digest in zip(indices, self._of(folder, [paths[i] for i in indices]), strict=True):
                found[index] = digest
        return found

    def _of(self, folder: str, paths: Sequence[Path]) -> list[bytes]:
        key = hashlib.sha256(os.fsencode(folder)).hexdigest()
        known = (self._cache.get(_KIND, key) or {}).get("files", {})
        before = [_signature(path) for path in paths]
        unknown = [
            path
            for path, signature in zip(paths, before, strict=True)
            if signature is None or known.get(path.name, [None])[0] != signature
        ]
        fresh = dict(zip(unknown, read_and_hash(unknown), strict=True))
        lasting = {
            path.name: [signature, fresh[path].hex()]
            for path, signature in zip(paths, before, strict=True)
            if path in fresh and signature is not None and _settled(signature) and _signature(path) == signature
        }
        if lasting:
            there = set(os.listdir(folder))  # noqa: PTH208  (names are all that is needed)
            kept = {name: entry for name, entry in known.items() if name in there}
            self._cache.put(_KIND, key, {"folder": folder, "files": {**kept, **lasting}})
        return [fresh[path] if path in fresh else bytes.fromhex(known[path.name][1]) for path in paths]


def _settled(signature: list[int]) -> bool:
    return max(signature[1:3]) < time.time_ns() - SETTLED_SECONDS * 1e9


def _signature(path: Path) -> list[int] | None:
    """What changes when a file does; None where it cannot be asked."""
    try:
        status = os.stat(path)  # noqa: PTH116  (half the time of Path.stat, over tens of thousands of images)
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev]
