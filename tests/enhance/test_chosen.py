"""A run's own report says which augmentations an enhancer chose, the same however the run was cut."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_robust import apply_shift
from pytest_robust.data import digits_arrays
from pytest_robust.engine import contents
from pytest_robust.engine.entries import pack, unpack
from pytest_robust.enhance import NAMES, Estimator, export
from pytest_robust.report import chosen
from pytest_robust.report.markdown import markdown
from pytest_robust.report.reading import read_report
from pytest_robust.report.schema import report_schema
from tests.cli.conftest import at_home, command  # noqa: F401
from tests.enhance.conftest import RESNET, awake, pictures
from tests.folder import Folder
from tests.models.opening import text_of
from tests.onnx_models import enhancer

SPEC = """\
format: 1
seed: 5
dataset: {source: digits, limit: 40}
models:
  net: {path: ../net.onnx, preprocess: {mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}}
  plain: {like: net, enhancer: {path: ../plain.onnx}}
  pair: {like: net, enhancer: {path: ../dyntta.onnx}}
shifts:
  - {suite: imagenet-c, corruptions: [fog], severities: [1, 5], table: 224}
  - {suite: scaling, mode: feed_scaled, multiples: [0.5]}
"""
LABELS = ["clean", "imagenet-c.fog-1", "imagenet-c.fog-5", "scaling.feed_scaled-0.5"]
IMAGES, _, IDS = digits_arrays("test")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """With the report `first.json` of a run that keeps its measurements."""
    found = Folder(tmp_path_factory.mktemp("project"))
    export(awake(), found.path / "dyntta.onnx", pictures())
    enhancer(found.path / "plain.onnx")
    shutil.copy(RESNET, found.path / "net.onnx")
    found.spec(SPEC)
    assert found.report("first.json", "--robust-cache=kept", "--robust-report=first.md").code == 0
    return found


def weights(project: Folder, name: str = "first.json") -> dict[str, Any]:
    """Of every cell that has the key, by its id without the spec."""
    cells = project.json(name)["cells"]
    return {cell["id"].partition("::")[2]: cell["enhancer_weights"] for cell in cells if "enhancer_weights" in cell}


def test_only_an_enhancer_that_gives_weights_has_them(project: Folder) -> None:
    found = weights(project)
    assert list(found) == [f"pair::{label}" for label in LABELS]
    assert all(list(one) == list(NAMES) for one in found.values())
    assert all(sum(one.values()) == pytest.approx(1, abs=50 * 2**-21) for one in found.values())
    assert len({json.dumps(one) for one in found.values()}) == len(LABELS), "each shift is answered in its own way"
    assert len(project.json("first.json")["cells"]) == 3 * len(LABELS), "and the others none"


@pytest.mark.parametrize(("label", "name", "severity"), [(LABELS[0], None, None), (LABELS[2], "fog", 5)])
def test_they_are_the_mean_over_the_shifted_images(
    project: Folder, label: str, name: str | None, severity: float | None
) -> None:
    (ids,) = (one.ids for one in read_report(project.path / "first.json").samples.values())
    canvases = IMAGES[[list(IDS).index(one) for one in ids]]
    if name:
        canvases = apply_shift(canvases, name, severity=severity, ids=ids, seed=5, table=224)
    expected = Estimator(text_of(project.path / "dyntta.onnx")).weights(canvases).astype(np.float64).mean(0)
    made = weights(project)[f"pair::{label}"]
    np.testing.assert_allclose([made[one] for one in NAMES], expected, rtol=0, atol=2**-20)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_they_are_the_same_bytes_in_batches_of_any_size(project: Folder, size: int) -> None:
    project.report("cut.json", "-k", "pair", "--robust-no-cache", f"--robust-batch-size={size}")
    assert json.dumps(weights(project, "cut.json")) == json.dumps(weights(project))


def test_a_cached_run_and_the_report_read_back_say_the_same(project: Folder) -> None:
    project.report("second.json", "--robust-cache=kept")
    assert all(cell["cached"] for cell in project.json("second.json")["cells"])
    assert weights(project, "second.json") == weights(project)
    read = read_report(project.path / "first.json").measurements
    kept = {name.partition("::")[2]: one.enhancer_weights for name, one in read.items() if one.enhancer_weights}
    assert kept == weights(project)


def test_what_was_kept_before_there_were_weights_is_made_anew(
    project: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = project.copy(tmp_path)
    with monkeypatch.context() as before:
        before.setattr(contents, "FORMAT", 1)
        one.report("old.json", "-k", "pair", "--robust-cache=old")
    for path in (one.path / "old" / "cells").iterdir():
        entry = unpack(path.read_bytes())
        assert entry is not None
        del entry["enhancer_weights"]
        path.write_bytes(pack(entry))
    one.report("new.json", "-k", "pair", "--robust-cache=old")
    assert not any(cell["cached"] for cell in one.json("new.json")["cells"])
    assert weights(one, "new.json") == weights(project)


def test_shards_merged_keep_them(project: Folder, command: Any) -> None:  # noqa: F811
    for part in "12":
        project.report(f"shard{part}.json", f"--robust-shard={part}/2", "--robust-cache=kept")
    code, _, err = command(project.path, "merge", "shard1.json", "shard2.json", "--out=all.json", "--out=all.md")
    assert code == 0, err
    assert weights(project, "all.json") == weights(project)
    assert table(project, "all.md") == table(project, "first.md")


def table(project: Folder, name: str) -> list[str]:
    """The lines of the section on the pair."""
    _, _, section = (project.path / name).read_text().partition("### `specs/small.yaml::pair`\n\n")
    return section.splitlines()[:5]


def test_markdown_shows_the_largest_of_each_shift(project: Folder) -> None:
    found = weights(project)
    fog = {name: (found["pair::imagenet-c.fog-1"][name] + found["pair::imagenet-c.fog-5"][name]) / 2 for name in NAMES}
    shown = {"clean": found["pair::clean"], "imagenet-c.fog": fog, "scaling.feed_scaled": found[f"pair::{LABELS[3]}"]}
    lines = []
    for shift, means in shown.items():
        first = sorted(NAMES, key=means.__getitem__, reverse=True)[:3]
        lines.append(f"| {' | '.join([shift, *(f'{name} {means[name]:.1%}' for name in first)])} |")
    assert table(project, "first.md") == ["| shift | 1. | 2. | 3. |", "| --- | ---: | ---: | ---: |", *lines]
    text = (project.path / "first.md").read_text()
    assert "`specs/small.yaml::plain`" not in text
    assert "largest mean weights" in text


def test_images_count_alike_where_cells_differ_in_them() -> None:
    cells = [
        {
            "id": f"a.yaml::m::e.s-{severity}",
            "suite": "e",
            "severity": severity,
            "n": n,
            "enhancer_weights": {"hue": share, "network": 1 - share},
        }
        for severity, n, share in ((-15, 30, 0.4), (0.5, 10, 0.0))
    ]
    assert chosen.by_model(cells) == {"a.yaml::m": [["e.s", "network 70.0%", "hue 30.0%"]]}
    assert chosen.by_model([{**cells[0], "enhancer_weights": None}]) == {}


def test_a_comment_without_room_goes_without_the_table(project: Folder) -> None:
    report = project.json("first.json")
    assert "largest mean weights" in markdown(report)
    assert "largest mean weights" not in markdown(report, room=1200)


def test_the_terminal_shows_them_only_to_who_wants_to_know_more(project: Folder) -> None:
    told = project.run("-v", "--robust-cache=kept")
    line = told.line(r"^imagenet-c\.fog +\S+ \d+\.\d% ")
    assert line.split() == table(project, "first.md")[3].replace("|", " ").split()
    assert told.has(r"^specs/small\.yaml::pair: mean weights of its enhancer$")
    assert not project.run("--robust-cache=kept").has(r"^imagenet-c\.fog +\S+ \d")


def test_the_schema_knows_them(project: Folder) -> None:
    validator = pytest.importorskip("jsonschema").Draft202012Validator(report_schema())
    assert not list(validator.iter_errors(project.json("first.json")))
