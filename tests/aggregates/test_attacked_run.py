"""Attacks in whole runs: limits, records, matrix, frontier and CLEVER of models whose answers are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from pytest_robust.cli import main
from pytest_robust.data import open_dataset
from pytest_robust.errors import Mark
from pytest_robust.report.reading import read_report
from pytest_robust.report.schema import report_schema
from pytest_robust.settings import CI_VARIABLES
from pytest_robust.spec.plan import DatasetPlan, PathText
from tests.folder import Folder
from tests.plugin.conftest import at_home  # noqa: F401
from tests.plugin.project import COUNT

SPEC = """\
format: 1
dataset: {source: npz, path: ../data.npz, classes: 3}
models:
  net: {path: ../net.onnx}
  biased: {path: ../biased.onnx}
shifts:
  - {name: fgsm, suite: adversarial, attack: fgsm, source: each, epsilons: [8], units: levels}
thresholds:
  - {where: {entry: fgsm}, max_success_rate: 0.35, min_distortion: {linf: 0.02, l2: 0.5}, max_transfer: 0.33}
aggregates:
  - {transfer: {}, max: 0.33}
  - {pareto: {norm: linf}, on_frontier: net}
  - {clever: {samples: 80, batches: 2, points: 2, targets: all}, min_clever: 0.7}
golden: ../golden
"""
ID = "specs/small.yaml::{}::fgsm.fgsm_linf.from_{}-8"
LABELS = np.arange(COUNT) % 3
TINT = np.linspace(4, 42, COUNT).astype(np.uint8).astype(int)
SLOPE = np.sqrt(2) / 16
"""Of the difference of two means over 16 x 16 pixels: the L2 norm of 512 values of 1/256."""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A project whose adversarial cases were run once, with report.json and report.md; goldens recorded."""
    folder = Folder(tmp_path_factory.mktemp("attacked"))
    folder.model("biased", bias=6)
    folder.spec(SPEC)
    with pytest.MonkeyPatch.context() as patch:  # before the tests' own fixture does it
        for name in CI_VARIABLES:
            patch.delenv(name, raising=False)
        folder.run("--robust-update", "--robust-reason=first", "--robust-cache=cache")
    folder.report("report.json", "--robust-report=report.md", "--robust-cache=cache", "--robust-report=again.json")
    return folder


@pytest.fixture(scope="module")
def report(ran: Folder) -> dict[str, Any]:
    return ran.json("report.json")


def cell(report: dict[str, Any], target: str, source: str) -> dict[str, Any]:
    return next(found for found in report["cells"] if found["id"] == ID.format(target, source))


def aggregate(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(found for found in report["aggregates"] if found["id"].endswith(name))


def after(moved: np.ndarray, bias: int) -> np.ndarray:
    """Predictions of a model with this bias, of images whose channels are moved by so many grey levels, (n, 3)."""
    levels = np.zeros((COUNT, 3), int)
    levels[np.arange(COUNT), LABELS] = TINT
    return (levels + moved + [bias, 0, 0]).argmax(1)


def crafted(bias: int) -> tuple[np.ndarray, np.ndarray]:
    """What one step of 8 grey levels against the true class does to the images that the source has right."""
    tried = after(np.zeros((COUNT, 3), int), bias) == LABELS
    away = np.full((COUNT, 3), 8)
    away[np.arange(COUNT), LABELS] = -8
    return tried, np.where(tried[:, None], away, 0)


BIAS = {"net": 0, "biased": 6}
FIRM = {
    # a gap of no grey level is a tie, which the last bit of a sum decides
    name: ~np.isin(TINT - np.where(LABELS == 0, -bias, bias), (0, 16)) & ~np.isin(TINT, (0, 16))
    for name, bias in BIAS.items()
}


def test_a_cell_counts_what_it_must(report: dict[str, Any]) -> None:
    for source in BIAS:
        tried, moved = crafted(BIAS[source])
        won = tried & (after(moved, BIAS[source]) != LABELS)
        found = cell(report, source, source)["attack"]
        ties = int((~FIRM[source]).sum())
        assert abs(found["attacked"] - tried.sum()) <= ties
        assert abs(found["successes"] - won.sum()) <= ties
        assert found["success_rate"] == found["successes"] / found["attacked"]
        assert found["source"] == source
        assert found["transfer"] is None
        assert found["distortions"]["linf"] == pytest.approx({"mean": 8 / 255, "std": 0}, abs=1e-6)
        assert found["distortions"]["l2"]["mean"] == pytest.approx(8 / 255 * np.sqrt(768), rel=1e-6)
        assert found["distortions"]["l1"]["mean"] == pytest.approx(8 / 255 * 768, rel=1e-6)
        assert found["distortions"]["l0"]["mean"] == 768
        assert found["robust_accuracy"] == cell(report, source, source)["accuracy"]
    tried, moved = crafted(0)
    right = after(np.zeros((COUNT, 3), int), 6) == LABELS
    hits = after(moved, 6) != LABELS
    shown = cell(report, "biased", "net")["attack"]
    assert (shown["source"], shown["success_rate"]) == ("net", cell(report, "net", "net")["attack"]["success_rate"])
    ties = int((~FIRM["biased"]).sum())
    assert abs(shown["transfer"]["counted"] - (tried & right).sum()) <= ties
    assert abs(shown["transfer"]["hits"] - (tried & right & hits).sum()) <= ties
    assert report["cells"][0]["attack"] is None


def test_verdicts_and_the_text_of_a_failure(ran: Folder, report: dict[str, Any]) -> None:
    verdicts = {found["id"]: found["verdict"] for found in report["cells"] if found["attack"]}
    own = cell(report, "biased", "biased")["attack"]
    moved = cell(report, "biased", "net")["attack"]["transfer"]
    assert verdicts == {
        ID.format("net", "net"): "PASS",
        ID.format("net", "biased"): "PASS",
        ID.format("biased", "biased"): "BELOW_FLOOR",
        ID.format("biased", "net"): "BELOW_FLOOR",
    }
    sizes = "mean linf 0.03137, l2 0.8694, l1 24.09, l0 768"
    rate = f"{100 * own['success_rate']:.2f}%"
    counts = f"{own['successes']} of {own['attacked']} attacked"
    headline = f"success rate {rate} ({counts}, {sizes}) > allowed 35.00%"
    assert report["run"]["failed"][ID.format("biased", "biased")] == headline
    assert report["run"]["failed"][ID.format("biased", "net")] == (
        f"transfer rate {100 * moved['rate']:.2f}% ({moved['hits']} of {moved['counted']} counted, {sizes})"
        " > allowed 33.00%"
    )
    text = ran.run("-k", "biased and from_biased", "--robust-cache=cache").text
    assert f"{headline}\n  spec      specs/small.yaml:7:5   thresholds at specs/small.yaml:9:5\n" in text
    assert (
        f"  attack    success rate {rate} ({counts}), mean distortion linf 0.03137, l2 0.8694, l1 24.09, l0 768"
        " (pixels 0 to 1); robust accuracy "
    ) in text


def test_goldens_of_attacks_are_compared_as_any_cell_s(report: dict[str, Any], ran: Folder) -> None:
    for found in report["cells"]:
        assert found["flips"] is not None, found["reasons"]
        assert (found["flips"]["negative"], found["flips"]["positive"]) == (0, 0)


def test_the_matrix_is_that_of_the_cells(report: dict[str, Any]) -> None:
    found = aggregate(report, "fgsm.transfer")
    matrix = found["matrix"]
    assert (matrix["sources"], matrix["targets"], matrix["match"]) == (
        ["net", "biased"],
        ["net", "biased"],
        "untargeted",
    )
    ours, theirs = (cell(report, *pair)["attack"]["transfer"] for pair in (("biased", "net"), ("net", "biased")))
    assert matrix["rates"] == [[None, ours["rate"]], [theirs["rate"], None]]
    assert matrix["counted"] == [[0, ours["counted"]], [theirs["counted"], 0]]
    assert matrix["white_box"] == [cell(report, name, name)["attack"]["success_rate"] for name in ("net", "biased")]
    assert found["value"] == ours["rate"]
    assert found["verdict"] == "BELOW_FLOOR"


def test_the_frontier_of_two_models_of_one_distortion(report: dict[str, Any]) -> None:
    found = aggregate(report, "fgsm.pareto")
    assert [one["frontier"] for one in found["pareto"]["models"]] == [True, False]
    assert found["reasons"][0] == "net is on the frontier of 2 models"


def test_clever_of_a_linear_model_is_its_distance_to_the_boundary(ran: Folder, report: dict[str, Any]) -> None:
    where = DatasetPlan("npz", Mark("s", 1, 1), PathText("data.npz", ran.path, Mark("s", 1, 1)), classes=3)
    whole = open_dataset(where).samples.ids
    chosen = np.array([whole.index(one) for one in open_dataset(where, limit=80).samples.ids])
    tints, labels = TINT[chosen], LABELS[chosen]
    found = aggregate(report, "net::clean.clever")
    assert found["clever"]["scored"] == 80
    assert found["value"] == pytest.approx((tints / 255 / SLOPE).mean(), rel=1e-4)
    assert found["clever"]["std"] == pytest.approx((tints / 255 / SLOPE).std(), rel=1e-4)
    assert found["verdict"] == "PASS"
    assert found["reasons"][0] == (
        f"CLEVER l2 (80 images, all targets, 2 batches of 2 points within 3) {found['value']:.4f} >= 0.7000"
    )
    biased = aggregate(report, "biased::clean.clever")
    # towards the first class a bias of 6 levels is lost, of the first class it is won; the nearest other class counts
    gaps = np.where(labels == 0, tints + 6, np.where(tints > 6, tints - 6, -1))
    right = gaps > 0
    lost = 80 - biased["clever"]["scored"]
    assert lost == pytest.approx((~right).sum(), abs=int((tints == 6).sum()))
    assert biased["value"] == pytest.approx((gaps[right] / 255 / SLOPE).mean(), rel=5e-3)
    assert biased["reasons"][-1] == f"{lost} images without a score: wrong when clean, or the target is the label"


def test_scores_are_kept_for_later_runs(ran: Folder) -> None:
    kept = sorted((ran.path / "cache" / "clever").iterdir())
    assert len(kept) == 2
    before = [path.read_bytes() for path in kept]
    # each other's scores: a run that computes would bring them back
    for path, content in zip(kept, reversed(before), strict=True):
        path.write_bytes(content)
    ran.report("swapped.json", "--robust-cache=cache")
    values = [aggregate(ran.json("swapped.json"), f"{name}::clean.clever")["value"] for name in ("biased", "net")]
    assert values == [
        aggregate(ran.json("report.json"), f"{name}::clean.clever")["value"] for name in ("net", "biased")
    ]
    for path, content in zip(kept, before, strict=True):
        path.write_bytes(content)
    ran.edit("points: 2", "points: 3")
    ran.run("-k", "clever", "--robust-cache=cache")
    ran.edit("points: 3", "points: 2")
    assert len(list((ran.path / "cache" / "clever").iterdir())) == 4, "another number of points is another score"


def test_the_report_says_what_its_schema_does_and_is_read_back(ran: Folder, report: dict[str, Any]) -> None:
    jsonschema.validate(report, report_schema())
    read = read_report(ran.path / "report.json")
    for found in report["cells"]:
        attacked = read.measurements[found["id"]].attacked
        if found["attack"] is None:
            assert attacked is None
            continue
        assert attacked is not None
        assert (int(attacked.tried.sum()), int(attacked.success.sum())) == (
            found["attack"]["attacked"],
            found["attack"]["successes"],
        )
        assert attacked.source == found["attack"]["source"]
        assert attacked.targets is None
        assert np.nanmean(attacked.distortions["l2"][attacked.success]) == pytest.approx(
            found["attack"]["distortions"]["l2"]["mean"], rel=1e-6
        )


def test_markdown_shows_distortion_beside_success(ran: Folder, report: dict[str, Any]) -> None:
    text = (ran.path / "report.md").read_text()
    assert "### 4 attacks" in text
    for line in text.splitlines():
        assert "success rate" not in line or "distortion" in line or "mean linf" in line, line
    rates = [f"{100 * rate:.2f}" for rate in aggregate(report, "transfer")["matrix"]["white_box"]]
    other = aggregate(report, "transfer")["matrix"]["rates"][0][1]
    assert "| from \\ to % | net | biased | success % | mean linf | mean l2 | mean l1 | mean l0 |" in text
    assert f"| net | ({rates[0]}) | {100 * other:.2f} | {rates[0]} | 0.03137 | 0.8694 | 24.09 | 768 |" in text


def test_targets_travel_through_the_report(ran: Folder, tmp_path: Path) -> None:
    aimed = ran.copy(tmp_path)
    aimed.edit("units: levels}", "units: levels, targeted: least_likely}")
    aimed.edit("  - {transfer: {}, max: 0.33}\n", "  - {transfer: {match: top5}}\n")
    aimed.report("aimed.json", "-k", "fgsm and not pareto", "--robust-no-cache")
    found = aimed.json("aimed.json")
    jsonschema.validate(found, report_schema())
    attacks = [one["attack"] for one in found["cells"] if one["attack"]]
    # of three classes every target is among the first five
    assert {one["target_top5"]["rate"] for one in attacks} == {1.0}
    assert all(0 < one["target_top1"]["rate"] < 0.5 for one in attacks)
    read = read_report(aimed.path / "aimed.json").measurements
    name = next(iter(one["id"] for one in found["cells"] if one["attack"]))
    assert read[name].attacked.targets is not None
    assert read[name].attacked.near_target[read[name].attacked.tried].all()
    assert aggregate(found, "transfer")["matrix"]["match"] == "top5"


def test_a_picture_of_the_matrix(ran: Folder, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(ran.path)
    assert main(["matrix", "report.json", "--out", "transfer.png"]) == 0
    assert capsys.readouterr().out == ("transfer.png written: 2 x 2 models of specs/small.yaml::_all::fgsm.transfer\n")
    assert (ran.path / "transfer.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((ran.path / "report.json").read_text()) == ran.json("report.json")
