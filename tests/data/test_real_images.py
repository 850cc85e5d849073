"""The real ImageNet and CIFAR-10 images."""

import csv
import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pytest_robust.data import canvas, open_dataset
from pytest_robust.spec.plan import Geometry


@pytest.mark.parametrize(("name", "count"), [("imagenet_samples", 400), ("imagenet_val227", 500)])
def test_imagenet_through_its_csv(name, count, shared_data, plan):
    root = shared_data / name
    found = open_dataset(plan("manifest", path=root, labels=root / "labels.csv", classes=1000))
    with (root / "labels.csv").open(newline="") as stream:
        labels = {row["file"]: int(row["label"]) for row in csv.DictReader(stream)}
    assert len(found.samples.ids) == count
    assert dict(zip(found.samples.ids, found.samples.labels.tolist(), strict=True)) == labels
    assert list(found.samples.ids) == sorted(labels)


def test_imagenet_labels_may_be_wnids(shared_data, plan, tmp_path):
    root = shared_data / "imagenet_samples"
    with (shared_data / "imagenet_classes.csv").open(newline="") as stream:
        wnids = tuple(row["wnid"] for row in csv.DictReader(stream))
    by_index = open_dataset(plan("manifest", path=root, labels=root / "labels.csv", classes=1000))
    with (root / "labels.csv").open(newline="") as stream:
        rows = [f"{row['file']},{row['wnid']}" for row in csv.DictReader(stream)]
    (tmp_path / "wnids.csv").write_text("\n".join(["file,label", *rows]))
    by_name = open_dataset(plan("manifest", path=root, labels="wnids.csv", classes=wnids))
    assert by_name.samples.digest == by_index.samples.digest
    assert by_name.class_names == wnids


def test_imagenet_canvases(shared_data, plan):
    root = shared_data / "imagenet_samples"
    found = open_dataset(plan("manifest", path=root, labels=root / "labels.csv", limit=40))

    def made(index):
        image = found.image(index)
        assert min(image.shape[:2]) == 256
        return canvas(image, Geometry(256, 224), found.samples.ids[index])

    with ThreadPoolExecutor(4) as pool:
        canvases = np.stack(list(pool.map(made, range(40))))
    assert canvases.shape == (40, 224, 224, 3)
    assert len({hashlib.sha256(one.tobytes()).digest() for one in canvases}) == 40


def test_cifar10(shared_data, plan):
    path = shared_data / "cifar10" / "test_jpeg_2000.npz"
    found = open_dataset(plan("npz", path=path, classes=10))
    assert len(found.samples.ids) == 2000
    with np.load(path) as arrays:
        assert found.samples.labels.tolist() == arrays["y"].tolist()
        np.testing.assert_array_equal(found.image(1234), arrays["x"][1234])
