from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pytest_robust.errors import RobustError
from pytest_robust.measurement import digest_of
from pytest_robust.models import model_digest
from pytest_robust.models.files import read_model
from tests.models.opening import opened, plan_of, sentence, text_of
from tests.onnx_models import classifier, conv_classifier, enhancer, name_external


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_digest_of_one_file_is_what_sha256sum_prints(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx")
    printed = subprocess.run(["sha256sum", str(path)], capture_output=True, text=True, check=True).stdout
    assert model_digest(plan_of(path)) == printed.split()[0]


def test_the_digest_covers_external_data_and_the_enhancer(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx", external="model.data")
    side, front = tmp_path / "model.data", enhancer(tmp_path / "front.onnx")
    both = digest_of([sha256(path).encode(), sha256(side).encode()])
    assert model_digest(plan_of(path)) == both
    assert model_digest(plan_of(path, enhancer=front)) == digest_of([both.encode(), sha256(front).encode()])
    assert opened(path, enhancer=front).provenance.model_sha256 == model_digest(plan_of(path, enhancer=front))
    side.write_bytes(side.read_bytes()[:-1] + b"\x42")
    assert model_digest(plan_of(path)) != both


def test_reading_a_file_imports_no_runtime(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx")
    code = (
        "import sys; from pathlib import Path; from pytest_robust.errors import Mark\n"
        "from pytest_robust.models import model_digest; from pytest_robust.spec.plan import ModelPlan, PathText\n"
        "mark = Mark('s', 1, 1)\n"
        f"model_digest(ModelPlan('m', PathText({str(path)!r}, Path(), mark), mark))\n"
        "assert not {'onnxruntime', 'torch', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_a_pin_is_compared_whole_and_in_either_case(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx")
    assert opened(path, sha256=sha256(path).upper()).provenance.model_sha256 == sha256(path)
    for wrong in (sha256(path)[:12], "0" * 64):
        with pytest.raises(RobustError) as caught:
            opened(path, sha256=wrong)
        text = sentence(caught, path)
        assert sha256(path) in text
        assert f"not the pinned {wrong}: put the pinned file back" in text


def test_a_candidate_is_not_held_to_the_pin(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx")
    assert opened(path, sha256="0" * 64, candidate=True).provenance.model_sha256 == sha256(path)


def test_a_pin_of_external_data_is_the_digest_over_both(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx", external="model.data")
    opened(path, sha256=model_digest(plan_of(path)))
    with pytest.raises(RobustError, match="over the file and its external data"):
        opened(path, sha256=sha256(path))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist: correct the path"),
        (b"", "is empty (0 bytes)"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "run git lfs pull"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "is no ONNX model, or is cut short (107 bytes)"),
        (b"name,label\na.jpg,3\n" * 9, "is no ONNX model, or is cut short"),
    ],
)
def test_what_is_no_model_is_said_so(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RobustError) as caught:
        opened(path)
    assert said in sentence(caught, path)


def test_a_folder_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(RobustError) as caught:
        opened(tmp_path)
    assert sentence(caught, tmp_path) == "is a folder: let the path name the .onnx file in it"


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9, 0.99])
def test_a_truncated_model_is_said_so(tmp_path: Path, share: float) -> None:
    path = conv_classifier(tmp_path / "model.onnx")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(RobustError) as caught:
        opened(path)
    assert "cut short" in sentence(caught, path)


@pytest.mark.parametrize(
    "location", ["../outside.data", "inner/../../outside.data", "..\\outside.data", "", "C:outside.data", "absolute"]
)
def test_external_data_outside_the_folder_is_refused_before_it_is_read(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    path = classifier(folder / "model.onnx", external="model.data")
    shutil.copy(folder / "model.data", tmp_path / "outside.data")
    name_external(path, str(tmp_path / "outside.data") if location == "absolute" else location)
    with pytest.raises(RobustError) as caught:
        opened(path)
    assert "outside its own folder" in sentence(caught, path)


@pytest.mark.parametrize("link_folder", [False, True])
def test_external_data_behind_a_symbolic_link_is_refused(tmp_path: Path, link_folder: bool) -> None:
    folder, secret = tmp_path / "models", tmp_path / "secret"
    folder.mkdir()
    secret.mkdir()
    path = classifier(folder / "model.onnx", external="model.data")
    (folder / "model.data").rename(secret / "model.data")
    if link_folder:
        (folder / "inner").symlink_to(secret)
        name_external(path, "inner/model.data")
    else:
        (folder / "model.data").symlink_to(secret / "model.data")
    with pytest.raises(RobustError) as caught:
        opened(path)
    assert "is a symbolic link" in sentence(caught, path)


def test_missing_external_data_is_said_so(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx", external="model.data")
    (tmp_path / "model.data").unlink()
    with pytest.raises(RobustError) as caught:
        opened(path)
    assert "'model.data', which is not in its folder: copy both files together" in sentence(caught, path)


def test_external_data_is_found_in_subgraphs_and_sparse_tensors(tmp_path: Path) -> None:
    def outside(name: str) -> onnx.TensorProto:
        tensor = helper.make_tensor(name, TensorProto.FLOAT, [1], np.ones(1, np.float32))
        tensor.ClearField("float_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="/etc/passwd")
        return tensor

    base = onnx.load_model(str(classifier(tmp_path / "base.onnx")))
    branch = helper.make_graph([], "branch", [], [], [outside("hidden")])
    places = {
        "subgraph": lambda model: model.graph.node.append(helper.make_node("If", ["c"], ["o"], then_branch=branch)),
        "attribute": lambda model: model.graph.node.append(helper.make_node("Constant", [], ["o"], value=outside("v"))),
        "sparse": lambda model: model.graph.sparse_initializer.add().values.CopyFrom(outside("s")),
        "function": lambda model: model.functions.add().node.append(
            helper.make_node("Constant", [], ["o"], value=outside("f"))
        ),
    }
    for name, put in places.items():
        model = onnx.ModelProto()
        model.CopyFrom(base)
        put(model)
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(model.SerializeToString())
        with pytest.raises(RobustError, match=r"'/etc/passwd', outside its own folder"):
            read_model(text_of(path))


def test_quantized_operators_are_found_in_subgraphs_too(tmp_path: Path) -> None:
    assert not read_model(text_of(conv_classifier(tmp_path / "float.onnx"))).integer
    assert read_model(text_of(conv_classifier(tmp_path / "int8.onnx", quantized=True))).integer
    model = onnx.load_model(str(tmp_path / "float.onnx"))
    inner = helper.make_graph([helper.make_node("MatMulInteger", ["a", "b"], ["c"])], "inner", [], [])
    outer = helper.make_graph([helper.make_node("If", ["c"], ["o"], then_branch=inner)], "outer", [], [])
    model.graph.node.append(helper.make_node("Loop", ["n"], ["o"], body=outer))
    path = tmp_path / "nested.onnx"
    path.write_bytes(model.SerializeToString())
    assert read_model(text_of(path)).integer
