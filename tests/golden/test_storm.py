"""Two hundred updates, each killed at a random moment: the golden is the old one or the new one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_robust import measurement as package

KILLS, HALF = 200, 50


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
def test_two_hundred_kills_never_leave_anything_but_the_old_or_the_new_pair(tmp_path: Path) -> None:
    path = [str(Path(package.__file__).parents[1]), str(Path(__file__).parents[2])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.golden.storm", str(tmp_path), str(KILLS), str(HALF)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    print(f"{seen['kills']} kills, {seen['half']} between the first temporary write and the replacement of the JSON")
    assert seen["kills"] >= KILLS
    assert seen["half"] >= HALF
    assert seen["new"] > 10, "kills after an update took effect"
    assert seen["old"] > 10
    assert seen["updates"] > KILLS / 4, "the next process was never hindered by what a killed one left"
    # what is left after the last kill goes with the next update
    assert len(list((tmp_path / "live").glob("*.npz"))) <= 2
