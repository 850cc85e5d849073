"""A natural shift of real photographs under a real network, against ONNX Runtime and the formula itself."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image

from pytest_robust.views.natural import label_subsets
from tests.plugin.project import Project

MODEL = "models/mobilenet_v1_025_128_fp32.onnx"
SPEC = """\
format: 1
scores: true
dataset: {{source: manifest, path: {data}/imagenet_val227, labels: {data}/imagenet_val227/labels.csv, classes: 1000,
          limit: 8, geometry: {{resize: 146, crop: 128}}}}
models:
  net: {{path: {data}/{model}, preprocess: {{size: 128, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}}}}
shifts:
  - {{name: {subset}, dataset: {{source: manifest, path: {data}/imagenet_samples, labels: ../some.csv}},
     label_subset: {subset}}}
  - {{name: all, dataset: {{source: manifest, path: {data}/imagenet_samples, labels: ../some.csv}}}}
  - {{name: folders, dataset: {{source: folder, path: ../folders}}, label_subset: {subset}}}
"""


def table(file: Path) -> list[dict[str, str]]:
    with file.open() as stream:
        return list(csv.DictReader(stream))


def probabilities(data: Path, files: list[Path]) -> NDArray[np.float64]:
    """What the network says of images that are framed by Pillow alone."""
    made = []
    for file in files:
        image = Image.open(file).convert("RGB")
        wide = tuple(146 if side == min(image.size) else int(146 * side / min(image.size)) for side in image.size)
        image = image.resize(wide, Image.Resampling.BILINEAR)
        left, top = (round((side - 128) / 2) for side in image.size)
        made.append(np.asarray(image.crop((left, top, left + 128, top + 128))))
    pixels = (np.stack(made).astype(np.float32) / 255 - 0.5) / 0.5
    session = onnxruntime.InferenceSession(str(data / MODEL), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"input": pixels.transpose(0, 3, 1, 2)})
    return found.astype(np.float64)


@pytest.mark.parametrize("subset", ["imagenet-a", "imagenet-r"])
def test_a_subset_keeps_its_columns_and_renormalises_them(project: Project, shared_data: Path, subset: str) -> None:
    kept = list(label_subsets()[subset])
    rows = [row for row in table(shared_data / "imagenet_samples" / "labels.csv") if int(row["label"]) in kept]
    assert len(rows) > 60
    files = [shared_data / "imagenet_samples" / row["file"] for row in rows]
    labels = np.array([int(row["label"]) for row in rows])
    with (project.path / "some.csv").open("w") as stream:
        writer = csv.writer(stream)
        writer.writerows([("file", "label", "half")])
        writer.writerows((row["file"], row["label"], "low" if int(row["label"]) < 500 else "high") for row in rows)
    # the published sets have a folder per kept class, named by its wnid, which says no index by itself
    wnids = [row["wnid"] for row in table(shared_data / "imagenet_classes.csv")]
    for index in kept:
        (project.path / "folders" / wnids[index]).mkdir(parents=True)
        Image.new("RGB", (150, 150), (index % 256, 0, 0)).save(project.path / "folders" / wnids[index] / "x.png")
    for file, row in zip(files, rows, strict=True):
        (project.path / "folders" / row["wnid"] / file.name).symlink_to(file)
    project.spec(SPEC.format(data=shared_data, model=MODEL, subset=subset))
    run = project.run("--robust-report=out.json")
    assert run.code == 0, run.text
    cells = {cell["id"].split("::")[-1]: cell for cell in json.loads((project.path / "out.json").read_text())["cells"]}

    every = probabilities(shared_data, files)
    part = every[:, kept] / every[:, kept].sum(axis=1, keepdims=True)
    predicted = np.array(kept)[part.argmax(axis=1)]
    found = cells[f"{subset}.natural"]
    assert (found["n"], found["correct"]) == (len(rows), int((predicted == labels).sum()))
    assert cells["all.natural"]["correct"] == int((every.argmax(axis=1) == labels).sum()) < found["correct"]
    low = labels < 500
    assert found["groups"] == {
        f"half={name}": {"n": int(side.sum()), "correct": int((predicted == labels)[side].sum())}
        for name, side in (("low", low), ("high", ~low))
    }
    right = part[np.arange(len(labels)), [kept.index(label) for label in labels]]
    assert found["scores"]["nll"] == pytest.approx(-np.log(right).mean(), rel=1e-4)
    inside = sorted((project.path / "folders").glob("*/*"))
    indices = np.array([wnids.index(path.parent.name) for path in inside])
    answers = np.array(kept)[probabilities(shared_data, inside)[:, kept].argmax(axis=1)]
    assert cells["folders.natural"]["n"] == len(inside) == len(rows) + 200
    assert cells["folders.natural"]["correct"] == int((answers == indices).sum())
