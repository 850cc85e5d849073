"""What the tests do in other processes: be killed at every step of a write, write at once, run out of disk.

Run as ``python -m tests.golden.child MODE FOLDER ...``; the folder belongs to the test that starts it.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_robust.errors import RobustError
from pytest_robust.golden import GoldenFile, read, write

from .build import KEYS, MODEL, SPEC, entries, golden, update

STEPS = ("open", "fsync", "replace", "unlink", "mkdir")


def after(scenario: str, held: GoldenFile | None) -> GoldenFile:
    """The state that a scenario writes over the one it finds."""
    if scenario == "first":
        return golden()
    if scenario == "update":
        return update(held, entries({KEYS[1]: 5}))
    return GoldenFile(SPEC, MODEL)


class Disk:
    """A disk that keeps only what was synced, for a process that is killed before its step-th change to it.

    With `power_cut`, files that were not synced since they were made lose their second half, and of several
    changes of names since the folder was synced the first is undone: the disk may have kept only the later ones.
    """

    def __init__(self, folder: Path, step: int, *, power_cut: bool) -> None:
        self.folder, self.left, self.power_cut = folder, step, power_cut
        self.synced = {path.stat().st_ino for path in folder.iterdir()}
        self.renamed: list[tuple[Path, bytes | None]] = []
        for name in STEPS:
            setattr(os, name, self.wrapped(name, getattr(os, name)))

    def wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                self.die()
            changed = {"replace": args[-1], "unlink": args[0]}.get(name)
            before = content(Path(changed)) if changed is not None and self.power_cut else None
            result = real(*args, **named)
            if changed is not None:
                self.renamed.append((Path(changed), before))
            if name == "fsync":
                status = os.fstat(args[0])
                self.synced.add(status.st_ino)
                if stat.S_ISDIR(status.st_mode):
                    self.renamed.clear()
            return result

        return call

    def die(self) -> None:
        self.left = -1
        if self.power_cut:
            if len(self.renamed) > 1:
                path, before = self.renamed[0]
                path.unlink() if before is None else path.write_bytes(before)
            for path in self.folder.iterdir():
                if path.is_file() and path.stat().st_ino not in self.synced:
                    os.truncate(path, path.stat().st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def kill(folder: Path, scenario: str, power_cut: bool) -> None:
    """Copies `folder/0` to `folder/1`, `folder/2`, ... and is killed in each one step later, until it is done."""
    held = read(folder / "0", MODEL)
    new = after(scenario, held)
    for step in range(1, 200):
        copy = folder / str(step)
        shutil.copytree(folder / "0", copy)
        process = os.fork()
        if process == 0:
            Disk(copy, step, power_cut=power_cut)
            write(copy, new, expected=held)
            os._exit(0)
        if os.waitpid(process, 0)[1] == 0:
            print(step)
            return


def add(folder: Path, *keys: str) -> None:
    """Adds its cells one by one to a golden that others write at the same time."""
    refused = 0
    for key in keys:
        while True:
            held = read(folder, MODEL)
            new = update(held, entries({key: 4}), planned=[f"{name}{index}" for name in "ab" for index in range(9)])
            try:
                write(folder, new, expected=held)
                break
            except RobustError as error:
                if "changed by another process" not in str(error):
                    raise
                refused += 1
    print(refused)


def full(folder: Path) -> None:
    """Writes with room for ever more bytes per file, and prints the room and the outcome."""
    import resource

    held = read(folder / "0", MODEL)
    new = after("update", held)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    for room in [*range(0, 4000, 131), 100_000]:
        copy = folder / str(room + 1)
        shutil.copytree(folder / "0", copy)
        (copy / ".gitattributes").unlink()
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
        try:
            write(copy, new, expected=held)
            outcome = "written"
        except RobustError as error:
            outcome = str(error)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        print(room, outcome)


if __name__ == "__main__":
    mode, where, *rest = sys.argv[1:]
    if mode == "kill":
        kill(Path(where), rest[0], rest[1] == "power cut")
    elif mode == "add":
        add(Path(where), *rest)
    else:
        full(Path(where))
