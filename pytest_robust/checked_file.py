"""Opening a file that a user may lack: missing, unreadable or only the pointer that Git LFS leaves in its place."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

_POINTER = b"version https://git-lfs"


@contextmanager
def checked_file(path: Path, what: str, missing: str) -> Iterator[BufferedReader]:
    """A file that was looked at, open for reading from its start.

    Args:
        path: where it lies.
        what: how a sentence begins that speaks of it.
        missing: how that goes on where there is no such file, with the remedy.

    Raises:
        RobustError: there is none, it cannot be read, or it is a Git LFS pointer.
    """
    try:
        with path.open("rb") as stream:
            if stream.read(len(_POINTER)) == _POINTER:
                raise RobustError(f"{what} is only a Git LFS pointer; fetch the file with `git lfs pull`")
            stream.seek(0)
            yield stream
    except FileNotFoundError:
        raise RobustError(f"{what} {missing}") from None
    except OSError as error:
        raise RobustError(f"{what} cannot be read ({error.strerror or error}); check its permissions") from error
