"""What the numbers of an attack hang on: another of it is another golden, pack or kept image, and is told."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pytest_robust.attacks import open_victim
from pytest_robust.cli import main
from pytest_robust.data.mapped import Images
from pytest_robust.engine import attacker, versions
from pytest_robust.views.pack_files import read_pack, write_pack
from pytest_robust.views.packs import canvas_sha256
from tests.onnx_models import BRIGHTEST, classifier
from tests.plugin.attacked import LABELS, SPEC, cells, damage, predicted, refused
from tests.plugin.project import COUNT, Project

SHIFT = "adversarial.fgsm_linf.from_net-8"
OWN = "adversarial.fgsm_linf-8"
MEAN = "{path: ../net.onnx, preprocess: {mean: [0.1, 0.1, 0.1]}}"


def gated(project: Project, extra: str) -> Project:
    project.spec(SPEC % extra)
    with (project.path / "specs" / "small.yaml").open("a") as file:
        file.write("thresholds: [{max_regression: 0.1}]\ngolden: ../golden\n")
    return project


def verdicts(project: Project) -> dict[str, tuple[str, str]]:
    project.run("--robust-report=r.json", "--robust-device=cpu")
    found = json.loads((project.path / "r.json").read_text())["cells"]
    return {one["id"].removeprefix("specs/small.yaml::"): (one["verdict"], " ".join(one["reasons"])) for one in found}


def test_a_source_that_reads_its_images_otherwise_is_another_source(attacked: Project) -> None:
    gated(attacked, ", source: net").record()
    attacked.edit("{path: ../net.onnx}", MEAN)
    found = verdicts(attacked)
    assert found[f"other::{SHIFT}"][0] == "NO_GOLDEN"
    assert "source_reading" in found[f"other::{SHIFT}"][1]
    assert found[f"net::{SHIFT}"][0] == "PASS", "a release may read its images otherwise"


def test_the_models_that_choose_what_is_attacked_belong_to_a_golden(attacked: Project) -> None:
    gated(attacked, ", source: net, only: jointly_correct").record()
    attacked.model("other", 11)
    found = verdicts(attacked)
    assert found[f"net::{SHIFT}"][0] == "NO_GOLDEN"
    assert "jointly_sha256" in found[f"net::{SHIFT}"][1]
    assert found[f"other::{SHIFT}"][0] != "NO_GOLDEN", "its own new release stays comparable"


@pytest.mark.parametrize(
    ("extra", "changed", "sentence"),
    [
        ("", "reading", "crafted on net with another geometry, preprocess or output than net has in this spec"),
        (", only: jointly_correct", "other", "crafted on what other files of net, other, or the same ones with"),
        (", batch: 7", "batch", "crafted with batch 7 where the entry has 8"),
    ],
)
def test_a_pack_is_of_models_as_they_were(attacked: Project, extra: str, changed: str, sentence: str) -> None:
    attacked.spec(SPEC % f", source: net{extra}")
    assert main(["craft", "specs/small.yaml", "--out", "one.npz"]) == 0
    attacked.edit("source: net", "source: net, pack: ../one.npz")
    assert attacked.run("--robust-device=cpu").code == 0
    if changed == "reading":
        attacked.edit("{path: ../net.onnx}", MEAN)
    elif changed == "other":
        attacked.model("other", 11)
    else:
        attacked.edit("batch: 7", "batch: 8")
    refused(attacked, sentence)


def test_samples_that_the_source_has_wrong_here_do_not_count_as_attacked(attacked: Project) -> None:
    assert main(["craft", "specs/small.yaml", "--model", "other", "--out", "one.npz"]) == 0
    before = cells(attacked)[f"other::{OWN}"]["attack"]
    path = attacked.path / "one.npz"
    pack, _ = read_pack(path)
    with np.load(attacked.path / "data.npz") as arrays:
        canvases = arrays["x"].copy()
    more = np.flatnonzero(~pack.tried)[:5]
    tried = pack.tried.copy()
    tried[more] = True
    clean = np.stack([canvas_sha256(one) for one in canvases])
    canvases[pack.tried] = [*pack.canvases]
    success = pack.success | (tried & ~pack.tried)
    sizes = {norm: np.where(success, 1, values).astype(np.float32) for norm, values in pack.distortions.items()}
    for norm, values in pack.distortions.items():
        sizes[norm][pack.success] = values[pack.success]
    images = Images.of(canvases[tried])
    made = replace(pack, tried=tried, success=success, distortions=sizes, canvases=images, clean=clean[tried])
    write_pack(path, made)
    attacked.edit("attack: fgsm", "attack: fgsm, pack: ../one.npz")
    attacked.edit("  net: {path: ../net.onnx}\n", "")
    found = cells(attacked)[f"other::{OWN}"]
    assert found["attack"] == before
    note = "5 samples of the pack do not count as attacked: other has their clean images wrong here"
    assert note in found["notes"]
    assert np.count_nonzero(predicted(attacked, "other::clean") != LABELS) == COUNT - before["attacked"]


def test_kept_images_are_of_one_batch_one_runtime_and_one_torch(
    attacked: Project, crafting: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    attacked.edit("  other: {path: ../other.onnx}\n", "")
    cells(attacked)
    cells(attacked)
    assert len(crafting) == 1
    cells(attacked, "--robust-batch-size=7")
    assert len(crafting) == 2
    attacked.edit("attack: fgsm", "attack: fgsm, batch: 7")
    assert cells(attacked)[f"net::{OWN}"]["parameters"]["batch"] == 7
    assert len(crafting) == 3
    attacked.edit(", classes: 3", "")
    cells(attacked)
    assert len(crafting) == 4, "targets are chosen among the classes"
    version = versions._version
    monkeypatch.setattr(versions, "_version", lambda name: "0.1" if name == "torch" else version(name))
    cells(attacked)
    assert len(crafting) == 5


def test_a_damaged_kept_pack_is_told(attacked: Project) -> None:
    first = cells(attacked, "--robust-cache=kept")
    for path in (attacked.path / "kept" / "packs").iterdir():
        if path.suffix != ".lock":
            damage(path)
    for path in (attacked.path / "kept" / "cells").iterdir():
        path.unlink()
    again, third = (cells(attacked, "--robust-cache=kept") for _ in range(2))
    note = "the cache held the images of this attack damaged, so they were crafted anew"
    for cell in first:
        assert (note in again[cell]["notes"]) == (OWN in cell)
        assert note not in first[cell]["notes"] + third[cell]["notes"]


def test_seconds_of_crafting_are_those_of_the_cell_that_waited(attacked: Project) -> None:
    attacked.spec(SPEC % ", source: net")
    found = cells(attacked)
    for cell in (f"net::{SHIFT}", f"other::{SHIFT}"):
        seconds = found[cell]["seconds"]
        assert "craft" in seconds or cell.startswith("other")
        assert seconds["total"] >= seconds.get("craft", 0) + seconds["inference"]
    assert found[f"net::{SHIFT}"]["seconds"]["craft"] > 0
    assert "craft" not in found["net::clean"]["seconds"]
    attacked.model("third", 3)
    attacked.edit("  other:", "  third: {path: ../third.onnx}\n  other:")
    assert "craft" not in cells(attacked)[f"third::{SHIFT}"]["seconds"], "the images were kept"


def test_a_twin_that_differs_is_found_whatever_the_batch(attacked: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = classifier(attacked.path / "wrong.onnx", np.roll(BRIGHTEST, 1, axis=1))

    def other_twin(plan, device):
        return open_victim(replace(plan, path=replace(plan.path, text=str(wrong))), device)

    monkeypatch.setattr(attacker, "open_victim", other_twin)
    attacked.edit("attack: fgsm", "attack: fgsm, batch: 1")
    refused(attacked, r"the torch twin agrees with ONNX Runtime on 0.0% of 32 clean images", "net::adversarial")


def test_a_twin_is_checked_once_per_source(attacked: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    check = attacker.check_twin

    def counting(victim, canvases, predicted, **options):
        seen.append(len(canvases))
        return check(victim, canvases, predicted, **options)

    monkeypatch.setattr(attacker, "check_twin", counting)
    attacked.edit("epsilons: [8]", "epsilons: [0, 4, 8]")
    attacked.edit("attack: fgsm", "attack: fgsm, batch: 5")
    cells(attacked)
    assert seen == [32, 32], "two sources"


@pytest.mark.parametrize(("norm", "level"), [("inf", 0.9), ("2", 0.9), ("1", 0.9), ("inf", 1), ("2", 1)])
def test_a_budget_that_can_change_nothing_is_told(attacked: Project, norm: str, level: float) -> None:
    attacked.edit("  other: {path: ../other.onnx}\n", "")
    attacked.edit("[8]", f"[{level}]")
    attacked.edit("attack: fgsm", f"attack: fgsm, norm: {norm}")
    (found,) = [one for cell, one in cells(attacked).items() if "adversarial" in cell]
    told = any("is under one grey level, 1/255, so no image is changed" in note for note in found["notes"])
    assert told == (level < 1)
    assert not told or found["attack"]["successes"] == 0


@pytest.mark.parametrize("where", ["shift", "canvas"])
def test_memory_that_runs_out_before_a_model_is_asked_is_a_sentence(project: Project, where: str) -> None:
    raises = "def no(*a, **k):\n    raise MemoryError('Unable to allocate 3 GiB')\n"
    if where == "shift":
        project.pytester.makeconftest(
            f"{raises}\nfrom pytest_robust.shifts.base import PixelShift\n"
            "def pytest_robust_register(registry):\n"
            "    registry.add(PixelShift('dim', 'mine', 1, 'ours', [1], lambda p, h, w: {'divisor': 2}, no))\n"
        )
    else:
        project.pytester.makeconftest(
            f"{raises}\nimport pytest_robust.engine.canvases as canvases\ncanvases.Canvases.at = no\n"
        )
    project.edit("{suite: scaling, mode: down_up, multiples: [0.5, 2]}", "{suite: mine}" if where == "shift" else "")
    if where == "canvas":
        project.edit("  - \n", "")
    run = project.run("--robust-device=cpu", process=True)
    assert run.has(r"memory ran out \(Unable to allocate 3 GiB\); use a smaller --robust-batch-size")
    assert "Traceback" not in run.text


@pytest.mark.parametrize("targeted", ["top2", "random", "least_likely"])
@pytest.mark.parametrize("offset", [-1, 1])
def test_targets_of_a_model_whose_outputs_begin_elsewhere(attacked: Project, targeted: str, offset: int) -> None:
    attacked.edit("  other: {path: ../other.onnx}\n", "")
    attacked.edit("path: ../net.onnx", f"path: ../net.onnx, output: {{label_offset: {offset}}}")
    if offset < 0:
        with np.load(attacked.path / "data.npz") as arrays:
            np.savez(attacked.path / "data.npz", x=arrays["x"], y=arrays["y"] + 1)
        attacked.edit("classes: 3", "classes: 4")
    else:
        weights = np.concatenate([np.zeros((3, 1), np.float32), BRIGHTEST], axis=1)
        classifier(attacked.path / "net.onnx", weights, bias=[-9, 0, 0, 0])
    attacked.edit("attack: fgsm", f"attack: pgd, steps: 4, targeted: {targeted}, epsilons: [40]")
    attacked.edit(", epsilons: [8]", "")
    found = cells(attacked)[f"net::adversarial.pgd_linf.to_{targeted}-40"]["attack"]
    assert found["attacked"] == COUNT
    assert found["target_top1"]["rate"] > 0.95
    with np.load(attacked.path / "r.npz") as arrays:
        (name,) = [one for one in arrays.files if one.startswith("attack_targets/")]
        assert set(arrays[name].tolist()) <= set(range(3) if offset > 0 else range(1, 4))
