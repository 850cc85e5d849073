"""Up to so many images of each class: for a whole spec, and for a scaling or an attack alone."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from tests.plugin.project import COUNT, Project

HEAD = """\
format: 1
dataset: {{source: npz, path: ../data.npz, classes: 3{data}}}
models:
  net: {{path: ../net.onnx}}
  biased: {{path: ../biased.onnx}}
"""
SCALING = HEAD.format(data="") + (
    """\
shifts:
  - {suite: scaling, mode: down_up, multiples: [0.25, 0.5, 2, 4], per_class: 20}
  - {name: whole, suite: scaling, mode: down_up, multiples: [2]}
thresholds:
  - {where: {suite: scaling}, max_drop: 0.0, max_regression: 0.02}
aggregates:
  - {ice: {suite: scaling, entry: scaling, model: biased}, max: 0.0}
  - {monotone: {suite: scaling, entry: scaling, allowance: 0.0}}
  - {compare: {model: net, against: biased, suite: scaling, entry: scaling}, min_gain: 0.0}
golden: ../golden
"""
)


ATTACKS = """\
format: 1
dataset: {source: npz, path: ../data.npz, classes: 3}
models:
  net: {path: ../net.onnx}
  other: {path: ../other.onnx}
shifts:
  - {name: few, suite: adversarial, attack: fgsm, epsilons: [8], units: levels, per_class: 20}
  - {name: all, suite: adversarial, attack: fgsm, epsilons: [8], units: levels}
  - {name: joint, suite: adversarial, attack: fgsm, epsilons: [8], units: levels, only: jointly_correct, per_class: 9}
thresholds:
  - {where: {entry: [few, all, joint]}, max_drop: 0.99}
aggregates:
  - {pareto: {entry: few, norm: linf}}
"""


@pytest.fixture
def biased(project: Project) -> Project:
    """`biased.onnx` calls weakly tinted images of the other classes class 0: most errors are among the weak tints."""
    project.model("biased", bias=12)
    return project


def report(project: Project, *options: str, code: int = 0) -> tuple[dict[str, dict], dict[str, dict]]:
    run = project.run("--robust-report=out.json", *options)
    assert run.code == code, run.text
    found = json.loads((project.path / "out.json").read_text())
    return tuple(
        {one["id"].removeprefix("specs/small.yaml::"): one for one in found[kind]} for kind in ("cells", "aggregates")
    )


def test_the_whole_spec_may_take_some_of_each_class(biased: Project) -> None:
    biased.spec(HEAD.format(data=", per_class: 7, limit: 290") + "shifts: [{suite: imagenet-c, severities: [1]}]\n")
    run = biased.run("-k", "clean or contrast", "--robust-report=out.json")
    assert run.code == 0, run.text
    cells = json.loads((biased.path / "out.json").read_text())["cells"]
    assert {cell["n"] for cell in cells} == {21}
    assert len({cell["labels_digest"] for cell in cells}) == 1


def test_the_drop_of_a_scaling_is_from_clean_over_the_same_images(biased: Project) -> None:
    """Down and up by 2 is nearly nothing, so that a drop from all of clean would be one of samples alone."""
    biased.spec(SCALING)
    assert biased.run("--robust-update").code == 0
    cells, aggregates = report(biased)
    clean, part, whole = (cells[f"biased::{key}"] for key in ("clean", "scaling.down_up-2", "whole.down_up-2"))
    assert (clean["n"], part["n"], whole["n"]) == (COUNT, 60, COUNT)
    assert part["accuracy"] > clean["accuracy"] + 0.02, "the part is as hard as the whole: the test says nothing"
    assert part["clean_drop"] == 0.0
    assert whole["clean_drop"] == pytest.approx(clean["accuracy"] - whole["accuracy"])
    assert part["golden"]["n"] == 60
    # against all of clean the error would shrink by a third, and the first step of the ladder would be a rise
    assert aggregates["biased::scaling.ice"]["value"] == pytest.approx(0)
    assert aggregates["biased::scaling.down_up.monotone"]["value"] == 0
    with np.load(biased.path / "data.npz") as data:
        labels = data["y"]
    assert Counter(labels.tolist()) == dict.fromkeys(range(3), COUNT // 3)


def test_parts_that_differ_are_not_held_against_one_clean(biased: Project) -> None:
    text = SCALING.replace("name: whole, suite: scaling", "name: whole, per_class: 30, suite: scaling")
    biased.spec(text.replace("entry: scaling, model: biased", "entry: [scaling, whole], model: biased"))
    run = biased.run("-k", "ice")
    assert run.code == 1
    assert run.has("ice holds cells against clean, and they are measured on different samples")


def test_a_smoke_run_keeps_the_part_within_the_whole(biased: Project) -> None:
    biased.spec(SCALING)
    run = biased.run("--robust-limit=16", "-k", "biased and (clean or up-2)", "--robust-report=out.json")
    assert run.code == 0, run.text
    cells = json.loads((biased.path / "out.json").read_text())["cells"]
    assert [cell["n"] for cell in cells] == [16, 16, 16]
    assert cells[1]["clean_drop"] == 0.0


def test_a_class_with_too_few_images_is_told_in_the_cell(biased: Project) -> None:
    biased.spec(SCALING.replace("per_class: 20", "per_class: 101"))
    cells, _ = report(biased, "-k", "biased and (clean or up-2)", code=1)
    assert cells["biased::scaling.down_up-2"]["n"] == COUNT
    (said,) = [reason for reason in cells["biased::scaling.down_up-2"]["reasons"] if "per_class" in reason]
    assert said.startswith("per_class is 101, and 3 of 3 classes have fewer images, all of which are taken: class 0 ")
    assert not [reason for reason in cells["biased::clean"]["reasons"] if "per_class" in reason]


@pytest.mark.parametrize("wrong", ["0", "2.5", "'3'", ""])
def test_a_number_per_class_is_one_or_more(biased: Project, wrong: str) -> None:
    biased.spec(SCALING.replace("per_class: 20", f"per_class: {wrong}"))
    assert biased.run("--collect-only").has(r"specs/small\.yaml:7:\d+: `per_class` ")
    biased.spec(HEAD.format(data=f", per_class: {wrong}"))
    assert biased.run("--collect-only").has(r"specs/small\.yaml:2:\d+: `per_class` ")


def test_an_attack_on_some_stands_beside_the_accuracy_on_all(attacked: Project) -> None:
    attacked.spec(ATTACKS)
    cells, aggregates = report(attacked, "--robust-device=cpu")
    with np.load(attacked.path / "out.npz") as arrays:
        ids = {len(arrays[name]): arrays[name].tolist() for name in arrays.files if name.startswith("ids/")}
        found = {
            name.split("::", 1)[1]: arrays[name]
            for name in arrays.files
            if name.startswith(("predicted/", "labels/"))
            if "::" in name
        }
    assert sorted(ids) == [27, 60, COUNT]
    few = [ids[COUNT].index(name) for name in ids[60]]
    labels = np.array([int(name) % 3 for name in ids[COUNT]])
    for model in ("net", "other"):
        clean, part, whole = (found[f"{model}::{key}"] for key in ("clean", "few.fgsm_linf-8", "all.fgsm_linf-8"))
        np.testing.assert_array_equal(part, whole[few])
        own = cells[f"{model}::few.fgsm_linf-8"]
        assert own["attack"]["attacked"] == np.count_nonzero(clean[few] == labels[few])
        assert own["clean_drop"] == pytest.approx(np.mean(clean[few] == labels[few]) - np.mean(part == labels[few]))
    places = [ids[COUNT].index(name) for name in ids[27]]
    jointly = (found["net::clean"] == labels)[places] & (found["other::clean"] == labels)[places]
    assert 0 < jointly.sum() < 27
    assert {cells[f"{model}::joint.fgsm_linf-8"]["attack"]["attacked"] for model in ("net", "other")} == {jointly.sum()}
    accuracies = [one["accuracy"] for one in aggregates["_all::few.pareto"]["pareto"]["models"]]
    assert accuracies == [cells[f"{model}::clean"]["accuracy"] for model in ("net", "other")]
    assert accuracies[1] != pytest.approx(np.mean((found["other::clean"] == labels)[few])), "the part is as the whole"
