"""Arrays in npz files: shapes, names, digests and damage."""

import io
import pickle
import zipfile

import numpy as np
import pytest

from pytest_robust.data import open_dataset

X = np.random.default_rng(4).integers(0, 256, (12, 5, 6, 3), np.uint8)
Y = np.arange(12) % 5


@pytest.fixture
def stored(tmp_path, plan):
    """stored(arrays, **fields): save the arrays, or these bytes, and return the plan."""

    def make(content, **fields):
        path = tmp_path / "data.npz"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            np.savez(path, **content)
        return plan("npz", path=path, **fields)

    return make


def test_rows_are_samples(stored):
    found = open_dataset(stored({"x": X, "y": Y, "name": np.array(["n"] * 12)}))
    assert found.samples.ids[:2] == ("000000", "000001")
    assert found.samples.ids[-1] == "000011"
    assert found.samples.labels.tolist() == Y.tolist()
    assert found.classes is None
    for row in range(12):
        np.testing.assert_array_equal(found.image(row), X[row])
    assert found.image(0).flags.c_contiguous


def test_an_image_is_the_callers_own(stored):
    found = open_dataset(stored({"x": X, "y": Y}))
    found.image(3)[:] = 0
    np.testing.assert_array_equal(found.image(3), X[3])


def test_ids_and_images_survive_a_limit(stored):
    found = open_dataset(stored({"x": X, "y": Y}, limit=5, seed=3))
    assert found.images.shape == (5, 5, 6, 3)
    for position, name in enumerate(found.samples.ids):
        np.testing.assert_array_equal(found.image(position), X[int(name)])
        assert found.samples.labels[position] == Y[int(name)]


@pytest.mark.parametrize("shape", [(12, 5, 6), (12, 5, 6, 1)])
def test_grey_is_repeated_and_is_the_same_data(shape, stored):
    grey = X[..., 0]
    found = open_dataset(stored({"x": grey.reshape(shape), "y": Y}))
    np.testing.assert_array_equal(found.image(4), np.stack([grey[4]] * 3, axis=2))
    rgb = open_dataset(stored({"x": np.stack([grey] * 3, axis=3), "y": Y}))
    assert found.samples.digest == rgb.samples.digest


@pytest.mark.parametrize("dtype", ["u1", "i1", "<i4", ">i8", "u2"])
def test_any_integer_labels(dtype, stored):
    assert open_dataset(stored({"x": X, "y": Y.astype(dtype)}, classes=5)).samples.labels.tolist() == Y.tolist()


def test_other_names_and_classes(stored):
    found = open_dataset(stored({"images": X, "labels": Y}, arrays=("images", "labels"), classes=tuple("abcde")))
    assert found.classes == 5
    assert found.class_names == ("a", "b", "c", "d", "e")


def test_the_digest_sees_pixels_labels_and_shape_but_not_the_packing(stored, tmp_path, plan):
    def digest(x, y=Y):
        return open_dataset(stored({"x": x, "y": y})).samples.digest

    first = digest(X)
    np.savez_compressed(tmp_path / "other.npz", y=Y.astype(np.uint8), x=np.asfortranarray(X))
    assert open_dataset(plan("npz", path="other.npz")).samples.digest == first
    changed = X.copy()
    changed[7, 2, 2, 2] ^= 1
    others = [digest(changed), digest(X, np.roll(Y, 1)), digest(X.reshape(12, 6, 5, 3)), digest(X[:-1], Y[:-1])]
    assert len({first, *others}) == 5


def zipped(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("_npy", ".npy"), data)
    return stream.getvalue()


def saved(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def bare():
    stream = io.BytesIO()
    np.save(stream, X)
    return stream.getvalue()


def flipped():
    data = bytearray(saved(x=X, y=Y))
    data[data.index(X.tobytes()) + 50] ^= 0xFF
    return bytes(data)


@pytest.mark.parametrize(
    ("arrays", "parts"),
    [
        ({"x": X}, ["has no array 'y'; it has 'x'; state the names in `arrays`"]),
        ({"images": X, "labels": Y}, ["has no array 'x'; it has 'images', 'labels'"]),
        ({"x": X.astype(np.float32), "y": Y}, ["the array 'x' is float32; store the images as uint8"]),
        (
            {"x": X.transpose(0, 3, 1, 2), "y": Y},
            ["the array 'x' has shape (12, 3, 5, 6); store images as (N, H, W, 3)"],
        ),
        ({"x": X[0, 0], "y": Y}, ["has shape (6, 3)"]),
        ({"x": X[:0], "y": Y[:0]}, ["has shape (0, 5, 6, 3)", "none empty"]),
        ({"x": X, "y": Y[:-1]}, ["the array 'y' has shape (11,) for 12 images"]),
        ({"x": X, "y": Y[:, None]}, ["the array 'y' has shape (12, 1) for 12 images"]),
        ({"x": X, "y": Y * 1.0}, ["the array 'y' is float64; store the labels as integers"]),
        ({"x": X, "y": Y > 2}, ["the array 'y' is bool; store the labels as integers"]),
        ({"x": X, "y": Y - 1}, ["row 0 of 'y': the label -1 is outside 0 to 65534"]),
        ({"x": X, "y": Y.astype(object)}, ["the array 'y' holds Python objects, which are never loaded"]),
        (b"", ["is not a sound npz file"]),
        (b"file,label\n", ["is not a sound npz file: it holds pickled objects"]),
        (pickle.dumps({"x": 1}), ["is not a sound npz file: it holds pickled objects"]),
        (bare(), ["holds one bare array"]),
        (saved(x=X, y=Y)[:-60], ["is not a sound npz file"]),
        (b"PK\x03\x04" + b"\0" * 80, ["is not a sound npz file"]),
        (flipped(), ["the array 'x' cannot be read: Bad CRC-32"]),
        (zipped(x_npy=b"junk", y_npy=b"junk"), ["'x'"]),
        (zipped(), ["has no array 'x'; it has none"]),
    ],
)
def test_mistakes_are_named(arrays, parts, stored, refused):
    refused(stored(arrays), "data.npz", *parts)


def test_labels_are_bounded_by_the_classes(stored, refused):
    refused(stored({"x": X, "y": Y}, classes=4), "row 4 of 'y': the label 4 is outside the 4 classes (0 to 3)")
    refused(stored({"x": X, "y": Y + 65531}), "row 4 of 'y': the label 65535 is outside 0 to 65534")


def test_paths_are_checked(plan, refused, tmp_path):
    refused(plan("npz", path="gone.npz"), "specs/a.yaml:3:3: the file", "gone.npz does not exist; correct `path`")
    refused(plan("npz", path=tmp_path), "specs/a.yaml:3:3: ", "is a folder")
    refused(plan("npz"), "specs/a.yaml:3:3: the data set source npz needs `path`")
