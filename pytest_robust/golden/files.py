"""Files that are whole or absent: atomic replacement, and the lock between processes that write a folder."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_robust.errors import RobustError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LOCK_FOLDER = ".lock"
LOCK_SECONDS = 60.0


def temporary(path: Path) -> Path:
    """Where `replace` keeps the new content of a file until it is whole."""
    return path.with_name(f".{path.name}.tmp")


def replace(path: Path, content: bytes) -> None:
    """Give a file new content in one step: after a power cut it holds the old or the new, never a mixture.

    Needs the folder's lock: what a killed process left as temporary file is overwritten.

    Raises:
        OSError: the content cannot be stored; the file is as before.
    """
    try:
        stage(path, content)
        commit(path)
    finally:
        temporary(path).unlink(missing_ok=True)


def stage(path: Path, content: bytes) -> None:
    """Put a file's new content on disk, beside the file.

    Raises:
        OSError: the content cannot be stored.
    """
    beside = temporary(path)
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(descriptor)


def commit(path: Path) -> None:
    """Put what was staged in the place of the file.

    Raises:
        OSError: the disk failed.
    """
    os.replace(temporary(path), path)  # noqa: PTH105
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make the folder's names durable, where the system can.

    Raises:
        OSError: the disk failed.
    """
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems have no durable folders to offer; the file itself is on disk all the same.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for one writer among all processes that share it; it is made if it is missing.

    The lock file lives in a sub-folder that tells git to ignore it.

    Raises:
        RobustError: the folder cannot be made or written, or another process holds it for a minute.
    """
    from filelock import FileLock, Timeout

    beside = folder / LOCK_FOLDER
    try:
        beside.mkdir(parents=True, exist_ok=True)
        ignore = beside / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        lock = FileLock(beside / "write", timeout=LOCK_SECONDS)
        lock.acquire()
    except Timeout:
        raise RobustError(
            f"{shown(folder)} is held by another process for {LOCK_SECONDS:g} s; wait for its update and run again"
        ) from None
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def unwritable(folder: Path, error: OSError, done: Sequence[str] = ()) -> RobustError:
    """The sentence for a folder that refuses to be written; `done` are the models that were written before."""
    before = f"; before that {', '.join(done)} had been written" if done else ""
    return RobustError(
        f"the golden in {shown(folder)} cannot be written ({error.strerror or error}) and is left as it was{before}; "
        "check that it is a folder with room and write permission"
    )
