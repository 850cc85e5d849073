"""Many processes: the same verdicts, each shift made once, and the truth about a worker that died."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import pytest_robust
from tests.folder import Folder
from tests.plugin.project import NET, SPEC, Project

TWO_MODELS = SPEC.replace(
    "  net: {path: ../net.onnx}", "  net: {path: ../net.onnx}\n  weak: {like: net, path: ../weak.onnx}"
)


def two_models(project: Project) -> list[str]:
    project.spec(TWO_MODELS)
    project.model("weak", bias=12)
    return [*NET, *(name.replace("::net::", "::weak::") for name in NET)]


def measured(project: Project, *arguments: str) -> dict[str, tuple[int, str, str]]:
    """Correct, verdict and canvas digest of every cell of a run that makes every shift once."""
    run = project.run("--robust-report=out.json", "--robust-no-cache", *arguments, process=True)
    assert run.has(f"^{len(NET)} passes for {len(NET)} shifts; 0 of {2 * len(NET)} cells from the cache$"), run.text
    report = json.loads((project.path / "out.json").read_text())
    return {cell["id"]: (cell["correct"], cell["verdict"], cell["canvas_digest"]) for cell in report["cells"]}


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, str]]:
    """What one process measures."""
    project = Folder(tmp_path_factory.mktemp("serial"))
    names = two_models(project)
    project.run("--robust-report=out.json", "--robust-no-cache")
    cells = project.json("out.json")["cells"]
    assert sorted(cell["id"] for cell in cells) == sorted(names)
    return {cell["id"]: (cell["correct"], cell["verdict"], cell["canvas_digest"]) for cell in cells}


@pytest.mark.parametrize("dist", ["load", "worksteal", "loadscope", "loadfile", "loadgroup"])
def test_workers_change_nothing_and_every_shift_is_made_once(
    project: Project, serial: dict[str, tuple[int, str, str]], dist: str
) -> None:
    two_models(project)
    assert measured(project, "-n2", f"--dist={dist}") == serial


def test_the_controller_writes_what_workers_measured(project: Project) -> None:
    names = two_models(project)
    assert project.run("-n2", "--robust-update", process=True).code == 0
    parallel = project.files()
    shutil.rmtree(project.path / "golden")
    assert project.run("--robust-update", process=True).code == 0
    assert project.files() == parallel
    assert project.run("-n2", process=True).outcomes == {"passed": len(names)}


CRASH = """
import os

import pytest
from pytest_robust.models import Model

predict = Model.predict

def dying(self, canvases, **options):
    if os.environ.get("PYTEST_XDIST_WORKER") and self.provenance.model_sha256 == {sha!r}:
        import hashlib
        first = hashlib.sha256(canvases[:1].tobytes()).hexdigest()
        if first == {first!r}:
            os.kill(os.getpid(), 9)
    return predict(self, canvases, **options)

Model.predict = dying
"""


def digest(project: Project, shift: str, severity: float, index: int) -> str:
    """Of one shifted image."""
    images = np.load(project.path / "data.npz")["x"][index : index + 1]
    return hashlib.sha256(pytest_robust.apply_shift(images, shift, severity, ids=[f"{index:06}"]).tobytes()).hexdigest()


def crash_on(project: Project, model: Path, shift: str, severity: float) -> None:
    """Let a worker be killed while it shows `shift` to `model`."""
    sha, first = hashlib.sha256(model.read_bytes()).hexdigest(), digest(project, shift, severity, 0)
    project.pytester.makeconftest(CRASH.format(sha=sha, first=first))


@pytest.mark.parametrize("dist", ["load", "worksteal", "loadscope"])
def test_a_killed_worker_is_one_error_for_the_pair_it_ran_and_no_other_case_is_lost(
    project: Project, dist: str
) -> None:
    names = two_models(project)
    project.edit("  - {max_regression: 0.02, max_negative_flips: 0.05}\n", "")
    crash_on(project, project.path / "weak.onnx", "contrast", 1)
    run = project.run("-n2", f"--dist={dist}", "--robust-report=out.json", process=True)
    assert run.code == 1
    assert run.outcomes == {"passed": len(names) - 1, "failed": 1}, run.text
    sentence = "the process died while it ran model weak on imagenet-c.contrast-1"
    assert run.line(r"^the process died").startswith(sentence)
    cells = {cell["id"]: cell for cell in json.loads((project.path / "out.json").read_text())["cells"]}
    assert sorted(cells) == sorted(names)
    assert [name for name, cell in cells.items() if cell["verdict"] == "ERROR"] == [
        "specs/small.yaml::weak::imagenet-c.contrast-1"
    ]


TWO_LANES = """

import hashlib
import threading
import time

os.sched_getaffinity = lambda process: {{0, 1, 2, 3}}
shown = threading.Event()

def together(self, canvases, **options):
    first = hashlib.sha256(canvases[:1].tobytes()).hexdigest()
    if self.provenance.model_sha256 == {weak!r}:
        if first == {killing!r}:
            shown.wait(3)
    elif first == {second!r}:
        shown.set()
        time.sleep(3)
    return dying(self, canvases, **options)

Model.predict = together
"""


def test_a_worker_that_died_of_one_of_several_pairs_costs_the_others_nothing(project: Project) -> None:
    names = two_models(project)
    project.edit("  - {max_regression: 0.02, max_negative_flips: 0.05}\n", "")
    weak = project.path / "weak.onnx"
    crash_on(project, weak, "contrast", 1)
    conftest = project.path / "conftest.py"
    lanes = TWO_LANES.format(
        weak=hashlib.sha256(weak.read_bytes()).hexdigest(),
        killing=digest(project, "contrast", 1, 0),
        second=digest(project, "contrast", 1, 200),
    )
    conftest.write_text(conftest.read_text() + lanes)
    # of 300 images the second batch holds 100: the other model is still shown it when the first kills the worker
    run = project.run("-n2", "--robust-batch-size=200", "--robust-report=out.json", process=True)
    assert run.text.count("replacing crashed worker") == 2, run.text
    assert run.outcomes == {"passed": len(names) - 1, "failed": 1}, run.text
    cells = {cell["id"]: cell["verdict"] for cell in json.loads((project.path / "out.json").read_text())["cells"]}
    assert sorted(cells) == sorted(names)
    assert [name for name, verdict in cells.items() if verdict == "ERROR"] == [
        "specs/small.yaml::weak::imagenet-c.contrast-1"
    ]


def test_a_crash_elsewhere_is_left_to_pytest(project: Project) -> None:
    project.edit("  - {max_regression: 0.02, max_negative_flips: 0.05}\n", "")
    project.pytester.makepyfile(
        """
        import os

        def test_that_dies():
            os._exit(3)
        """
    )
    run = project.run("-n2", ".", "specs/small.yaml", process=True)
    assert run.outcomes == {"passed": len(NET), "failed": 1}
    assert run.has("worker 'gw.' crashed while running 'test_a_crash_elsewhere_is_left_to_pytest.py::test_that_dies'")
