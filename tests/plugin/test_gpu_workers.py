"""`pytest -n` on a machine with GPUs: one worker for each, and each sees its own alone.

`CUDA_VISIBLE_DEVICES` names the GPUs, and with `--robust-device=cuda` no worker asks whether they are there until it
opens a model. What a worker sees is written down by a conftest, before it collects.
"""

import os

import pytest

from tests.plugin.project import Project, Run

NOTE = """
import os
from pathlib import Path

def pytest_sessionstart(session):
    if name := os.environ.get("PYTEST_XDIST_WORKER"):
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "unset")
        Path(__file__).with_name(f"{name}.seen").write_text(seen)
"""
LISTED = "4,GPU-8932f937,MIG-41b359d3"


def seen(project: Project, *arguments: str, spec: bool = True) -> tuple[Run, list[str]]:
    """What each worker saw, in their order."""
    (project.path / "conftest.py").write_text(NOTE)
    run = project.run("-k", "nothing", *arguments, spec=spec, process=True)
    files = sorted(project.path.glob("gw*.seen"))
    found = [file.read_text() for file in files]
    for file in files:
        file.unlink()
    return run, found


@pytest.fixture(autouse=True)
def three_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", LISTED)
    monkeypatch.delenv("PYTEST_XDIST_AUTO_NUM_WORKERS", raising=False)


def test_auto_starts_one_worker_for_each_gpu(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    run, found = seen(project, "-n", "auto", "--robust-device=cuda")
    assert found == LISTED.split(","), run.text
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "1")
    assert seen(project, "-n", "auto", "--robust-device=cuda")[1] == ["4"]


@pytest.mark.parametrize(
    ("workers", "expected"),
    [(1, ["4"]), (2, ["4", "GPU-8932f937"]), (4, [*LISTED.split(","), "4"])],
)
def test_any_number_of_workers_takes_turns(project: Project, workers: int, expected: list[str]) -> None:
    assert seen(project, f"-n{workers}", "--robust-device=cuda")[1] == expected


def test_a_gpu_that_the_caller_gave_a_worker_is_left(project: Project) -> None:
    specs = ("--tx=popen//env:CUDA_VISIBLE_DEVICES=9", "--tx=popen", "-d")
    assert seen(project, *specs, "--robust-device=cuda")[1] == ["9", "4"]


@pytest.mark.parametrize("device", ["cpu", "cuda:1"])
def test_no_worker_is_moved_where_a_run_needs_none_or_names_its_gpu(project: Project, device: str) -> None:
    assert seen(project, "-n2", f"--robust-device={device}")[1] == [LISTED] * 2


def test_a_run_without_a_named_spec_is_left_alone(project: Project) -> None:
    project.pytester.makepyfile(test_own="def test_own(): pass")
    assert seen(project, "-n2", "--robust-device=cuda", spec=False)[1] == [LISTED] * 2


def test_a_machine_without_gpus_keeps_the_answer_of_xdist(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "2")
    for visible, device in (("", "cuda"), (LISTED, "cpu")):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert seen(project, "-n", "auto", f"--robust-device={device}")[1] == [visible] * 2


def test_a_wrong_option_is_one_sentence(project: Project) -> None:
    for argument, said in (
        ("--robust-device=gpu", "the device is auto, cpu, cuda or cuda:N"),
        ("--robust-cuda=slow", "the mode is exact or fast"),
    ):
        run, found = seen(project, "-n", "auto", argument)
        assert run.code == 4
        assert f"ERROR: {argument}: {said}" in run.text
        assert "Traceback" not in run.text
        assert found == []


def test_the_mode_is_a_matter_of_the_ini_file_too(project: Project) -> None:
    assert project.run("-o", "robust_cuda=fast", "--collect-only", process=True).code == 0
    assert project.run("-o", "robust_cuda=slow", "--collect-only", process=True).code == 4
    assert os.environ["CUDA_VISIBLE_DEVICES"] == LISTED
