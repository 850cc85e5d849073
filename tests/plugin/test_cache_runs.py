"""Runs that share a cache: the same report, after kills and damage too; and the options that say where it lies."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pytest_robust
from tests.onnx_models import classifier
from tests.plugin.project import NET, Project
from tests.plugin.test_extension import CONFTEST as OWN_SHIFT
from tests.plugin.test_parallel import TWO_MODELS, two_models

KEPT = Path(".pytest_cache", "d", "robust")


def report(project: Project, *options: str, process: bool = False) -> dict[str, Any]:
    """The report of a run."""
    run = project.run("--robust-report=out.json", *options, process=process)
    found: dict[str, Any] = json.loads((project.path / "out.json").read_text())
    assert len(found["cells"]) > 0, run.text
    return found


def without_times(found: dict[str, Any]) -> dict[str, Any]:
    """A report but for times and `cached`."""
    run = {key: value for key, value in found["run"].items() if key not in ("started", "duration_s")}
    cells = [{key: value for key, value in cell.items() if key not in ("seconds", "cached")} for cell in found["cells"]]
    return {**found, "run": run, "cells": cells}


def cached(found: dict[str, Any]) -> list[bool]:
    return [cell["cached"] for cell in found["cells"]]


def files(project: Project, kind: str) -> list[Path]:
    return sorted((project.path / KEPT / kind).iterdir())


@pytest.mark.parametrize("workers", [(), ("-n2",), ("-n2", "--dist=loadscope")])
def test_the_report_of_a_cached_run_is_that_of_the_first(project: Project, workers: tuple[str, ...]) -> None:
    two_models(project)
    project.record()
    shutil.rmtree(project.path / KEPT)
    first = report(project, *workers, process=True)
    second = report(project, *workers, process=True)
    alone = report(project)
    assert cached(first) == [False] * 2 * len(NET)
    assert cached(second) == cached(alone) == [True] * 2 * len(NET)
    assert without_times(first) == without_times(second) == without_times(alone)
    assert [cell["seconds"] for cell in second["cells"]] == [cell["seconds"] for cell in first["cells"]]


LOADED = """
import sys

def pytest_unconfigure(config):
    from pathlib import Path
    heavy = {"torch", "onnxruntime", "onnx", "cv2", "PIL"} & set(sys.modules)
    Path("loaded.txt").write_text(" ".join(sorted(heavy)))
"""


def test_a_cached_run_loads_no_runtime_and_opens_no_image(project: Project) -> None:
    project.spec(
        """
        format: 1
        dataset: {source: digits, limit: 50}
        models: {net: {path: ../net.onnx}}
        shifts:
          - {suite: imagenet-c, corruptions: [contrast], severities: [1, 2]}
          - {suite: fourier, amplitude_swap: [1.0]}
        thresholds: [{min_accuracy: 0}]
        """
    )
    classifier(project.path / "net.onnx", [[1.0] * 10] * 3)
    project.pytester.makeconftest(LOADED)
    assert project.run(process=True).code == 0
    assert "onnxruntime" in (project.path / "loaded.txt").read_text()
    run = project.run(process=True)
    assert run.has("^0 passes for 0 shifts; 4 of 4 cells from the cache$"), run.text
    assert (project.path / "loaded.txt").read_text() == ""


KILLED = """
import os
import signal
import threading
from pathlib import Path

from pytest_robust.models import Model

predict = Model.predict
one_lane = threading.Lock()

def counted(self, *arguments, **options):
    left = Path("left.txt")
    with one_lane:
        if left.exists():
            count = int(left.read_text())
            if not count:
                os.kill(os.getpid(), signal.SIGKILL)
            left.write_text(str(count - 1))
    return predict(self, *arguments, **options)

Model.predict = counted
"""


@pytest.mark.parametrize("finished", [0, 1, 4])
def test_a_killed_run_goes_on_at_the_first_unfinished_cell(project: Project, finished: int) -> None:
    project.pytester.makeconftest(KILLED)
    project.edit("  - {max_regression: 0.02, max_negative_flips: 0.05}\n", "")
    batches = 2 * 300 // 256
    (project.path / "left.txt").write_text(str(finished * batches))
    killed = project.run("--robust-batch-size=256", process=True)
    assert killed.code == -signal.SIGKILL
    (project.path / "left.txt").unlink()
    resumed = report(project, "--robust-batch-size=256", process=True)
    assert cached(resumed) == [True] * finished + [False] * (len(NET) - finished)
    assert cached(report(project, "--robust-batch-size=256")) == [True] * len(NET)


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_damaged_entry_is_measured_anew_with_a_note(project: Project) -> None:
    first = report(project)
    damage(files(project, "cells")[3])
    second = report(project)
    assert cached(second).count(False) == 1
    (made,) = [cell for cell in second["cells"] if not cell["cached"]]
    sentence = "the cache held this measurement damaged, so it was made anew"
    assert made["notes"] == [sentence]
    assert sentence in made["reasons"]
    third = report(project)
    assert cached(third) == [True] * len(NET)
    assert without_times(third) == without_times(first)


def test_damaged_samples_and_canvases_are_made_anew_too(project: Project) -> None:
    first = report(project)
    (samples,) = files(project, "samples")
    damage(samples)
    (canvases,) = [path for path in files(project, "canvases") if path.suffix == ".npy"]
    damage(canvases)
    second = report(project)
    assert cached(second) == [False] + [True] * (len(NET) - 1)
    (damaged,) = [cell["notes"] for cell in second["cells"] if cell["notes"]]
    assert damaged == [
        "the cache held this measurement damaged, so it was made anew",
        "the cache held 1 canvas damaged, decoded anew",
    ]
    assert [cell["correct"] for cell in second["cells"]] == [cell["correct"] for cell in first["cells"]]
    assert without_times(report(project)) == without_times(first)


def test_a_failure_is_not_kept(project: Project) -> None:
    whole = (project.path / "net.onnx").read_bytes()
    (project.path / "net.onnx").write_bytes(whole[:40])
    assert {cell["verdict"] for cell in report(project)["cells"]} == {"ERROR"}
    assert not (project.path / KEPT / "cells").exists()
    (project.path / "net.onnx").write_bytes(whole)
    assert cached(report(project)) == [False] * len(NET)


def test_a_pin_that_does_not_match_is_an_error_though_the_cells_are_cached(project: Project) -> None:
    report(project)
    project.edit("{path: ../net.onnx}", "{path: ../net.onnx, sha256: '" + "0" * 64 + "'}")
    found = report(project)
    assert {cell["verdict"] for cell in found["cells"]} == {"ERROR"}
    assert "not the pinned" in found["cells"][0]["reasons"][0]


def test_a_shift_of_ones_own_is_measured_again_when_its_file_changes(project: Project) -> None:
    project.pytester.makeconftest(OWN_SHIFT)
    project.edit("{suite: scaling, mode: down_up, multiples: [0.5, 2]}", "{suite: mine}")
    report(project, process=True)
    assert cached(report(project, process=True)) == [True] * len(NET)
    project.pytester.makeconftest(OWN_SHIFT.replace("images // divisor", "images // divisor + 1"))
    found = report(project, process=True)
    assert [cell["id"].split("::")[-1] for cell in found["cells"] if not cell["cached"]] == ["mine.dim-1", "mine.dim-2"]


def test_the_batch_size_and_the_device_are_part_of_a_measurement(project: Project) -> None:
    report(project)
    assert cached(report(project, "--robust-batch-size=100")) == [False] * len(NET)
    assert cached(report(project, "--robust-limit=60")) == [False] * len(NET)
    assert cached(report(project, "--robust-limit=300")) == [False] * len(NET)
    assert cached(report(project)) == [True] * len(NET)
    # on a machine without CUDA both are the CPU
    found = report(project, "--robust-device=cpu")
    if found["run"]["device"] == report(project)["run"]["device"]:
        assert cached(found) == [True] * len(NET)


@pytest.mark.parametrize(
    "options", [("--robust-no-cache",), ("-o", "robust_no_cache=true"), ("-p", "no:cacheprovider")]
)
def test_without_a_cache_nothing_is_kept(project: Project, options: tuple[str, ...]) -> None:
    for _ in range(2):
        assert cached(report(project, *options)) == [False] * len(NET)
    assert not (project.path / KEPT).exists()


def test_where_the_cache_lies_and_how_large_it_is(project: Project) -> None:
    (project.path / "pyproject.toml").write_text(
        "[tool.pytest]\nrobust_cache = 'kept'\nrobust_cache_size = '1M'\nrobust_no_cache = true\n"
    )
    assert cached(report(project)) == [False] * len(NET)
    assert not (project.path / "kept").exists()
    assert cached(report(project, "--robust-cache=other")) == [False] * len(NET)
    assert cached(report(project, "--robust-cache=other")) == [True] * len(NET)
    assert cached(report(project, "-o", "robust_no_cache=false")) == [False] * len(NET)
    assert cached(report(project, "-o", "robust_no_cache=false")) == [True] * len(NET)
    assert {path.name for path in project.path.iterdir()} >= {"kept", "other"}
    assert cached(report(project, "--robust-cache=other", "--robust-cache-size=5000")) == [True] * len(NET)
    assert sum(path.stat().st_size for path in (project.path / "other" / "cells").iterdir()) < 5000
    assert False in cached(report(project, "--robust-cache=other"))
    assert not (project.path / KEPT).exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--robust-cache=specs",), "--robust-cache: .*specs holds other things; name a new or an empty folder"),
        (("--robust-cache=net.onnx",), "net.onnx holds other things"),
        (("--robust-cache=kept", "--robust-no-cache"), "exclude each other; choose one"),
        (("--robust-cache-size=big",), "--robust-cache-size=big: write bytes, or a number with K, M, G or T, as in 5G"),
        (("--robust-cache-size=0",), "write bytes"),
        (("--robust-cache-size=1.5G",), "write bytes"),
    ],
)
def test_an_option_that_cannot_be_is_one_sentence(project: Project, options: tuple[str, ...], sentence: str) -> None:
    run = project.run(*options)
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert run.has(f"^ERROR: .*{sentence}")
    assert "Traceback" not in run.text


def test_processes_that_run_at_once_share_one_cache(project: Project) -> None:
    two_models(project)
    command = [sys.executable, "-m", "pytest", "--robust-spec=specs/small.yaml", "-q"]
    running = [
        subprocess.Popen([*command, f"--robust-report={name}.json"], cwd=project.path, stdout=subprocess.PIPE)
        for name in ("one", "two")
    ]
    for process in running:
        process.communicate(timeout=120)
    one, two = (json.loads((project.path / f"{name}.json").read_text()) for name in ("one", "two"))
    assert without_times(one)["cells"] == without_times(two)["cells"]
    assert [cell["notes"] for cell in one["cells"] + two["cells"]] == [[]] * 4 * len(NET)
    assert cached(report(project)) == [True] * 2 * len(NET)


def test_two_specs_share_what_they_have_in_common(project: Project) -> None:
    report(project)
    shutil.copytree(project.path / "specs", project.path / "others")
    shutil.copy(project.path / "net.onnx", project.path / "others" / "same.onnx")
    (project.path / "others" / "small.yaml").write_text(
        TWO_MODELS.replace("../net.onnx", "same.onnx")
        .replace("  weak: {like: net, path: ../weak.onnx}\n", "")
        .replace("net: {path", "renamed: {path")
    )
    found = report(project, "--robust-spec=others/small.yaml", "-k", "renamed")
    assert cached(found) == [True] * len(NET)


def test_evaluate_keeps_what_it_is_told_to(project: Project) -> None:
    spec = project.path / "specs" / "small.yaml"
    for expected in (False, True):
        found = pytest_robust.evaluate(spec, cache=project.path / "kept", select="clean")
        assert cached(found) == [expected]
    assert cached(pytest_robust.evaluate(spec, select="clean")) == [False]
    (project.path / "pyproject.toml").write_text("[tool.pytest]\nrobust_cache = 'kept'\n")
    assert cached(pytest_robust.evaluate(spec, select="clean")) == [True]
    assert cached(pytest_robust.evaluate(spec, select="clean", no_cache=True)) == [False]


def test_a_cache_that_cannot_be_written_costs_no_measurement(project: Project) -> None:
    folder = project.path / KEPT
    folder.mkdir(parents=True)
    (folder / "cells").write_text("in the way")
    found = report(project)
    assert cached(found) == [False] * len(NET)
    (note,) = {note for cell in found["cells"] for note in cell["notes"]}
    assert re.fullmatch(r"this measurement is not kept for later runs: \S+ cannot be written: \S.*", note)


def test_the_help_names_every_option(project: Project) -> None:
    run = project.run("--help", spec=False)
    for name in ("--robust-cache=DIR", "--robust-no-cache", "--robust-cache-size=SIZE"):
        assert name in run.text
    for name in ("robust_cache ", "robust_no_cache ", "robust_cache_size "):
        assert name in run.text
