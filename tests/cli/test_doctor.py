"""`pytest-robust doctor`: what is installed, and whether it works."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_robust.api import list_shifts
from pytest_robust.cli.doctor import OPENCV, diagnose, gpus, opencv

Command = Callable[..., tuple[int, str, str]]


def install(folder: Path, *names: str) -> list[str]:
    """What pip leaves of distributions, as far as metadata goes."""
    for name in names:
        info = folder / f"{name.replace('-', '_')}-4.12.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 4.12.0\n")
    return [str(folder)]


def test_this_installation_is_well_and_a_real_model_runs_on_it(command: Command, tmp_path: Path) -> None:
    code, out, err = command(tmp_path, "doctor", "--device", "cpu")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[-1] == "all is well"
    assert all(line.startswith("ok ") for line in lines[:-1])
    told = {line.split()[1]: line for line in lines[:-1]}
    assert set(told) >= {"torch", "numpy", "pillow", "opencv", "onnxruntime", "providers", "cuda", "session"}
    assert "CPUExecutionProvider" in told["providers"]
    assert told["session"].endswith("a model of one node answers rightly on cpu, device class cpu")
    assert told["binding"].endswith("and to a tensor that it reads in place: a run feeds it arrays, as on every CPU")
    host = [f"{one.suite}.{one.name}" for one in list_shifts() if one.kind == "pixel" and not one.on_device]
    assert told["shifts"].endswith(f"the host makes {', '.join(host)}")
    assert "imagenet-c.jpeg_compression" in host
    assert list(tmp_path.iterdir()) == []


def test_cuda_that_was_asked_for_and_is_not_there_is_broken_and_says_why(command: Command, tmp_path: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine has CUDA")
    code, out, _ = command(tmp_path, "doctor", "--device", "cuda")
    assert code == 1
    assert "BROKEN  cuda          not available: this onnxruntime is built without CUDA" in out
    assert "BROKEN  session       the model cannot run on cuda: " in out
    assert out.endswith("2 broken\n")
    code, out, _ = command(tmp_path, "doctor")
    assert code == 0
    assert "ok      cuda          not available: " in out


def test_the_gpus_that_workers_share_are_those_that_cuda_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-8932f937,GPU-1d2f")
    assert gpus().text.startswith("GPU-8932f937, GPU-1d2f: pytest -n auto")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus().text.startswith("none is visible")
    assert not gpus().broken


def test_an_unknown_device_is_a_wrong_command_line(command: Command, tmp_path: Path) -> None:
    code, out, err = command(tmp_path, "doctor", "--device", "gpu")
    assert (code, out) == (2, "")
    assert err == "the device 'gpu' is not known: choose auto, cpu, cuda or cuda:N\n"


def test_one_opencv_is_well_and_two_overwrite_each_other(tmp_path: Path) -> None:
    assert opencv(install(tmp_path, "opencv-python-headless")).broken is False
    clash = opencv(install(tmp_path, "opencv-contrib-python"))
    assert clash.broken
    assert "pip uninstall -y opencv-" in clash.text
    assert all(name in clash.text for name in ("opencv-python-headless 4.12.0", "opencv-contrib-python 4.12.0"))
    (tmp_path / "none").mkdir()
    assert opencv([str(tmp_path / "none")]).broken
    assert len(OPENCV) == 4


def test_two_runtimes_over_each_other_are_broken_and_end_the_diagnosis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setattr(sys, "path", [*install(tmp_path, "onnxruntime", "onnxruntime-gpu"), *sys.path])
    found = list(diagnose("cpu"))
    assert found[-1].about == "onnxruntime"
    assert found[-1].broken
    assert "over each other's files" in found[-1].text
