"""Where a model will run, foretold, is where it runs; and what cannot be foretold is not guessed."""

from pathlib import Path

import pytest

from pytest_robust.engine.device_class import Place, hardware, known_place
from pytest_robust.models.files import read_model
from pytest_robust.models.runtime import load_runtime
from tests.models.opening import opened, text_of
from tests.onnx_models import conv_classifier


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:1"])
@pytest.mark.parametrize("quantized", [False, True])
def test_what_is_foretold_is_what_the_run_reports(tmp_path: Path, device: str, quantized: bool) -> None:
    path = conv_classifier(tmp_path / "net.onnx", quantized=quantized)
    integer = read_model(text_of(path)).integer
    assert integer == quantized
    place = known_place(device, integer)
    if place is None:
        assert device != "cpu"
        assert device != "auto" or "CUDAExecutionProvider" in load_runtime().get_available_providers()
        return
    made = opened(path, device=device).provenance
    assert place == Place(made.device_class, made.fell_back)


def driver(folder: Path, *gpus: str, version: str = "570.1") -> Path:
    """What the NVIDIA driver shows in /proc."""
    (folder / "gpus").mkdir(parents=True, exist_ok=True)
    (folder / "version").write_text(f"NVRM version: {version}\n")
    for number, gpu in enumerate(gpus):
        (folder / "gpus" / f"0000:0{number}:00.0").mkdir(exist_ok=True)
        (folder / "gpus" / f"0000:0{number}:00.0" / "information").write_text(f"Model: {gpu}\n")
    return folder


def test_hardware_is_driver_gpus_libraries_and_what_was_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    one = driver(tmp_path / "one", "H100")
    base = hardware("auto", one)
    assert base is not None
    assert hardware("auto", driver(tmp_path / "same", "H100")) == base
    assert hardware("auto", driver(tmp_path / "other", "A100")) != base
    assert hardware("auto", driver(tmp_path / "two", "H100", "H100")) != base
    assert hardware("auto", driver(tmp_path / "newer", "H100", version="580")) != base
    assert hardware("cuda:1", one) != base
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert hardware("auto", one) != base


def test_which_of_like_gpus_a_worker_sees_is_no_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(folder: Path, device: str, *visible: str) -> list[list[str] | None]:
        found = []
        for one in visible:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", one)
            found.append(hardware(device, folder))
        return found

    alike = driver(tmp_path / "alike", "H100", "H100")
    first, second, both, none = seen(alike, "auto", "0", "1", "0,1", "-1")
    assert first == second == both != none
    first, second = seen(alike, "cuda:1", "0,1", "1,0")
    assert first != second
    first, second = seen(driver(tmp_path / "mixed", "H100", "A100"), "auto", "0", "1")
    assert first != second


def test_a_driver_that_hides_its_gpus_says_nothing(tmp_path: Path) -> None:
    assert hardware("auto", tmp_path / "gone") is None
    assert hardware("auto", driver(tmp_path / "none")) is None
