"""Files of the user's that are there whole or not at all, and the sentence where they cannot be."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def check(path: Path, what: str) -> None:
    """Find out before the work, and not after it, whether a file can be put there; nothing is made.

    Args:
        path: of the file.
        what: how a sentence names it, such as ``report``.

    Raises:
        RobustError: it is a folder, or no file can be written into its folder.
    """
    with telling(path, what):
        if path.is_dir():
            raise OSError(0, "it is a folder")
        above = next(folder for folder in path.absolute().parents if folder.exists())
        with tempfile.TemporaryFile(dir=above):
            pass


def replace(path: Path, content: bytes, what: str) -> None:
    """Give a file its content in one step, making its folder.

    Raises:
        RobustError: it cannot be written; what was there is as before.
    """
    replace_all({path: content}, what)


def replace_all(contents: Mapping[Path, bytes], what: str) -> None:
    """Give several files their content, in this order, once all of it is on the disk; folders are made.

    Raises:
        RobustError: one cannot be written; unless the disk fails between two renames, all are as before.
    """
    temporaries = {path: _temporary(path) for path in contents}
    try:
        for path, content in contents.items():
            with telling(path, what):
                path.parent.mkdir(parents=True, exist_ok=True)
                with _durable(temporaries[path]) as stream:
                    stream.write(content)
        for path, temporary in temporaries.items():
            with telling(path, what):
                temporary.replace(path)
    finally:
        for temporary in temporaries.values():
            _remove(temporary)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content takes the place of a file when the block ends well; its folder is made.

    Raises:
        OSError: it cannot be written; what was there is as before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        with _durable(temporary) as stream:
            yield stream
        temporary.replace(path)
    finally:
        _remove(temporary)


@contextmanager
def telling(path: Path, what: str) -> Iterator[None]:
    """What the system refuses within the block, as a sentence that names the file.

    Raises:
        RobustError: the system refused something.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise RobustError(f"the {what} {path} cannot be written ({reason}); choose another place") from error


@contextmanager
def _durable(path: Path) -> Iterator[BinaryIO]:
    """A new file, whose content is on the disk when the block has ended."""
    with path.open("wb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


def _temporary(path: Path) -> Path:
    """Where the new content waits: a name of this writer alone, whatever processes and threads write the same file."""
    return path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
