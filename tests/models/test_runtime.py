from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from pytest_robust.errors import RobustError
from pytest_robust.models.runtime import installed, load_runtime, quiet, telling
from tests.onnx_models import classifier

ROOT = Path(__file__).parents[2]


def distribution(folder: Path, name: str, version: str = "1.31.1") -> None:
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_the_one_distribution_is_named(tmp_path: Path) -> None:
    distribution(tmp_path, "onnxruntime-gpu", "1.30.0")
    distribution(tmp_path, "onnxruntime-extensions")
    assert installed([str(tmp_path)]) == ("onnxruntime-gpu", "1.30.0")


def test_both_distributions_in_one_folder_are_an_error_with_the_repair(tmp_path: Path) -> None:
    distribution(tmp_path, "onnxruntime")
    distribution(tmp_path, "onnxruntime-gpu")
    with pytest.raises(RobustError, match="pip uninstall -y onnxruntime onnxruntime-gpu, then pip install") as caught:
        installed([str(tmp_path)])
    assert str(tmp_path) in str(caught.value)


def test_of_two_folders_the_first_on_the_path_is_imported(tmp_path: Path) -> None:
    distribution(tmp_path / "a", "onnxruntime-gpu")
    distribution(tmp_path / "b", "onnxruntime")
    assert installed([str(tmp_path / "a"), str(tmp_path / "b")])[0] == "onnxruntime-gpu"
    assert installed([str(tmp_path / "b"), str(tmp_path / "a")])[0] == "onnxruntime"


def test_no_distribution_names_both_extras(tmp_path: Path) -> None:
    with pytest.raises(RobustError) as caught:
        installed([str(tmp_path)])
    assert '"pytest-robust[cpu]"' in str(caught.value)
    assert '"pytest-robust[cuda]"' in str(caught.value)


def test_the_installed_runtime_is_the_imported_one() -> None:
    assert load_runtime().__version__ == installed()[1]


def test_telemetry_is_off_before_the_import_and_nothing_is_written_or_printed(tmp_path: Path) -> None:
    model = classifier(tmp_path / "model.onnx")
    code = (
        "import os, sys; sys.path.insert(0, '.')\n"
        "from pytest_robust.models.runtime import load_runtime\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "from tests.models.opening import opened, colours; from pathlib import Path\n"
        f"for device in ('auto', 'cpu'): opened(Path({str(model)!r}), device=device).predict(colours('r'))\n"
        "assert os.environ['ORT_DISABLE_TELEMETRY'] == '1'\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    environment = {key: value for key, value in os.environ.items() if key not in ("ORT_DISABLE_TELEMETRY", "CI")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment | {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(home.rglob("*")) == []


def test_the_users_own_choice_of_telemetry_stays() -> None:
    code = (
        "import os; from pytest_robust.models.runtime import load_runtime; load_runtime()\n"
        "assert os.environ['ORT_DISABLE_TELEMETRY'] == 'yes'"
    )
    subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"ORT_DISABLE_TELEMETRY": "yes"}, cwd=ROOT, check=True
    )


def test_quiet_keeps_every_way_of_printing(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet() as said:
        print("python")
        os.write(1, b"native one\n")
        os.write(2, b"native two\n")
        warnings.warn("a warning", UserWarning, stacklevel=1)
    assert capfd.readouterr() == ("", "")
    assert [word in "".join(said) for word in ("python", "native one", "native two", "a warning")] == [True] * 4
    print("after")
    os.write(2, b"after\n")
    assert capfd.readouterr() == ("after\n", "after\n")


def test_quiet_gives_the_streams_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), quiet():
        print(1 / 0)
    os.write(1, b"after\n")
    assert capfd.readouterr().out == "after\n"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "[ONNXRuntimeError] : 1 : FAIL : Load model from /tmp/a b.onnx failed:/src/onnxruntime/core/graph/"
            "model.cc:256 onnxruntime::Model::Model(onnx::ModelProto&&, const std::function<void(int)>*) Unsupported "
            "model IR version: 99, max supported IR version: 13\n",
            "Unsupported model IR version: 99, max supported IR version: 13",
        ),
        (
            "[ONNXRuntimeError] : 1 : FAIL : Load model from x.onnx failed:/src/model_load_utils.h:46 void "
            "f(const std::unordered_map<std::__cxx11::basic_string<char>, int>&, int) ONNX Runtime only *guarantees* "
            "support for models. Opset 99 is under development and support for this is limited. Current official "
            "support for domain ai.onnx is till opset 26.\n",
            "opset 99 is newer than its newest, 26",
        ),
        (
            "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got invalid dimensions for input: x for the following "
            "indices\n index: 2 Got: 3 Expected: 2\n",
            "Got invalid dimensions for input: x for the following indices index: 2 Got: 3 Expected: 2",
        ),
        (
            "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running MatMul node. Name:'' Status "
            "Message: matmul_helper.h:59 Compute MatMul dimension mismatch",
            "MatMul: matmul_helper.h:59 Compute MatMul dimension mismatch",
        ),
    ],
)
def test_only_the_telling_part_of_a_message_is_left(text: str, left: str) -> None:
    assert telling(text) == left


def test_a_long_message_is_cut() -> None:
    assert len(telling("word " * 999)) <= 304
