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


def die_at(step: int, torn: bool) -> None:
    """Let this process be killed before its step-th change to the disk, a file being synced cut in half first."""
    left = step

    def wrapped(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                if torn and name == "fsync" and stat.S_ISREG(os.fstat(args[0]).st_mode):
                    os.ftruncate(args[0], os.fstat(args[0]).st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **named)

        return call

    for name in STEPS:
        setattr(os, name, wrapped(name, getattr(os, name)))


def kill(folder: Path, scenario: str, torn: bool) -> None:
    """Copies `folder/0` to `folder/1`, `folder/2`, ... and is killed in each one step later, until it is done."""
    held = read(folder / "0", MODEL)
    new = after(scenario, held)
    for step in range(1, 200):
        copy = folder / str(step)
        shutil.copytree(folder / "0", copy)
        process = os.fork()
        if process == 0:
            die_at(step, torn)
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
        kill(Path(where), rest[0], rest[1] == "torn")
    elif mode == "add":
        add(Path(where), *rest)
    else:
        full(Path(where))
