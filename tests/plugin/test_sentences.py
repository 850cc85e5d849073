"""What a run and the commands say of themselves: the right numbers, names and remedies."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_robust.cli import main
from tests.plugin.attacked import SPEC, refused
from tests.plugin.project import COUNT, Project


def test_a_smoke_run_says_how_many_images_were_shown(project: Project) -> None:
    run = project.run("--robust-limit=999999", "-k", "clean")
    assert run.has(rf"^SMOKE: {COUNT} images; this run proves nothing")
    assert run.has(r"^robust: 1 spec, .*SMOKE: at most 999999 images")
    assert project.run("--robust-limit=1", "-k", "clean").has(r"^SMOKE: 1 image; this run proves nothing")


def test_an_unknown_profile_says_what_there_is(project: Project) -> None:
    run = project.run("--robust-profile=zz")
    assert run.has(r"specs/small.yaml has no profile 'zz', nor any other: name some under `profiles:`")
    with (project.path / "specs" / "small.yaml").open("a") as file:
        file.write("profiles: {quick: {severities: [1]}}\n")
    assert project.run("--robust-profile=zz").has(r"has no profile 'zz' \(known: quick\)")
    assert project.run("--robust-profile=quik").has(r"has no profile 'quik', did you mean 'quick'\?")


def test_an_enhancer_that_is_no_mapping_is_shown_one(project: Project) -> None:
    project.edit("net.onnx}", "net.onnx, enhancer: net.onnx}")
    assert project.run().has(r"`enhancer` must be a mapping \{path: FILE\.onnx\}( or null)?, not 'net\.onnx'")


def test_fast_on_a_cpu_is_noted(project: Project) -> None:
    note = "--robust-cuda=fast changes nothing: no model ran on a GPU"
    assert note in project.run("--robust-cuda=fast", "--robust-device=cpu", "-k", "clean").text
    assert note not in project.run("--robust-device=cpu", "-k", "clean").text


def test_a_preview_says_what_it_left_out(attacked: Project, capsys: pytest.CaptureFixture[str]) -> None:
    attacked.edit("[8]", "[4, 8]")
    with (attacked.path / "specs" / "small.yaml").open("a") as file:
        file.write("  - {suite: scaling, mode: down_up, multiples: [2]}\n")
    assert main(["preview", "specs/small.yaml", "--out", "s.png"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].endswith(" 1 row, 2 pictures")
    assert out[-1] == "2 shifts of attacks left out: look at the packs of pytest-robust craft"
    assert main(["preview", "specs/small.yaml", "--out", "s.png", "--select", "clean"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(" written: 1 row, 1 picture")


@pytest.mark.parametrize("content", [None, b"damaged"])
def test_a_pack_or_a_fingerprint_that_cannot_be_read_names_the_line(attacked: Project, content: bytes | None) -> None:
    path = attacked.path / "one.npz"
    if content is not None:
        path.write_bytes(content)
    attacked.spec(SPEC % ", source: net, pack: ../one.npz")
    refused(attacked, r"specs/small\.yaml:7:\d+: \S*(the pack )?\S*one\.npz (does not exist|is no pack)")
    attacked.edit("{suite: adversarial, attack: fgsm, epsilons: [8], units: levels, source: net, pack: ../one.npz}",
                  "{suite: fingerprint, path: ../one.npz}")  # fmt: skip
    refused(attacked, r"specs/small\.yaml:7:\d+: (the file )?\S+one\.npz (does not exist|is not a sound npz file)")


def test_an_enhancer_without_gradient_is_not_told_of_outputs(tmp_path: Path) -> None:
    import onnx
    import torch
    from onnx import TensorProto, helper

    from pytest_robust.errors import RobustError
    from pytest_robust.gradients.graph import load

    sides = ["n", 3, 8, 8]
    floor = helper.make_node("Cast", ["x"], ["i"], to=TensorProto.INT64)
    back = helper.make_node("Cast", ["i"], ["y"], to=TensorProto.FLOAT)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, sides) for name in "xy"]
    model = helper.make_model(helper.make_graph([floor, back], "g", ends[:1], ends[1:]), ir_version=8)
    onnx.save(model, tmp_path / "e.onnx")
    graph = load(tmp_path / "e.onnx", enhancer=True)
    with pytest.raises(RobustError, match="does not depend on the image") as caught:
        graph(torch.rand(1, 3, 8, 8, requires_grad=True))
    assert "output.name" not in str(caught.value)
