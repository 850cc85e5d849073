"""Real trained classifiers on real images, held to top-1 and top-5 accuracies measured apart from this package.

The larger networks see one of their two image sets.
"""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pytest_robust.spec.plan import Preprocess
from tests.models.opening import opened

MODELS = [
    ("squeezenet1_0", "imagenet_val227"),
    ("squeezenet1_0_int8", "imagenet_val227"),
    ("mobilenet_v1_025_128_fp32", "imagenet_val227"),
    ("mobilenet_v1_025_128_fp32", "imagenet_samples"),
    ("mobilenet_v1_025_128_int8", "imagenet_val227"),
    ("mobilenet_v1_025_128_int8", "imagenet_samples"),
    ("mobilenet_v1_050_160_fp32", "imagenet_val227"),
    ("mobilenet_v1_050_160_fp32", "imagenet_samples"),
    ("mobilenet_v1_050_160_int8", "imagenet_samples"),
    ("mobilenet_v2_100_224_fp32", "imagenet_samples"),
    ("mobilenet_v2_100_224_int8", "imagenet_val227"),
    *(
        (f"cifar10_{name}", images)
        for name in (
            *("resnet20", "resnet32", "resnet56", "resnet20_int8"),
            *("resnet8_fp32", "resnet8_int8", "resnet2b_advtrained"),
        )
        for images in ("cifar10/test_jpeg_2000", "cifar10/test_lossless_100")
    ),
]


@cache
def labelled(folder: Path) -> tuple[tuple[Path, ...], tuple[int, ...]]:
    with (folder / "labels.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    return tuple(folder / row["file"] for row in rows), tuple(int(row["label"]) for row in rows)


def pictures(root: Path, name: str, entry: dict[str, Any]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The images of a set as its README says that the model's were prepared, and their labels."""
    if name.startswith("cifar10/"):
        stored = np.load(root / f"{name}.npz")
        return stored["x"], stored["y"]
    files, labels = labelled(root / name)
    size, short = entry["size"], entry["resize_short"]
    made = np.empty((len(files), size, size, 3), np.uint8)
    for index, file in enumerate(files):
        with Image.open(file) as opened_file:
            image = opened_file.convert("RGB")
        if name == "imagenet_val227":
            image = image.resize((size, size), Image.Resampling.BILINEAR)
        else:
            scale = short / min(image.size)
            sides = (round(image.width * scale), round(image.height * scale))
            image = image.resize(sides, Image.Resampling.BILINEAR)
            left, top = (image.width - size) // 2, (image.height - size) // 2
            image = image.crop((left, top, left + size, top + size))
        made[index] = np.asarray(image)
    return made, np.array(labels)


@pytest.mark.parametrize(("model", "images"), MODELS)
def test_clean_accuracy_is_what_was_measured(shared_data: Path, model: str, images: str) -> None:
    entries = json.loads((shared_data / "models.json").read_text())["models"]
    entry = next(one for one in entries if one["file"] == f"models/{model}.onnx")
    rule = entry["preprocess"]
    classifier = opened(
        shared_data / entry["file"],
        sha256=entry["sha256"],
        classes=1000 if entry["dataset"] == "imagenet" else 10,
        label_offset=entry["label_offset"],
        batch_size=20,
        preprocess=Preprocess(
            size=entry["size"],
            scale=rule["scale"],
            mean=tuple(rule["mean"]),
            std=tuple(rule["std"]),
            channels=rule["channels"].lower(),
            layout=entry["layout"].lower(),
        ),
    )
    canvases, labels = pictures(shared_data, images, entry)
    made = classifier.predict(canvases, labels=labels.astype(np.uint16))
    assert made.scores is not None
    accuracy, top5 = float(np.mean(made.predicted == labels)), float(np.mean(made.scores.top5))
    measured = entry["clean_accuracy"][images]
    print(f"{model} {images} measured {measured} here {accuracy:.4f} {top5:.4f}")
    allowed = 0.01 if "int8" in model else max(0.003, 2 / len(labels))
    assert accuracy == pytest.approx(measured["top1"], abs=allowed + 1e-9)
    assert top5 == pytest.approx(measured["top5"], abs=allowed + 1e-9 if "int8" in model else 1e-9)
    assert made.scores.outputs == entry["output"]["kind"].split()[0]
    assert classifier.batch_size == (20 if entry["dynamic_batch"] else 1)
    assert classifier.provenance.device_class.startswith("cpu-" if "int8" in model else "cpu")
