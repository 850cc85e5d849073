"""Whatever befalls a golden in a run is said in one sentence, and what was recorded stays recorded."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_robust.golden import read, write
from tests.plugin.project import LABELS, NET, SPEC, Project, Run

TWO = SPEC.replace("  net: {path: ../net.onnx}", "  net: {path: ../net.onnx}\n  weak: {like: net, path: ../weak.onnx}")


def kept(project: Project) -> dict[str, bytes]:
    """The golden files without those that only serve to write them."""
    return {name: content for name, content in project.files().items() if not name.startswith(".")}


def one_sentence(run: Run) -> str:
    """The headline of the one failed case; nothing in the run shows a traceback."""
    assert "Traceback" not in run.text
    assert run.outcomes["failed"] == 1
    return run.text.split("net x clean ___")[1].splitlines()[1]


def newer(project: Project) -> None:
    path = project.path / "golden/net.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))


def edited(project: Project) -> None:
    path = project.path / "golden/net.json"
    path.write_text(path.read_text().replace('"correct": 300', '"correct": 299', 1))


def cut_json(project: Project) -> None:
    path = project.path / "golden/net.json"
    path.write_bytes(path.read_bytes()[:-20])


def cut_npz(project: Project) -> None:
    (path,) = (project.path / "golden").glob("*.npz")
    path.write_bytes(path.read_bytes()[:-20])


def no_npz(project: Project) -> None:
    (path,) = (project.path / "golden").glob("*.npz")
    path.unlink()


def conflict(project: Project) -> None:
    path = project.path / "golden/net.json"
    path.write_text(path.read_text().replace('  "format"', '<<<<<<< HEAD\n  "format"'))


def other_device(project: Project) -> None:
    """As if it had been recorded on a GPU."""
    folder = project.path / "golden"
    held = read(folder, "net")
    assert held is not None
    recording = replace(held.recordings["cpu"], device_class="cuda-sm90")
    write(folder, replace(held, recordings={"cuda-sm90": recording}), expected=held)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (newer, "net.json has format 2, written by a newer pytest-robust; upgrade this one"),
        (edited, "net.json does not match its own digest: it was edited by hand or merged; restore it with git"),
        (cut_json, "net.json is not JSON or is cut short"),
        (cut_npz, "is damaged or cut short"),
        (no_npz, "is missing, but the .json beside it names it; restore it with git"),
        (conflict, "net.json holds the marks of a merge conflict; take one side whole, then update again"),
    ],
)
def test_a_golden_that_cannot_be_read_is_one_sentence_and_is_not_written_over(
    project: Project, damage: Callable[[Project], None], sentence: str
) -> None:
    project.record()
    damage(project)
    before = kept(project)
    assert sentence in one_sentence(project.run("-k", "clean"))
    update = project.run("--robust-update", "--robust-reason=anew")
    assert update.code == 1
    assert update.has(r"^Golden of net not updated: ")
    assert "Traceback" not in update.text
    assert kept(project) == before


def test_a_golden_of_another_device_class_says_so_and_stays_beside_the_new_one(project: Project) -> None:
    project.record()
    other_device(project)
    assert one_sentence(project.run("-k", "clean")) == (
        "no comparable golden: no golden is recorded for device class cpu (recorded: cuda-sm90); "
        "gate: {golden_device: any} in the spec compares across device classes"
    )
    recorded = project.golden()["recordings"]["cuda-sm90"]
    assert project.run("--robust-update-new").code == 0
    assert project.golden()["recordings"]["cuda-sm90"] == recorded
    assert project.run().outcomes == {"passed": len(NET)}


def test_a_folder_that_cannot_be_made_is_one_sentence(project: Project) -> None:
    (project.path / "blocked").write_text("a file")
    project.edit("golden: ../golden", "golden: ../blocked/golden")
    run = project.run("--robust-update")
    assert run.code == 1
    assert run.has(r"^Golden of net not updated: .*blocked/golden.* cannot be ")
    assert "Traceback" not in run.text
    assert (project.path / "blocked").read_text() == "a file"


FULL_DISK = """
import pytest

@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session):
    import resource
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
@pytest.mark.parametrize("room", [0, 1500])
def test_a_full_disk_keeps_every_golden_and_is_one_sentence(project: Project, room: int) -> None:
    project.spec(TWO)
    project.model("weak", bias=4)
    project.record()
    before = kept(project)
    project.model("net", bias=12)
    project.model("weak", bias=14)
    project.pytester.makeconftest(FULL_DISK.replace("ROOM", str(room)))
    run = project.run("--robust-update", "--robust-reason=retrained", process=True)
    assert run.code == 1
    for model in ("net", "weak"):
        assert run.has(
            rf"^Golden of {model} not updated: the golden in \S+golden cannot be written \(File too large\) "
            "and is left as it was; check that it is a folder with room and write permission$"
        )
    assert "Traceback" not in run.text
    assert kept(project) == before
    assert not [name for name in project.files() if name.endswith(".tmp")]


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
def test_accepting_several_models_on_a_full_disk_applies_none(project: Project) -> None:
    """The second model's files are the larger ones: there is room for the first alone."""
    project.spec(TWO)
    project.model("weak", bias=4)
    project.record()
    project.model("net", bias=3)
    project.model("weak", bias=14)
    project.run("--robust-report=out.json")
    before = kept(project)
    code = """
import resource, sys
from pathlib import Path
from pytest_robust.cli import main
from pytest_robust.golden import files

stage = files.stage
def staged(path, content):
    if path.name == "weak.json":
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(content) // 2, resource.RLIM_INFINITY))
    stage(path, content)
import pytest_robust.golden.store as store
store.stage = staged
sys.exit(main(["accept", "out.json", "--reason", "retrained"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project.path, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "cannot be written (File too large) and is left as it was; check" in done.stderr
    assert kept(project) == before
    assert not [name for name in project.files() if name.endswith(".tmp")]
    again = subprocess.run(
        [sys.executable, "-m", "pytest_robust", "accept", "out.json", "--reason", "retrained"],
        cwd=project.path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert again.stdout.count(" updated: ") == 2


def test_two_updates_at_once_lose_nothing(project: Project) -> None:
    """Each either writes, finds its own values there already, or says that it was overtaken."""
    call = [
        sys.executable,
        "-m",
        "pytest",
        "--robust-spec=specs/small.yaml",
        "--robust-update",
        "-p",
        "no:cacheprovider",
    ]
    shares = ("imagenet-c or clean", "scaling")
    started = [
        subprocess.Popen([*call, "-k", share], cwd=project.path, stdout=subprocess.PIPE, text=True)
        for share in (*shares, *shares)
    ]
    codes = []
    for process in started:
        text, _ = process.communicate(timeout=120)
        assert "Traceback" not in text
        overtaken = "was changed by another process since it was read; update once more" in text
        assert process.returncode == overtaken, text
        codes.append(process.returncode)
    assert 0 in codes
    for share in shares:
        assert project.run("--robust-update", "-k", share).code == 0
    assert sorted(project.golden()["recordings"]["cpu"]["cells"]) == sorted(LABELS)
    assert project.run().outcomes == {"passed": len(NET)}
    assert len(list((project.path / "golden").glob("*.npz"))) == 1


WHO_WRITES = """
import os
import sys

def pytest_configure(config):
    # the worker that this run is given, not one that the run was started by
    name = config.workerinput["workerid"] if hasattr(config, "workerinput") else "controller"

    def watch(event, arguments):
        if event == "os.rename" and f"{os.sep}golden{os.sep}" in str(arguments[1]):
            with open("writers.txt", "a") as log:
                print(name, file=log)

    sys.addaudithook(watch)
"""


def test_of_many_processes_the_controller_alone_writes(project: Project) -> None:
    project.pytester.makeconftest(WHO_WRITES)
    assert project.run("-n2", "--robust-update", process=True).code == 0
    assert set((project.path / "writers.txt").read_text().split()) == {"controller"}
    assert sorted(project.golden()["recordings"]["cpu"]["cells"]) == sorted(LABELS)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_changed_cell_is_a_changed_line_for_git(project: Project) -> None:
    project.record()

    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"]
        done = subprocess.run(["git", *identity, *words], cwd=project.path, check=True, capture_output=True, text=True)
        return done.stdout

    git("init")
    git("add", "golden")
    git("commit", "-m", "one")
    assert git("status", "--porcelain", "--", "golden") == "", "what serves to write is ignored"
    # a recording is of one model file, so what changes within it are the images
    project.edit("severities: [1, 3]}", "severities: [1, 3], table: 224}")
    assert project.run("--robust-update", "-k", "contrast", "--robust-reason=table").code == 0
    lines = [line for line in git("diff", "-U0", "--", "golden/net.json").splitlines() if line[0] in "+-"]
    names = [line.split('"')[1] for line in lines if '"' in line and not line.startswith(("+++", "---"))]
    changed = ["imagenet-c.contrast-1", "imagenet-c.contrast-3"]
    assert sorted(names) == sorted(["digest", *changed] * 2), "each once as it was and once as it is"
    assert git("diff", "--numstat", "--", "golden/*.npz").split()[:2] == ["-", "-"], "binary"


CRASH = """
import os

from pytest_robust.models import Model

predict = Model.predict

def dying(self, canvases, *args, **kwargs):
    if os.environ.get("PYTEST_XDIST_WORKER") and canvases.shape[1] == 8:
        os._exit(9)
    return predict(self, canvases, *args, **kwargs)

Model.predict = dying
"""

BROKEN = """
def pytest_runtest_logreport(report):
    if report.when == "call" and "contrast-1" in report.nodeid:
        raise ZeroDivisionError("a plugin of the user's is broken")
"""


def test_a_run_whose_worker_crashed_writes_no_golden(project: Project) -> None:
    project.edit(
        "{suite: scaling, mode: down_up, multiples: [0.5, 2]}", "{suite: scaling, mode: feed_scaled, multiples: [0.5]}"
    )
    project.pytester.makeconftest(CRASH)
    run = project.run("-n2", "--robust-update", "--robust-report=out.json", process=True)
    assert run.code == 1
    assert run.has(r"^Golden of net not updated: 1 cell could not be measured \(scaling\.feed_scaled-0\.5\); mend that")
    assert not list((project.path / "golden").glob("*.json"))
    cells = json.loads((project.path / "out.json").read_text())["cells"]
    assert "UPDATED" not in {cell["verdict"] for cell in cells}


def test_a_run_that_broke_off_writes_no_golden(project: Project) -> None:
    project.pytester.makeconftest(BROKEN)
    run = project.run("--robust-update", process=True)
    assert run.code == 3
    assert run.has("ZeroDivisionError: a plugin of the user's is broken"), "pytest prints no summary then"
    assert not (project.path / "golden").exists()


def test_two_specs_on_one_folder_are_one_sentence_each_and_keep_the_first_golden(project: Project) -> None:
    project.record()
    before = kept(project)
    project.spec(SPEC, "specs/second.yaml")
    run = project.run("--robust-spec=specs/second.yaml", "--robust-update", spec=False)
    assert run.code == 1
    assert run.has(
        r"^Golden of net not updated: \S+net\.json belongs to the spec '\.\./specs/small\.yaml', not to "
        r"'\.\./specs/second\.yaml'; give each spec a golden folder of its own"
    )
    assert "Traceback" not in run.text
    assert kept(project) == before
    project.edit("golden: ../golden", "golden: ../golden-2", "specs/second.yaml")
    assert project.run("--robust-spec=specs/second.yaml", "--robust-update", spec=False).code == 0
    assert Path(project.path / "golden-2" / "net.json").is_file()
