"""The embedded digits against scikit-learn's own loader, and their bytes for ever."""

import hashlib
import subprocess
import sys
import warnings

import numpy as np
import pytest

from pytest_robust.data import digits_arrays, open_dataset
from pytest_robust.errors import RobustError


@pytest.fixture(scope="module")
def original():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sklearn.datasets import load_digits
    return load_digits()


def test_rows_are_those_of_scikit_learn(original, plan):
    found = open_dataset(plan("digits", split="train"))
    rows = [int(name.removeprefix("digits-")) for name in found.samples.ids]
    assert found.samples.ids[0].startswith("digits-0")
    assert found.samples.labels.tolist() == original.target[rows].tolist()
    np.testing.assert_array_equal(found.tables, original.data[rows])
    assert found.class_names == tuple("0123456789")
    assert found.classes == 10


def bilinear_by_four(table: np.ndarray) -> np.ndarray:
    """Interpolation between pixel centres in exact eighths, rounded after each direction as 8-bit filters do."""

    def along_rows(grey: np.ndarray) -> np.ndarray:
        padded = np.pad(grey, ((0, 0), (1, 1)), "edge")
        columns = []
        for column in range(8):
            left, here, right = padded[:, column], padded[:, column + 1], padded[:, column + 2]
            columns += [3 * left + 5 * here, left + 7 * here, 7 * here + right, 5 * here + 3 * right]
        return (np.stack(columns, axis=1) + 4) // 8

    grey = (table.reshape(8, 8).astype(int) * 255 * 2 + 16) // 32
    return along_rows(along_rows(grey).T).T


def test_images_are_the_tables_scaled_and_enlarged(original, plan):
    found = open_dataset(plan("digits"))
    for index in range(0, 597, 20):
        row = int(found.samples.ids[index].removeprefix("digits-"))
        image = found.image(index)
        assert image.shape == (32, 32, 3)
        assert image.flags.c_contiguous
        for channel in range(3):
            np.testing.assert_array_equal(image[:, :, channel], bilinear_by_four(original.data[row]))


def test_bytes_never_change():
    digests = {split: hashlib.sha256(digits_arrays(split)[0].tobytes()).hexdigest() for split in ("train", "test")}
    assert digests == {
        "train": "4858249d7e3ac161d37d9c550107c59b51a676e856491b4e3ea2fe7c6427a948",
        "test": "e0a6e4a146f10f304f51d6304f2229b03f2a7149822d49334cd9016d998f7ebc",
    }


def test_splits_share_nothing_and_miss_nothing(plan):
    train, test = (open_dataset(plan("digits", split=split)) for split in ("train", "test"))
    assert (len(train.samples.ids), len(test.samples.ids)) == (1200, 597)
    assert sorted(train.samples.ids + test.samples.ids) == [f"digits-{row:04d}" for row in range(1797)]
    for part, expected in ((train, 120), (test, 60)):
        assert abs(np.bincount(part.samples.labels) - expected).max() < 20


@pytest.mark.parametrize("split", ["train", "test"])
def test_arrays_are_the_data_set(split, plan):
    images, labels, ids = digits_arrays(split)
    found = open_dataset(plan("digits", split=split))
    assert ids == found.samples.ids
    assert labels.dtype == np.uint16
    assert labels.tolist() == found.samples.labels.tolist()
    assert images.dtype == np.uint8
    for index in range(0, len(ids), 100):
        np.testing.assert_array_equal(images[index], found.image(index))


def test_masks_are_the_ink(plan):
    found = open_dataset(plan("digits"))
    for index in range(597):
        mask = found.mask(index)
        assert mask.dtype == np.bool_
        np.testing.assert_array_equal(mask, found.image(index)[:, :, 0] >= 64)
        assert 0.1 < mask.mean() < 0.7


def test_without_scikit_learn_the_remedy_is_named(monkeypatch, plan, refused):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    refused(plan("digits"), "specs/a.yaml:3:3: the digits come with scikit-learn", 'pip install "pytest-robust[demo]"')
    with pytest.raises(RobustError, match=r"^the digits come with scikit-learn"):
        digits_arrays("test")


def test_opening_imports_neither_scikit_learn_nor_pillow():
    code = (
        "import sys; from pytest_robust.data import open_dataset; from pytest_robust.errors import Mark; "
        "from pytest_robust.spec.plan import DatasetPlan; open_dataset(DatasetPlan('digits', Mark('a', 1, 1))); "
        "print([name for name in ('sklearn', 'PIL', 'cv2', 'torch', 'onnxruntime', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
