"""The folder of a run in the system's temporary folder: held by its processes, and swept once all of them are dead.

Every process that uses the folder holds a lock in it. A killed process leaves its lock free, so a later run knows
a folder that nobody will come back to from one that is in use.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = "pytest-robust-run-"

_YOUNG_S = 60
"""A younger folder may belong to a process that has not locked it yet."""

_OLD_S = 86_400
"""A folder in which nobody ever held a lock is left alone for so long."""


def run_folder(run: str) -> Path:
    """The folder of a run on this host; workers on other hosts make their own under the same name."""
    return Path(tempfile.gettempdir()) / f"{PREFIX}{run}"


def hold(folder: Path, process: str) -> Callable[[], None]:
    """Make the folder, and keep others from sweeping it until what is returned is called; sweep the others' first."""
    from filelock import FileLock

    sweep()
    alive = folder / "alive"
    alive.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(alive / process)
    lock.acquire()
    return lock.release


def own(folder: Path, process: str) -> Callable[[], None]:
    """Hold the folder as the process that removes it: when what is returned is called, or on SIGTERM."""
    release = hold(folder, process)
    remove = removal(folder)

    def close() -> None:
        release()
        remove()

    return close


def removal(folder: Path) -> Callable[[], None]:
    """What removes a folder; SIGTERM does so too from now on, before it ends the process, unless others handle it."""
    owner = os.getpid()

    def end(number: int, frame: object) -> None:
        # a forked process has the handler too
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)

    main = threading.current_thread() is threading.main_thread()
    ours = main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, end)

    def remove() -> None:
        if ours and signal.getsignal(signal.SIGTERM) is end:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        shutil.rmtree(folder, ignore_errors=True)

    return remove


def sweep() -> None:
    """Remove the folders of this user's runs whose processes are all dead."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        # another run may be sweeping too
        with suppress(OSError):
            _sweep(folder)


def _sweep(folder: Path) -> None:
    from filelock import FileLock, Timeout

    found = folder.lstat()
    mine = not hasattr(os, "getuid") or found.st_uid == os.getuid()
    age = time.time() - found.st_mtime
    if not stat.S_ISDIR(found.st_mode) or not mine or age < _YOUNG_S:
        return
    locks = list((folder / "alive").iterdir()) if (folder / "alive").is_dir() else []
    if not locks and age < _OLD_S:
        return
    with ExitStack() as held, suppress(Timeout):
        for path in locks:
            held.enter_context(FileLock(path).acquire(timeout=0))
        shutil.rmtree(folder, ignore_errors=True)
