"""The test resolution from the spec to the verdict, against ONNX Runtime on canvases made by Pillow alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.onnx_models import classifier, conv_classifier
from tests.plugin.project import Project

COUNT = 48
SEED = 20
"""A draw of weights whose answers are spread over the classes and hang on the size."""
SPEC = """\
format: 1
dataset: {source: folder, path: ../photos, geometry: {resize: 40, crop: 32}}
models:
  net: {path: ../conv.onnx, preprocess: {size: 32}}
  fixed: {path: ../fixed.onnx, preprocess: {size: 32}}
shifts:
  - {suite: resolution, sizes: [16, 24, 32, 48]}
  - {suite: resolution, sizes: [16, 32, 48], mode: resize}
"""


@pytest.fixture
def photos(project: Project) -> Project:
    """48 pictures of tinted noise, fine and coarse; `conv.onnx` takes any size, `fixed.onnx` 32 pixels only."""
    random = np.random.default_rng(5)
    for number in range(COUNT):
        folder = project.path / "photos" / "abc"[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        grain, tint = int(random.integers(3, 60)), random.uniform(0, 1, 3)
        small = (random.uniform(0, 255, (grain, grain + 2, 3)) * tint).astype(np.uint8)
        Image.fromarray(small).resize((90, 70), Image.Resampling.BICUBIC).save(folder / f"{number:02}.png")
    conv_classifier(project.path / "conv.onnx", seed=SEED, classes=3)
    weights = random.standard_normal((3 * 32 * 32, 3)).astype(np.float32)
    classifier(project.path / "fixed.onnx", weights, size=32, pool=False)
    project.spec(SPEC)
    return project


def cells(project: Project, *options: str, code: int = 0) -> dict[str, dict]:
    run = project.run("--robust-report=out.json", *options)
    assert run.code == code, run.text
    found = json.loads((project.path / "out.json").read_text())["cells"]
    return {cell["id"].removeprefix("specs/small.yaml::"): cell for cell in found}


def by_hand(model: Path, images: list[Image.Image], labels: list[int]) -> int:
    """How many ONNX Runtime has right."""
    pixels = np.stack([np.asarray(image) for image in images]).astype(np.float32) / 255
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {"image": pixels.transpose(0, 3, 1, 2)})
    return int((scores.argmax(axis=1) == labels).sum())


def framed(image: Image.Image, short: int, side: int) -> Image.Image:
    """The short side resized, then the centre."""
    wide = int(short * image.width / image.height)
    resized = image.resize((wide, short), Image.Resampling.BILINEAR)
    left, top = round((wide - side) / 2), round((short - side) / 2)
    return resized.crop((left, top, left + side, top + side))


def pictures(project: Project) -> tuple[list[Image.Image], list[int]]:
    paths = sorted((project.path / "photos").glob("*/*.png"))
    return [Image.open(path).convert("RGB") for path in paths], ["abc".index(path.parent.name) for path in paths]


def test_the_geometry_is_scaled_and_fed_at_that_size(photos: Project) -> None:
    found = cells(photos, "-k", "net")
    images, labels = pictures(photos)
    shorts = {16: 20, 24: 30, 32: 40, 48: 60}
    ours = {
        size: by_hand(photos.path / "conv.onnx", [framed(i, s, size) for i in images], labels)
        for size, s in shorts.items()
    }
    assert {size: found[f"net::resolution.geometry-{size}"]["correct"] for size in shorts} == ours
    assert len(set(ours.values())) > 2, "the sizes make no difference: the test says nothing"
    assert found["net::resolution.geometry-48"]["parameters"] == {"size": 48}
    assert found["net::resolution.geometry-48"]["labels_digest"] == found["net::clean"]["labels_digest"]


def test_resize_goes_through_the_preprocessing(photos: Project) -> None:
    found = cells(photos, "-k", "resize or clean")
    images, labels = pictures(photos)
    own = [framed(image, 40, 32) for image in images]
    for model, file in (("net", "conv.onnx"), ("fixed", "fixed.onnx")):
        for size in (16, 48):
            there = [image.resize((size, size), Image.Resampling.BILINEAR) for image in own]
            back = [image.resize((32, 32), Image.Resampling.BILINEAR) for image in there]
            made = found[f"{model}::resolution.resize-{size}"]
            assert made["correct"] == by_hand(photos.path / file, back, labels)
            assert made["canvas_digest"] != found[f"{model}::clean"]["canvas_digest"]


@pytest.mark.parametrize("mode", ["geometry", "resize"])
def test_the_own_size_is_clean_itself(photos: Project, mode: str) -> None:
    found = cells(photos, "-k", f"clean or {mode}-32")
    for model in ("net", "fixed"):
        clean, same = found[f"{model}::clean"], found[f"{model}::resolution.{mode}-32"]
        for key in ("correct", "canvas_digest", "labels_digest"):
            assert same[key] == clean[key]
        assert same["parameters"] == {}


@pytest.mark.parametrize(
    "shift", ["{suite: resolution, sizes: [36]}", "{suite: scaling, mode: feed_scaled, multiples: [1]}"]
)
def test_a_canvas_that_is_not_the_inputs_size_stays_clean_at_its_own(photos: Project, shift: str) -> None:
    """The geometry gives 36 pixels and the preprocessing 32: the identity passes through it as clean does."""
    head = SPEC.replace("crop: 32", "crop: 36").partition("shifts:")[0]
    photos.spec(f"{head}shifts: [{shift}]\n")
    found = cells(photos)
    for model in ("net", "fixed"):
        clean, same = (cell for key, cell in found.items() if key.startswith(model))
        assert (same["correct"], same["canvas_digest"]) == (clean["correct"], clean["canvas_digest"])


def test_a_model_of_one_size_is_an_error_of_its_cells_alone(photos: Project) -> None:
    run = photos.run("-k", "geometry-48")
    assert run.outcomes == {"passed": 1, "failed": 1, "deselected": 14}
    assert run.has(
        "takes exactly 32x32 pixels and cannot be shown images of 48x48: export it with a free height and width, "
        "exclude it from this suite, or set `mode: resize` where the suite is resolution"
    )
    assert "Traceback" not in run.text


def test_goldens_hold_and_a_data_set_without_geometry_is_resized_itself(project: Project) -> None:
    conv_classifier(project.path / "net.onnx", classes=3)
    head = project.spec_text.partition("shifts:")[0]
    project.spec(
        f"{head}shifts: [{{suite: resolution, sizes: [8, 16, 24]}}]\n"
        "thresholds: [{max_regression: 0.02}]\ngolden: ../golden\n"
    )
    project.record()
    found = cells(project)
    with np.load(project.path / "data.npz") as data:
        images, labels = [Image.fromarray(image) for image in data["x"]], data["y"].tolist()
    for size in (8, 16, 24):
        there = [image.resize((size, size), Image.Resampling.BILINEAR) for image in images]
        cell = found[f"net::resolution.geometry-{size}"]
        assert cell["correct"] == by_hand(project.path / "net.onnx", there, labels)
        assert cell["verdict"] == "PASS"
    assert found["net::resolution.geometry-16"]["canvas_digest"] == found["net::clean"]["canvas_digest"]


def test_a_trend_takes_the_ratio_to_the_own_size_either_way(photos: Project) -> None:
    row = "{trend: {suite: resolution, shift: geometry, model: net}, min_spearman: -1}"
    photos.spec(SPEC + f"aggregates: [{row}]\n")
    run = photos.run("-k", "trend", "--robust-report=out.json")
    (found,) = json.loads((photos.path / "out.json").read_text())["aggregates"]
    assert run.code in (0, 1)
    drops = {size: drop_of(photos, size) for size in (16, 24, 48)}
    sides = [rank_correlation([0, 1, 2], [0, drops[24], drops[16]]), rank_correlation([0, 1], [0, drops[48]])]
    assert found["value"] == pytest.approx(min(sides))


def test_a_trend_needs_to_know_the_own_size(project: Project) -> None:
    head = project.spec_text.partition("shifts:")[0]
    project.spec(
        f"{head}shifts: [{{suite: resolution, sizes: [8, 12, 24]}}]\n"
        "aggregates: [{trend: {suite: resolution}, min_spearman: 0}]\n"
    )
    run = project.run("-k", "trend")
    assert run.code == 1
    assert run.has(r"the own one of net, which the spec does not say; give the model preprocess: \{size: N\}")


def drop_of(project: Project, size: int) -> float:
    found = cells(project, "-k", f"net and (clean or geometry-{size})")
    return found["net::clean"]["accuracy"] - found[f"net::resolution.geometry-{size}"]["accuracy"]


def rank_correlation(first: list[float], second: list[float]) -> float:
    ranks: list[NDArray[np.float64]] = []
    for values in (first, second):
        array = np.asarray(values, float)
        ranks.append((array[:, None] > array).sum(axis=1) + ((array[:, None] == array).sum(axis=1) - 1) / 2)
    return float(np.corrcoef(*ranks)[0, 1])
