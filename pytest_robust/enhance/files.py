"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def check(path: Path) -> None:
    """Find out before the work, and not after it, whether `replace` can put a file there; its folder is made.

    Raises:
        RobustError: it cannot.
    """
    if path.is_dir():
        raise RobustError(f"{path} cannot be written (it is a folder); choose another place")
    with _beside(path) as temporary:
        temporary.touch()


def replace(path: Path, content: bytes) -> None:
    """Put a file in its place in one step, making its folder.

    Raises:
        RobustError: it cannot be written.
    """
    with _beside(path) as temporary:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A place in the same folder for a file that is not whole yet."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
    except OSError as error:
        raise RobustError(f"{path} cannot be written ({error.strerror}); choose another place") from error
    finally:
        with suppress(OSError):
            temporary.unlink()
