"""`scores: true`: what the probabilities say, from the spec to the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_robust.report.reading import read_report
from pytest_robust.report.schema import report_schema
from tests.onnx_models import BRIGHTEST, classifier
from tests.plugin.project import COUNT, NET, Project

STEEP = 100.0


@pytest.fixture
def scored(project: Project) -> Project:
    """The project with scores, and a model whose logits are a hundred times as far apart."""
    classifier(project.path / "net.onnx", STEEP * BRIGHTEST)
    project.edit("format: 1\n", "format: 1\nscores: true\n")
    return project


def cells(project: Project, *args: str, name: str = "r.json", process: bool = False) -> dict[str, dict[str, Any]]:
    run = project.run(f"--robust-report={name}", *args, process=process)
    report = json.loads((project.path / name).read_text())
    jsonschema.validate(report, report_schema())
    assert run.code in (0, 1)
    return {cell["id"]: cell for cell in report["cells"]}


def chances(project: Project) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The probabilities that the model of `scored` gives the unshifted images, without any of our code."""
    data = np.load(project.path / "data.npz")
    powers = np.exp(STEEP * (data["x"].mean(axis=(1, 2)) / 255 - 0.5))
    return powers / powers.sum(axis=1, keepdims=True), data["y"]


def test_the_report_holds_the_scores_of_every_cell(scored: Project) -> None:
    found = cells(scored)
    assert list(found) == NET
    probabilities, labels = chances(scored)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    gaps = {}
    for bins in (15, 100):
        index = np.minimum((confidence.astype(np.float32) * bins).astype(int), bins - 1)
        groups = [index == one for one in range(bins) if (index == one).any()]
        gaps[bins] = [(group.mean(), right[group].mean() - confidence[group].mean()) for group in groups]
    scores = found[NET[0]]["scores"]
    assert scores == {
        "outputs": "logits",
        "top5": 1.0,
        "ece": pytest.approx(sum(share * abs(gap) for share, gap in gaps[15]), rel=1e-4),
        "rmsce": pytest.approx(sum(share * gap**2 for share, gap in gaps[100]) ** 0.5, rel=1e-4),
        "nll": pytest.approx(-np.log(probabilities[np.arange(COUNT), labels]).mean(), rel=1e-4),
        "brier": pytest.approx(((probabilities - np.eye(3)[labels]) ** 2).sum(axis=1).mean(), rel=1e-4),
    }
    assert 0.01 < scores["ece"] <= scores["rmsce"]
    assert len({cell["scores"]["nll"] for cell in found.values()}) == len(NET)
    stored = read_report(scored.path / "r.json").measurements[NET[0]].scores
    assert stored is not None
    assert stored.confidence == pytest.approx(confidence, rel=1e-4)


def test_neither_batches_nor_workers_change_a_bit(scored: Project) -> None:
    reports = []
    for number, options in enumerate((["--robust-batch-size=7"], ["--robust-batch-size=300"], ["-n2"])):
        cells(scored, *options, name=f"{number}.json", process=number == 2)
        reports.append(read_report(scored.path / f"{number}.json"))
    first = {name: made.scores.to_plain() for name, made in reports[0].measurements.items() if made.scores}
    assert len(first) == len(NET)
    for other in reports[1:]:
        assert {name: made.scores.to_plain() for name, made in other.measurements.items() if made.scores} == first
        assert [cell["scores"] for cell in other.structure["cells"]] == [
            cell["scores"] for cell in reports[0].structure["cells"]
        ]


def test_unasked_nothing_is_scored_and_all_else_is_the_same(scored: Project) -> None:
    run = scored.run("--robust-report=r.json")
    asked = json.loads((scored.path / "r.json").read_text())["cells"]
    assert run.has(r"^net: top-5 100\.00/100\.00, ECE \d+\.\d+/\d+\.\d+, RMSCE .*, NLL \d\.\d+/")
    scored.edit("scores: true", "scores: false")
    run = scored.run("--robust-report=r.json", "--robust-report=r.md")
    unasked = json.loads((scored.path / "r.json").read_text())["cells"]
    assert not run.has("ECE|top-5")
    assert not {"scored", "ECE"} & {*(scored.path / "r.md").read_text().replace(",", " ").split()}
    assert [cell.pop("scores") for cell in unasked] == [None] * len(NET)
    for cell in (*asked, *unasked):
        cell.pop("scores", None)
        cell["seconds"] = None
    assert asked == unasked
    assert not [name for name in np.load(scored.path / "r.npz").files if name.startswith(("nll", "top5"))]


def test_what_was_measured_without_scores_does_not_stand_in_for_what_is_asked(scored: Project) -> None:
    cache = f"--robust-cache={scored.path / 'kept'}"
    scored.edit("scores: true", "scores: false")
    cells(scored, cache)
    scored.edit("scores: false", "scores: true")
    fresh, again = cells(scored, cache), cells(scored, cache)
    assert [cell["cached"] for cell in fresh.values()] == [False] * len(NET)
    assert [cell["cached"] for cell in again.values()] == [True] * len(NET)
    assert [cell["scores"] for cell in again.values()] == [cell["scores"] for cell in fresh.values()]
    assert all(cell["scores"] for cell in again.values())


def test_goldens_know_nothing_of_scores(scored: Project) -> None:
    scored.record()
    files = scored.files()
    scored.edit("scores: true", "scores: false")
    assert scored.run().code == 0
    scored.record()
    assert scored.files() == files


def test_markdown_shows_one_line_per_scored_model(scored: Project) -> None:
    scored.edit("  net: {path: ../net.onnx}", "  net: {path: ../net.onnx}\n  other: {like: net}")
    scored.run("--robust-report=r.md")
    lines = (scored.path / "r.md").read_text().splitlines()
    at = lines.index("### 2 scored")
    assert [line.split("`")[1] for line in lines[at + 2 : at + 4]] == [
        f"specs/small.yaml::{n}" for n in ("net", "other")
    ]
    assert lines[at + 2].endswith("(clean/shifted)")


def test_a_softmax_in_the_graph_changes_no_score(scored: Project) -> None:
    logits = cells(scored)
    classifier(scored.path / "net.onnx", STEEP * BRIGHTEST, softmax=True)
    probabilities = cells(scored)
    for name in NET:
        one, other = logits[name]["scores"], probabilities[name]["scores"]
        assert (one.pop("outputs"), other.pop("outputs")) == ("logits", "probabilities")
        assert one == pytest.approx(other, rel=1e-3, abs=1e-5)


def test_a_wrong_kind_is_one_sentence_on_the_model_alone(scored: Project) -> None:
    scored.edit("  net: {path: ../net.onnx}", "  net: {path: ../net.onnx}\n  wrong: {like: net, output: {kind: K}}")
    scored.edit("kind: K", "kind: probabilities")
    found = cells(scored)
    for name in NET:
        wrong = found[name.replace("::net::", "::wrong::")]
        assert (wrong["verdict"], wrong["scores"]) == ("ERROR", None)
        assert "no probabilities: set output: {kind: logits}" in wrong["reasons"][0]
        assert found[name]["scores"] is not None
    classifier(scored.path / "net.onnx", STEEP * BRIGHTEST, softmax=True)
    scored.edit("kind: probabilities", "kind: logits")
    found = cells(scored, "-k", "wrong")
    assert all("no logits: set output: {kind: probabilities}" in cell["reasons"][0] for cell in found.values())
    assert found


def test_labels_without_an_output_are_said(scored: Project) -> None:
    """Labels from 1 and an offset of -1, where one image of the class 0 got into the data."""
    data = np.load(scored.path / "data.npz")
    labels = data["y"] + 1
    labels[0] = 0
    np.savez(scored.path / "data.npz", x=data["x"], y=labels)
    scored.edit("classes: 3}", "classes: 4}")
    scored.edit("{path: ../net.onnx}", "{path: ../net.onnx, output: {label_offset: -1}}")
    cell = cells(scored)[NET[0]]
    assert cell["correct"] == COUNT - 1
    assert (cell["scores"]["nll"], cell["scores"]["brier"]) == (None, None)
    assert cell["scores"]["top5"] == (COUNT - 1) / COUNT
    assert "NLL and Brier score are undefined: the model has no output for the labels of 1 samples" in cell["notes"]


def test_scores_are_merged(scored: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_robust.cli import main

    whole = cells(scored)
    scored.run("--robust-report=one.json", "-k", "gaussian or clean")
    scored.run("--robust-report=two.json", "-k", "contrast or scaling")
    monkeypatch.chdir(scored.path)
    main(["merge", "one.json", "two.json", "--out", "all.json"])
    merged = read_report(scored.path / "all.json")
    assert {cell["id"]: cell["scores"] for cell in merged.structure["cells"]} == {
        name: cell["scores"] for name, cell in whole.items()
    }
    assert all(made.scores is not None for made in merged.measurements.values())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("scores: true", "scores: yes please", r"small\.yaml:2:9: .*scores.*true or false"),
        ("scores: true", "scores:", r"small\.yaml:2:.*true or false"),
        ("scores: true", "score: true", r"small\.yaml:2:1: unknown key 'score', did you mean 'scores'"),
        ("{path: ../net.onnx}", "{path: ../net.onnx, output: {kind: logit}}", r"logits.*not 'logit'"),
    ],
)
def test_mistakes_in_the_spec_are_named(scored: Project, old: str, new: str, said: str) -> None:
    scored.edit(old, new)
    run = scored.run()
    assert run.code != 0
    assert run.has(said), run.text


@pytest.mark.parametrize(
    ("net", "top1", "top5"), [("cifar10_resnet20", 0.81, 0.9865), ("cifar10_resnet8_fp32", 0.7615, 0.982)]
)
def test_a_real_model(pytester: pytest.Pytester, shared_data: Path, net: str, top1: float, top5: float) -> None:
    """Top-5 as it was measured apart from this package, and NLL and ECE of a trained net as they are known to be."""
    preprocess = {
        "cifar10_resnet20": "{mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}",
        "cifar10_resnet8_fp32": "{scale: 1.0, layout: nhwc}",
    }[net]
    project = Project(pytester)
    project.spec(
        f"""\
        format: 1
        scores: true
        dataset: {{source: npz, path: {shared_data}/cifar10/test_jpeg_2000.npz, classes: 10}}
        models:
          net: {{path: {shared_data}/models/{net}.onnx, preprocess: {preprocess}}}
        """
    )
    (cell,) = cells(project).values()
    assert (cell["accuracy"], cell["scores"]["top5"]) == (top1, top5)
    assert cell["scores"]["outputs"] == ("probabilities" if net.endswith("fp32") else "logits")
    assert 0.02 < cell["scores"]["ece"] < 0.2
    assert 0.5 < cell["scores"]["nll"] < 1.2
    assert 0.2 < cell["scores"]["brier"] < 0.4
