"""Kills a process in the middle of its updates, again and again, and looks at the golden after each.

Run as ``python -m tests.golden.storm FOLDER KILLS HALF``; the folder belongs to the test that starts it. The last line
of its output is JSON: ``kills``, ``half`` (those between the first temporary write of an update and the replacement
of the JSON), ``old`` and ``new`` (whether the golden is the one that the process found), ``updates`` (completed).
"""

from __future__ import annotations

import json
import mmap
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

from pytest_robust.golden import GoldenFile, read, write

from .build import KEYS, MODEL, SPEC, entries, samples, update

COUNT, CELLS = 400, 25
IDLE, HALF, DONE = 0, 1, 2

Pair = tuple[bytes, bytes]


def states() -> tuple[GoldenFile, GoldenFile]:
    """Two goldens of a common size that differ in some cells."""
    of = samples(COUNT)
    keys = [*KEYS, *(f"imagenet-c.snow-{index}" for index in range(CELLS - len(KEYS)))]
    one = update(None, entries(dict.fromkeys(keys, 300), of=of), planned=keys)
    two = update(one, entries(dict.fromkeys(keys[::2], 250), of=of), planned=keys)
    return one, two


def pair(folder: Path) -> Pair:
    """The bytes of the JSON and of the npz that it names."""
    content = (folder / f"{MODEL}.json").read_bytes()
    npz = folder / f"{MODEL}.{json.loads(content)['digest'][:16]}.npz"
    return content, npz.read_bytes()


def announce(phase: mmap.mmap) -> None:
    """Let this process keep in shared memory how far its update is, which a kill does not undo."""

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]).endswith(".tmp") and phase[0] == IDLE:
            phase[0] = HALF
        elif event == "os.rename" and str(arguments[1]).endswith(f"{MODEL}.json"):
            # the call is about to be made: from here on either pair may be found
            phase[0] = DONE

    sys.addaudithook(watch)


def updates(folder: Path, both: tuple[GoldenFile, GoldenFile], at: int, phase: mmap.mmap) -> None:
    """Put each state in the place of the other, the first of them over state `at`, until killed."""
    announce(phase)
    while True:
        phase[0] = IDLE
        write(folder, both[1 - at], expected=both[at])
        phase[1] = (phase[1] + 1) % 256
        at = 1 - at


def main(folder: Path, kills: int, half: int) -> None:
    """Kill `kills` times, and on until `half` of them came between the first temporary write and the replacement."""
    both, pairs = states(), []
    for index, state in enumerate(both):
        write(folder / str(index), state, expected=None)
        pairs.append(pair(folder / str(index)))
    live = folder / "live"
    write(live, both[0], expected=None)
    begun = time.perf_counter()
    write(live, both[1], expected=both[0])
    lasting = time.perf_counter() - begun
    phase = mmap.mmap(-1, 2)
    choice = random.Random(0)
    seen = {"kills": 0, "half": 0, "old": 0, "new": 0, "updates": 0}
    while seen["kills"] < kills or seen["half"] < half:
        before = pairs.index(pair(live))
        phase[0] = phase[1] = IDLE
        child = os.fork()
        if child == 0:
            updates(live, both, before, phase)
        time.sleep(choice.uniform(0, 3 * lasting))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL, "it lived until it was killed"
        found = pair(live)
        assert found in pairs, "neither the old pair nor the new one"
        assert read(live, MODEL, spec=SPEC) is not None, "and it agrees with all its digests"
        seen["kills"] += 1
        seen["half"] += phase[0] == HALF
        seen["old" if found == pairs[before] else "new"] += 1
        seen["updates"] += phase[1]
    print(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
