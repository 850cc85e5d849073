"""The pair under violence: a process killed at every step, writers at once, a full disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_robust import measurement as package
from pytest_robust.golden import GoldenFile, arrays, read, write

from .build import KEYS, MODEL, SPEC, entries, golden, meaning, update

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and resource limits")


def start(*words: object) -> subprocess.Popen[str]:
    path = [str(Path(package.__file__).parents[1]), str(Path(__file__).parents[2])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.golden.child", *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return output


@pytest.mark.parametrize("way", ["kill", "power cut"])
@pytest.mark.parametrize("scenario", ["first", "update", "remove"])
def test_killed_at_any_step_the_pair_is_the_old_or_the_new(scenario: str, way: str, tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    old = None if scenario == "first" else golden()
    if old is not None:
        write(tmp_path / "0", old, expected=None)
    new = {"first": golden(), "update": update(old, entries({KEYS[1]: 5})), "remove": None}[scenario]
    steps = int(finish(start("kill", tmp_path, scenario, way)))
    assert steps > 5
    seen = []
    for step in range(1, steps + 1):
        folder = tmp_path / str(step)
        found = read(folder, MODEL, spec=SPEC)
        seen.append(meaning(found) == meaning(new))
        assert seen[-1] or meaning(found) == meaning(old), f"step {step}"
        # The next writer is not hindered and leaves a clean folder.
        write(folder, update(found, entries({KEYS[0]: 2})), expected=found)
        names = sorted(path.name for path in folder.iterdir())
        assert len(names) == 4, names
        assert not [name for name in names if name.endswith(".tmp")]
    assert seen == sorted(seen), "once new, always new"
    assert seen[0] is False
    assert seen[-1] is True
    assert seen.count(True) > 1, "killed after the commit at least once"


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    processes = [start("add", tmp_path, *(f"{name}{index}" for index in range(9))) for name in "ab"]
    while any(process.poll() is None for process in processes):
        read(tmp_path, MODEL, spec=SPEC)
    for process in processes:
        finish(process)
    found = read(tmp_path, MODEL)
    assert found is not None
    assert sorted(found.recordings["cpu"].cells) == sorted(f"{name}{index}" for name in "ab" for index in range(9))
    assert len(list(tmp_path.glob("*.npz"))) == 1


def test_a_reader_that_is_overtaken_by_a_writer_reads_the_new_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = golden()
    new = update(old, entries({KEYS[1]: 5}))
    write(tmp_path, old, expected=None)
    unpack = arrays.unpack

    def overtaken(path: Path) -> object:
        monkeypatch.undo()
        write(tmp_path, new, expected=old)
        return unpack(path)

    monkeypatch.setattr(arrays, "unpack", overtaken)
    assert meaning(read(tmp_path, MODEL)) == meaning(new)


def test_a_full_disk_leaves_the_old_pair(tmp_path: Path) -> None:
    old = golden()
    new = update(old, entries({KEYS[1]: 5}))
    write(tmp_path / "0", old, expected=None)
    lines = finish(start("full", tmp_path)).splitlines()
    outcomes = dict(line.split(" ", 1) for line in lines)
    sizes = [path.stat().st_size for path in (tmp_path / "0").glob(f"{MODEL}.*")]
    for room, outcome in outcomes.items():
        folder = tmp_path / str(int(room) + 1)
        if int(room) < min(sizes) - 100:
            assert "cannot be written (File too large) and is left as it was" in outcome
        if int(room) > max(sizes) + 100:
            assert outcome == "written"
        expected: GoldenFile = new if outcome == "written" else old
        assert meaning(read(folder, MODEL)) == meaning(expected)
        names = {path.name for path in folder.iterdir()}
        assert not [name for name in names if name.endswith(".tmp")], "nothing half-written stays"
        assert len([name for name in names if name.startswith(MODEL)]) == 2
    assert "0" in outcomes
    assert any(min(sizes) + 100 < int(room) < max(sizes) - 100 for room in outcomes), "the JSON alone failed too"
