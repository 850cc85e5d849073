"""The folder of a run: gone with the run however it ends, and what a killed run left goes with the next one."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_robust.scratch import PREFIX, hold, own, removal, sweep
from tests.plugin.project import Project

SLOW = """
import os
import time
from pathlib import Path

from pytest_robust.models import Model

predict = Model.predict

def slow(self, canvases, *args, **kwargs):
    Path("started").touch()
    time.sleep(60)
    return predict(self, canvases, *args, **kwargs)

Model.predict = slow
"""


@pytest.fixture
def scratch(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's temporary folder, as far as this test is concerned."""
    folder = tmp_path_factory.mktemp("scratch")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    return folder


def left(scratch: Path) -> list[str]:
    return sorted(path.name for path in scratch.glob(f"{PREFIX}*"))


def aged(folder: Path, seconds: float) -> Path:
    then = time.time() - seconds
    os.utime(folder, (then, then))
    return folder


@pytest.fixture
def running(project: Project, scratch: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Runs that were started; none outlives its test."""
    project.pytester.makeconftest(SLOW)
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        # its workers too
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def start(project: Project, started: list[subprocess.Popen[bytes]], *arguments: str) -> subprocess.Popen[bytes]:
    call = [sys.executable, "-m", "pytest", "--robust-spec=specs/small.yaml", "-k", "clean", *arguments]
    process = subprocess.Popen(call, cwd=project.path, stdout=subprocess.DEVNULL, start_new_session=True)
    started.append(process)
    until = time.monotonic() + 60
    while not (project.path / "started").exists():
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.05)
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("workers", [[], ["-n1"]])
def test_a_run_that_is_told_to_end_removes_its_folder(
    project: Project, scratch: Path, running: list[subprocess.Popen[bytes]], workers: list[str]
) -> None:
    process = start(project, running, *workers)
    assert len(left(scratch)) == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == -signal.SIGTERM, "it ends as any process does"
    assert left(scratch) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_what_a_killed_run_left_goes_with_the_next_and_a_living_run_keeps_its_own(
    project: Project, scratch: Path, running: list[subprocess.Popen[bytes]]
) -> None:
    killed = start(project, running)
    (dead,) = left(scratch)
    killed.kill()
    killed.wait()
    (project.path / "started").unlink()
    start(project, running)
    (living,) = set(left(scratch)) - {dead}
    assert dead in left(scratch), "too young to be sure of"
    for name in (dead, living):
        aged(scratch / name, 120)
    (project.path / "conftest.py").unlink()
    project.run("-k", "clean", process=True)
    assert left(scratch) == [living]


def test_only_a_folder_that_nobody_holds_is_swept(scratch: Path) -> None:
    held, young, free, never, old, other = (scratch / f"{PREFIX}{name}" for name in "abcdef")
    release = hold(held, "main")
    for folder in (young, free):
        hold(folder, "main")()
    (free / "alive" / "gw1").touch()
    other = other.with_name("pytest-robust-cache-x")
    for folder in (never, old, other):
        (folder / "cells").mkdir(parents=True)
    (scratch / f"{PREFIX}link").symlink_to(other)
    for folder in (held, free, never):
        aged(folder, 3600)
    for folder in (old, other):
        aged(folder, 3 * 86_400)
    sweep()
    assert sorted(path.name[-1] for path in scratch.iterdir()) == sorted("abdkx")
    release()
    sweep()
    assert not held.exists()


def test_one_living_worker_keeps_the_folder_of_all(scratch: Path) -> None:
    folder = scratch / f"{PREFIX}run"
    hold(folder, "gw0")()
    release = hold(folder, "gw1")
    aged(folder, 3600)
    sweep()
    assert folder.is_dir()
    release()
    sweep()
    assert not folder.exists()


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="gives a folder away")
def test_a_folder_of_another_user_is_left_alone(scratch: Path) -> None:
    folder = scratch / f"{PREFIX}theirs"
    hold(folder, "main")()
    os.chown(folder, 12345, 12345)
    aged(folder, 3 * 86_400)
    sweep()
    assert folder.is_dir()


def test_whoever_handles_sigterm_already_goes_on_handling_it(scratch: Path) -> None:
    def mine(number: int, frame: object) -> None: ...

    before = signal.signal(signal.SIGTERM, mine)
    try:
        removal(scratch / "x")()
        assert signal.getsignal(signal.SIGTERM) is mine
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        close = own(scratch / f"{PREFIX}y", "main")
        assert signal.getsignal(signal.SIGTERM) not in (mine, signal.SIG_DFL)
        close()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert left(scratch) == []
        remove = removal(scratch / "z")
        signal.signal(signal.SIGTERM, mine)
        remove()
        assert signal.getsignal(signal.SIGTERM) is mine, "set by somebody during the run"
    finally:
        signal.signal(signal.SIGTERM, before)
