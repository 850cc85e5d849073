"""Attacks as cells: white box, transfer, targets, what is crafted how often, and mistakes."""

import numpy as np
import pytest

from pytest_robust.cli import main
from tests.onnx_models import BRIGHTEST, classifier, save
from tests.plugin.attacked import FALLS, LABELS, SPEC, TINTS, WRITES_DOWN, cells, damage, predicted, refused
from tests.plugin.project import COUNT, Project


def test_a_white_box_attack_turns_what_it_can_and_nothing_else(attacked: Project) -> None:
    found = cells(attacked)
    net = predicted(attacked, "net::adversarial.fgsm_linf-8")
    clear = TINTS != 16
    np.testing.assert_array_equal((net != LABELS)[clear], FALLS[clear])
    cell = found["net::adversarial.fgsm_linf-8"]
    assert cell["parameters"] == {
        "attack": "fgsm",
        "norm": "linf",
        "epsilon": 8 / 255,
        "levels": 8,
        "objective": "cross_entropy",
        "size_rule": "canvas",
    }
    assert cell["canvas_digest"] == found["net::clean"]["canvas_digest"]
    assert cell["attack"]["attacked"] == COUNT
    assert cell["attack"]["successes"] == np.count_nonzero(net != LABELS)


def test_samples_that_the_source_has_wrong_are_shown_clean(attacked: Project) -> None:
    found = cells(attacked)
    clean, shown = (predicted(attacked, f"other::{name}") for name in ("clean", "adversarial.fgsm_linf-8"))
    wrong = clean != LABELS
    assert 0 < wrong.sum() < COUNT
    np.testing.assert_array_equal(shown[wrong], clean[wrong])
    assert found["other::adversarial.fgsm_linf-8"]["attack"]["attacked"] == COUNT - wrong.sum()


def test_each_source_is_crafted_once_and_shown_to_every_model(attacked: Project, crafting: list[str]) -> None:
    attacked.spec(SPEC % ", source: each")
    found = cells(attacked)
    shift = "adversarial.fgsm_linf.from_%s-8"
    wanted = [f"{model}::{shift % source}" for model in ("net", "other") for source in ("net", "other")]
    assert [one for one in found if not one.endswith("::clean")] == wanted
    assert sorted(crafting) == ["net fgsm_linf.from_net", "other fgsm_linf.from_other"]
    own = found[f"net::{shift % 'net'}"]
    assert "source_sha256" not in own["parameters"], "a new release of a model keeps its own cells comparable"
    other = found[f"other::{shift % 'net'}"]
    assert other["parameters"]["source_sha256"] == own["model_sha256"]
    assert other["attack"]["source"] == own["attack"]["source"] == "net"
    # a linear model with the same weights falls with it, but for the images that its bias turns
    assert other["attack"]["transfer"]["rate"] > 0.2


def test_a_cached_run_loads_no_runtime_and_a_new_target_crafts_nothing(attacked: Project, crafting: list[str]) -> None:
    attacked.spec(SPEC % ", source: net")
    first = cells(attacked)
    assert crafting == ["net fgsm_linf.from_net"]
    attacked.pytester.makeconftest(WRITES_DOWN)
    again = cells(attacked, process=True)
    assert (attacked.path / "loaded.txt").read_text() == ""
    assert all(one["cached"] for one in again.values())
    assert {key: one["correct"] for key, one in again.items()} == {key: one["correct"] for key, one in first.items()}
    attacked.model("third", 3)
    attacked.edit("  other:", "  third: {path: ../third.onnx}\n  other:")
    cells(attacked, process=True)
    assert not (attacked.path / "crafted.txt").exists()
    loaded = (attacked.path / "loaded.txt").read_text().split()
    assert "onnxruntime" in loaded
    assert "torch" not in loaded


def test_a_damaged_kept_pack_is_crafted_anew(attacked: Project, crafting: list[str]) -> None:
    first = cells(attacked, "--robust-cache=kept")
    for path in (attacked.path / "kept" / "packs").iterdir():
        if path.suffix != ".lock":
            damage(path)
    for path in (attacked.path / "kept" / "cells").iterdir():
        path.unlink()
    second = cells(attacked, "--robust-cache=kept")
    assert len(crafting) == 4
    assert {key: one["correct"] for key, one in first.items()} == {key: one["correct"] for key, one in second.items()}


def test_epsilon_0_is_the_identity(attacked: Project) -> None:
    attacked.edit("epsilons: [8]", "epsilons: [0]")
    attacked.edit("attack: fgsm", "attack: pgd, targeted: random")
    cells(attacked)
    for model in ("net", "other"):
        clean, shown = (
            predicted(attacked, f"{model}::{name}") for name in ("clean", "adversarial.pgd_linf.to_random-0")
        )
        np.testing.assert_array_equal(clean, shown)


@pytest.mark.parametrize("targeted", ["top2", "random", "least_likely"])
def test_targets_are_reached_and_counted(attacked: Project, targeted: str) -> None:
    attacked.edit("  other: {path: ../other.onnx}\n", "")
    attacked.edit("attack: fgsm", f"attack: pgd, steps: 4, targeted: {targeted}, epsilons: [40]")
    attacked.edit(", epsilons: [8]", "")
    found = cells(attacked)
    attack = found[f"net::adversarial.pgd_linf.to_{targeted}-40"]["attack"]
    assert attack["target_top1"]["rate"] > 0.95
    assert attack["target_top5"]["rate"] == 1, "there are three classes"


def test_only_what_all_models_have_right_is_attacked(attacked: Project) -> None:
    attacked.spec(SPEC % ", only: jointly_correct")
    found = cells(attacked)
    jointly = (predicted(attacked, "net::clean") == LABELS) & (predicted(attacked, "other::clean") == LABELS)
    assert jointly.sum() < COUNT
    for model in ("net", "other"):
        assert found[f"{model}::adversarial.fgsm_linf-8"]["attack"]["attacked"] == jointly.sum()
    attacked.spec(SPEC % ", only: jointly_correct, models: [net]")
    own = cells(attacked)
    assert own["net::adversarial.fgsm_linf-8"]["attack"]["attacked"] == COUNT


def test_selectors_choose_sources(attacked: Project) -> None:
    attacked.spec(SPEC % ", source: each")
    with (attacked.path / "specs" / "small.yaml").open("a") as file:
        file.write("exclude: [{model: net, shift: fgsm_linf.from_net}]\n")
        file.write("thresholds: [{where: {suite: adversarial, severity: 8}, min_accuracy: 0.01}]\n")
    ids = attacked.run("--collect-only", "-q").collected
    assert "specs/small.yaml::net::adversarial.fgsm_linf.from_net-8" not in ids
    assert "specs/small.yaml::other::adversarial.fgsm_linf.from_net-8" in ids


def test_collecting_loads_neither_torch_nor_onnxruntime(attacked: Project) -> None:
    attacked.pytester.makeconftest(WRITES_DOWN)
    assert attacked.run("--collect-only", "-q", process=True).code == 0
    assert (attacked.path / "loaded.txt").read_text() == ""


def test_a_source_that_gets_everything_wrong_attacks_nothing_and_says_so(attacked: Project) -> None:
    classifier(attacked.path / "net.onnx", np.roll(BRIGHTEST, 1, axis=1))
    cell = cells(attacked)["net::adversarial.fgsm_linf-8"]
    assert cell["correct"] == 0
    assert cell["attack"]["attacked"] == 0
    assert cell["attack"]["success_rate"] is None
    assert any("no sample is attacked: net has none right" in note for note in cell["notes"])


def test_a_graph_without_gradient_names_the_operator_and_another_attack(attacked: Project) -> None:
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Hardmax", ["flat"], ["bent"]),
        helper.make_node("Gemm", ["bent", "weights"], ["scores"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, "H", "W"])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 3])
    save(attacked.path / "net.onnx", nodes, [image], [scores], {"weights": BRIGHTEST})
    refused(attacked, r"specs/small.yaml:4:\d+: the model .*net.onnx .*Hardmax.*attack: square", "net::adversarial")
    attacked.edit("attack: fgsm", "attack: square, queries: 20")
    found = cells(attacked)
    assert found["net::adversarial.square_linf-8"]["attack"]["successes"] > 0


def test_mistakes_have_a_sentence_with_the_line(attacked: Project) -> None:
    attacked.spec(SPEC % ", source: nett")
    refused(attacked, r"specs/small.yaml:7:\d+: no model 'nett' in this spec, did you mean 'net'\?")
    attacked.spec(SPEC % ", only: jointly_correct, models: [net, xyz]")
    refused(attacked, r"specs/small.yaml:7:\d+: no model 'xyz' in this spec")
    attacked.spec(SPEC % ", spead: 3")
    refused(attacked, r"specs/small.yaml:7:\d+: unknown key 'spead'")
    attacked.spec(SPEC % ", norm: 2")
    attacked.edit("[8]", "[99999]")
    refused(attacked, r"specs/small.yaml:7:\d+: the l2 epsilon .* is outside 0 to 27.7", "net::adversarial.fgsm_l2")


def test_another_geometry_is_refused_or_brought_to_size(attacked: Project) -> None:
    attacked.spec(SPEC % ", source: net")
    attacked.edit("path: ../other.onnx", "path: ../other.onnx, geometry: {crop: 12}")
    refused(attacked, r"specs/small.yaml:7:\d+: .* under another geometry .*size_rule: survey", "other::adversarial")
    attacked.edit("source: net", "source: net, size_rule: survey")
    found = cells(attacked)
    assert found["other::adversarial.fgsm_linf.from_net-8"]["attack"]["transfer"]["rate"] > 0.2


def test_preview_leaves_attacks_out(attacked: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preview", "specs/small.yaml", "--out", "sheet.png"]) == 0
    assert main(["preview", "specs/small.yaml", "--out", "sheet.png", "--select", "fgsm"]) == 2
    assert "pytest-robust craft" in capsys.readouterr().err
