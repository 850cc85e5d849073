"""Shifts that bring samples, from the spec to the golden: natural shifts, published sets, SI-Score."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.onnx_models import classifier
from tests.plugin.project import COUNT, SPEC, Project

OPEN = SPEC.partition("shifts:")[0]
NAMED = OPEN.replace("classes: 3", "classes: [red, green, blue]")
ROWS = """\
thresholds:
  - {where: {shift: clean}, min_accuracy: 0.5}
  - {max_regression: 0.02, max_drop: 0.5}
golden: ../golden
"""


def cells(project: Project, *options: str, code: int = 0) -> dict[str, dict]:
    """The report's records by label."""
    run = project.run("--robust-report=out.json", *options, process=bool(options))
    assert run.code == code, run.text
    found = json.loads((project.path / "out.json").read_text())["cells"]
    return {cell["id"].removeprefix("specs/small.yaml::").removeprefix("net::"): cell for cell in found}


def tinted(project: Project, folder: str, rows: list[tuple[str, tuple[int, int, int]]]) -> None:
    """Pictures of one colour under these names."""
    for name, colour in rows:
        path = project.path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), colour).save(path)


@pytest.fixture
def natural(project: Project) -> Project:
    """A natural shift of three images of two of the classes, in folders of other names.

    Two are brightest in a channel that the set's classes do not have, so that only the label subset has them right.
    """
    tinted(
        project,
        "sketch",
        [("leaf/a.png", (250, 90, 10)), ("leaf/b.png", (10, 90, 20)), ("sea/a.png", (250, 20, 90))],
    )
    entry = "dataset: {source: folder, path: ../sketch}, classes_map: {leaf: green, sea: 2}"
    project.spec(
        f"{NAMED}shifts:\n"
        f"  - {{name: sketch, {entry}}}\n"
        f"  - {{name: among, {entry}, label_subset: [1, 2]}}\n"
        f"{ROWS.replace(', max_drop: 0.5', '')}"
    )
    return project


def test_a_label_subset_leaves_the_other_classes_out(natural: Project) -> None:
    natural.record()
    found = cells(natural)
    # among all classes red wins twice; without red, green and blue are what is left
    assert (found["sketch.natural"]["n"], found["sketch.natural"]["correct"]) == (3, 1)
    assert (found["among.natural"]["n"], found["among.natural"]["correct"]) == (3, 3)
    assert found["among.natural"]["parameters"] == {"label_subset": [1, 2]}
    assert found["among.natural"]["generated_or_stored"] == "generated"
    golden = natural.golden()
    assert "natural" in json.dumps(golden)
    natural.edit("label_subset: [1, 2]", "label_subset: [2, 1, 0]")
    run = natural.run()
    assert run.code == 1
    assert run.has(r"the shift's parameters changed: label_subset \[1, 2\] -> \[2, 1, 0\]")


def test_wrong_subsets_and_maps_are_one_sentence(natural: Project) -> None:
    natural.edit("label_subset: [1, 2]", "label_subset: [1, 2, 3]")
    run = natural.run("-k", "among")
    assert run.has(r"specs/small\.yaml:7:5: label_subset names the class 3, and there are 3 \(0 to 2\)")
    assert "Traceback" not in run.text
    natural.edit("label_subset: [1, 2, 3]", "label_subset: imagenet-z")
    assert natural.run().has(r"small\.yaml:7:\d+: `label_subset`")
    natural.edit("label_subset: imagenet-z", "label_subset: [1, 1]")
    assert natural.run().has(r"1 is given twice")


def test_group_columns_are_counted(project: Project) -> None:
    tinted(project, "m", [("a.png", (250, 0, 0)), ("b.png", (0, 250, 0)), ("c.png", (0, 0, 250))])
    (project.path / "m.csv").write_text("file,label,light\na.png,0,dim\nb.png,0,dim\nc.png,2,bright\n")
    data = "{source: manifest, path: ../m, labels: ../m.csv}"
    project.spec(f"{OPEN}shifts: [{{name: lit, dataset: {data}}}]\nthresholds: [{{max_drop: 0.5}}]\n")
    found = cells(project)["lit.natural"]
    assert found["groups"] == {"light=bright": {"n": 1, "correct": 1}, "light=dim": {"n": 2, "correct": 1}}
    assert found["clean_drop"] == pytest.approx(1 - 2 / 3)
    assert cells(project)["clean"]["groups"] == {}


@pytest.fixture
def published(project: Project) -> Project:
    """The project's images as a published set: severity 1 as they are, the others ever darker in the true channel."""
    with np.load(project.path / "data.npz") as data:
        images, labels = data["x"], data["y"]
    steps = []
    for severity in range(1, 6):
        changed = images.astype(int)
        changed[np.arange(COUNT), :, :, labels] -= 6 * (severity - 1)
        steps.append(np.clip(changed, 0, 255).astype(np.uint8))
    folder = project.path / "c"
    folder.mkdir()
    np.save(folder / "contrast.npy", np.concatenate(steps))
    np.save(folder / "labels.npy", np.tile(labels, 5))
    entry = "suite: imagenet-c, corruptions: [contrast], severities: [1, 3]"
    project.spec(
        f"{OPEN}shifts:\n  - {{name: published, {entry}, stored: '${{PUBLISHED}}/c'}}\n  - {{{entry}}}\n{ROWS}"
    )
    return project


def test_published_images_are_read_and_never_compared_with_made_ones(
    published: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = published.run("-k", "published")
    assert run.has(r"specs/small\.yaml:6:\d+: the environment variable PUBLISHED is not set")
    monkeypatch.setenv("PUBLISHED", str(published.path))
    published.record()
    found = cells(published)
    assert found["published.contrast-1"]["correct"] == found["clean"]["correct"] == COUNT
    # tints run evenly from 4 to 42; those under 12 grey levels are lost
    assert 0.8 * COUNT * 8 / 38 < COUNT - found["published.contrast-3"]["correct"] < 1.2 * COUNT * 8 / 38
    assert found["published.contrast-3"]["generated_or_stored"] == "stored"
    assert found["imagenet-c.contrast-3"]["generated_or_stored"] == "generated"
    assert found["published.contrast-3"]["parameters"].keys() == {"severity", "contents"}
    assert found["published.contrast-3"]["labels_digest"] == found["clean"]["labels_digest"]
    published.edit(", stored: '${PUBLISHED}/c'", "")
    assert published.run("-k", "published").has("the golden was measured on stored images, this run on generated ones")


SCORE = """\
format: 1
dataset: {source: digits, limit: 30}
models:
  net: {path: ../ten.onnx}
  twin: {like: net}
shifts:
  - {suite: si-score, factors: {size: [0.2, 0.5], rotation: [0, 21], location: [[0.5, 0.25]]}}
  - {name: whole, suite: si-score, factors: {size: [0.1, 0.2]}, per: factor}
thresholds: [{max_regression: 0.02}]
golden: ../golden
"""
LABELS = [
    "clean",
    "si-score.size-0.2",
    "si-score.size-0.5",
    "si-score.rotation-0",
    "si-score.rotation-21",
    "si-score.location-0.50x0.25",
    "whole.size",
]


@pytest.fixture
def score(project: Project) -> Project:
    classifier(project.path / "ten.onnx", np.random.default_rng(0).normal(size=(3, 10)).astype(np.float32))
    project.spec(SCORE)
    return project


def test_scenes_of_digits_from_the_spec_to_the_golden(score: Project) -> None:
    assert score.run("--collect-only", "-q").collected == [
        f"specs/small.yaml::{model}::{label}" for model in ("net", "twin") for label in LABELS
    ]
    score.record()
    found = cells(score)
    assert [found[label]["n"] for label in LABELS] == [30, 60, 60, 240, 240, 60, 120]
    assert found["si-score.size-0.2"]["severity"] == 0.2
    assert found["si-score.location-0.50x0.25"]["severity"] == "0.50x0.25"
    assert found["si-score.rotation-21"]["parameters"] == {"values": [21], "background": 32, "min_inside": 0.0}
    assert any("mixes multiples of 90 degrees" in reason for reason in found["si-score.rotation-21"]["reasons"])
    assert not any("mixes" in reason for reason in found["si-score.size-0.2"]["reasons"])
    groups = found["whole.size"]["groups"]
    assert {name: counts["n"] for name, counts in groups.items()} == {"size=0.1": 60, "size=0.2": 60}
    assert groups["size=0.2"]["correct"] == found["si-score.size-0.2"]["correct"]


def test_workers_share_the_scenes_and_change_nothing(score: Project) -> None:
    score.record()
    serial = cells(score, "-q", "--robust-no-cache")
    parallel = cells(score, "-n2", "--robust-no-cache")

    def facts(found: dict[str, dict]) -> dict[str, tuple]:
        return {
            name: (cell["correct"], cell["canvas_digest"], cell["verdict"], cell.get("groups"), cell["reasons"])
            for name, cell in found.items()
        }

    assert facts(parallel) == facts(serial)
    shutil.rmtree(score.path / "golden")
    assert score.run("-n2", "--robust-update", process=True).code == 0
    assert cells(score).keys() == serial.keys()


def test_cutouts_in_a_folder_serve_a_spec_with_other_data(project: Project) -> None:
    random = np.random.default_rng(1)
    folder = project.path / "si"
    (folder / "backgrounds").mkdir(parents=True)
    for number in range(3):
        grey = random.integers(0, 80, (20, 30, 1), np.uint8).repeat(3, axis=2)
        Image.fromarray(grey).save(folder / "backgrounds" / f"{number}.png")
    for number, colour in enumerate(("red", "green", "blue")):
        Image.new("RGBA", (9, 7), (*(255 * (channel == number) for channel in range(3)), 255)).save(
            folder / f"{colour}.png"
        )
    (folder / "labels.csv").write_text("file,label\nred.png,red\ngreen.png,green\nblue.png,blue\n")
    project.spec(
        f"{NAMED}shifts:\n  - {{suite: si-score, background: 24, factors: {{size: [0.01, 0.5]}},\n"
        f"     dataset: {{source: cutouts, path: ../si}}}}\n{ROWS}"
    )
    project.record()
    found = cells(project)
    assert [
        (found[f"si-score.size-{size}"]["n"], found[f"si-score.size-{size}"]["correct"]) for size in ("0.01", "0.5")
    ] == [
        (6, 6),
        (6, 6),
    ]
    assert found["si-score.size-0.5"]["parameters"]["background"] == 24
    project.edit("dataset: {source: cutouts, path: ../si}", "min_inside: 0")
    run = project.run("-k", "size-0.5")
    assert run.has(r"small\.yaml:6:5: the data set source npz has no cut-outs; give the entry a `dataset` of its own")
