"""What did not change is not measured again: from the first run over touched files to killed processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.folder import Folder
from tests.onnx_models import BRIGHTEST, classifier, enhancer
from tests.plugin.project import Project

SPEC = """\
format: 1
dataset: {source: manifest, path: ../images, labels: ../labels.csv, classes: [red, green, blue]}
models:
  net: {path: ../net.onnx}
  ext: {path: ../ext.onnx}
  enh: {like: net, enhancer: {path: ../enhancer.onnx}}
shifts:
  - {suite: imagenet-c, corruptions: [contrast], severities: [1, 2]}
  - {name: icy, suite: imagenet-c, corruptions: [frost], severities: [3], textures: ../ice}
  - {name: published, suite: imagenet-c, corruptions: [fog], severities: [1, 2], stored: ../published}
  - {name: sketch, dataset: {source: folder, path: ../sketch}}
  - {suite: fourier, amplitude_swap: [1.0]}
thresholds:
  - {min_accuracy: 0}
"""

KEPT = "--robust-cache=kept"

COLUMNS = ("clean", "contrast-1", "contrast-2", "frost-3", "fog-1", "fog-2", "sketch.natural", "amplitude_swap-1")
MODELS = ("net", "ext", "enh")
EVERY = {(model, column) for model in MODELS for column in COLUMNS}
OF_MAIN = {"clean", "contrast-1", "contrast-2", "frost-3", "amplitude_swap-1"}
"""Columns that show the spec's own images."""


def picture(path: Path, seed: int, size: int = 16) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (size, size, 3), np.uint8)).save(path)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A project with something of every kind that a cell can hang on, and its first run."""
    project = Folder(tmp_path_factory.mktemp("measured"))
    root = project.path
    rows = ["file,label,camera"]
    for number in range(12):
        picture(root / "images" / f"{number}.png", number)
        rows.append(f"{number}.png,{('red', 'green', 'blue')[number % 3]},{number % 2}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    for severity in "12":
        for label in ("red", "green", "blue"):
            picture(root / "published" / "fog" / severity / label / "a.png", int(severity))
    for label in ("red", "blue"):
        picture(root / "sketch" / label / "a.png", 7)
    for number in range(3):
        picture(root / "ice" / f"{number}.png", number, 90)
    classifier(root / "ext.onnx", BRIGHTEST, external="weights.bin")
    enhancer(root / "enhancer.onnx")
    project.spec(SPEC)
    run = project.run(KEPT, "--robust-report=first.json")
    assert run.code == 0, run.text
    assert recomputed(project, "first.json") == EVERY
    return project


@pytest.fixture
def project_with_all(measured: Folder, tmp_path: Path) -> Folder:
    """The same, elsewhere, with the cache of the first run."""
    return measured.copy(tmp_path)


def cells_of(project: Project, report: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Records by model and column, the entry's name left out."""
    found = json.loads((project.path / report).read_text())["cells"]
    short = {}
    for cell in found:
        _, model, column = cell["id"].split("::")
        entry, _, rest = column.partition(".")
        short[model, column if entry in ("clean", "sketch") else rest] = cell
    return short


def recomputed(project: Project, report: str) -> set[tuple[str, str]]:
    return {name for name, cell in cells_of(project, report).items() if not cell["cached"]}


def again(project: Project, *options: str) -> set[tuple[str, str]]:
    """Run once more; which cells were measured."""
    run = project.run(KEPT, "--robust-report=again.json", *options)
    assert run.code == 0, run.text
    made = recomputed(project, "again.json")
    count = len(cells_of(project, "again.json"))
    assert run.has(rf"; {count - len(made)} of {count} cells from the cache$"), run.text
    return made


def of(*models: str, columns: set[str] | tuple[str, ...] = COLUMNS) -> set[tuple[str, str]]:
    return {(model, column) for model in models for column in columns}


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def repaint(path: Path) -> None:
    """Change one grey level of one pixel."""
    image = np.array(Image.open(path))
    image[0, 0, 0] ^= 1
    Image.fromarray(image).save(path)


def caption(path: Path) -> None:
    """Change a file, and no pixel of its image."""
    text = PngInfo()
    text.add_text("Comment", "five")
    Image.open(path).save(path, pnginfo=text)


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


TOUCHED: dict[str, tuple[Callable[[Path], object], set[tuple[str, str]]]] = {
    "nothing": (lambda root: None, set()),
    "time stamps": (lambda root: touch_all(root), set()),
    "a model": (lambda root: flip_weight(root / "net.onnx"), of("net", "enh")),
    "a remark in a model": (lambda root: remark(root / "net.onnx"), of("net", "enh")),
    "external data": (lambda root: flip(root / "weights.bin"), of("ext")),
    "an enhancer": (lambda root: enhancer(root / "enhancer.onnx", gain=(0.5, 1.0, 1.0)), of("enh")),
    "a remark in an enhancer": (lambda root: remark(root / "enhancer.onnx"), of("enh")),
    "an image": (lambda root: repaint(root / "images" / "5.png"), of(*MODELS, columns=OF_MAIN)),
    "a remark in an image": (lambda root: caption(root / "images" / "5.png"), of(*MODELS, columns=OF_MAIN)),
    "a label": (lambda root: replace(root / "labels.csv", "5.png,blue", "5.png,red"), of(*MODELS, columns=OF_MAIN)),
    "a group": (lambda root: replace(root / "labels.csv", "blue,1", "blue,0"), of(*MODELS, columns=OF_MAIN)),
    "the list": (lambda root: replace(root / "labels.csv", "11.png,blue,1\n", ""), of(*MODELS, columns=OF_MAIN)),
    "textures": (lambda root: repaint(root / "ice" / "1.png"), of(*MODELS, columns={"frost-3"})),
    "one severity of a published set": (
        lambda root: repaint(root / "published" / "fog" / "2" / "red" / "a.png"),
        of(*MODELS, columns={"fog-2"}),
    ),
    "an image of a natural shift": (
        lambda root: repaint(root / "sketch" / "blue" / "a.png"),
        of(*MODELS, columns={"sketch.natural"}),
    ),
    "a parameter of one entry": (
        lambda root: replace(root / "specs/small.yaml", "severities: [1, 2]}", "severities: [1, 2], table: 64}"),
        of(*MODELS, columns={"contrast-1", "contrast-2"}),
    ),
    "a parameter of a view": (
        lambda root: replace(root / "specs/small.yaml", "amplitude_swap: [1.0]", "amplitude_swap: [1.0], axes: hw"),
        of(*MODELS, columns={"amplitude_swap-1"}),
    ),
    "preprocess of one model": (
        lambda root: replace(
            root / "specs/small.yaml", "{path: ../ext.onnx}", "{path: ../ext.onnx, preprocess: {channels: bgr}}"
        ),
        of("ext"),
    ),
    "geometry of one model": (
        lambda root: replace(
            root / "specs/small.yaml", "{path: ../ext.onnx}", "{path: ../ext.onnx, geometry: {crop: 12}}"
        ),
        of("ext"),
    ),
    "the seed": (lambda root: replace(root / "specs/small.yaml", "format: 1", "format: 1\nseed: 5"), EVERY),
    "thresholds, names and places": (lambda root: rename_everything(root), set()),
}


def rename_everything(root: Path) -> None:
    replace(root / "specs/small.yaml", "min_accuracy: 0", "min_accuracy: 0.001")
    for old, new in (("images", "photos"), ("labels.csv", "rows.csv"), ("net.onnx", "same.onnx")):
        (root / old).rename(root / new)
        replace(root / "specs/small.yaml", f"../{old}", f"../{new}")


def touch_all(root: Path) -> None:
    for path in root.rglob("*"):
        path.touch()


def flip_weight(path: Path) -> None:
    """Change the last bit of one weight of a model."""
    model = onnx.load(str(path))
    tensor = model.graph.initializer[0]
    values = np.array(onnx.numpy_helper.to_array(tensor))
    values.reshape(-1).view(np.uint8)[0] ^= 1
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    onnx.save(model, str(path))


def remark(path: Path) -> None:
    """Change a byte of a model that no node reads."""
    model = onnx.load(str(path))
    model.doc_string = "a"
    onnx.save(model, str(path))


@pytest.mark.parametrize("touched", TOUCHED)
def test_what_was_touched_is_measured_again_and_nothing_else(project_with_all: Folder, touched: str) -> None:
    touch, expected = TOUCHED[touched]
    touch(project_with_all.path)
    assert again(project_with_all) == expected
    assert again(project_with_all) == set()
