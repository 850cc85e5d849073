"""Published sets in their layouts: which rows and files a cell takes, what of the geometry applies, what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from pytest_robust.data import open_dataset
from pytest_robust.data.dataset import select
from pytest_robust.errors import RobustError
from pytest_robust.registry import catalog
from pytest_robust.spec.plan import DatasetPlan, Geometry
from tests.views.conftest import MARK

WNIDS = ("n01440764", "n01443537", "n01484850")


@pytest.fixture
def tree(tmp_path, paint):
    """<corruption>/<severity>/<wnid>/<file>.JPEG of 12 x 12; the red value is 10 times the severity, and the file."""
    for severity in (1, 3):
        for number, wnid in enumerate(WNIDS):
            for file in range(number + 1):
                path = tmp_path / "c" / "fog" / str(severity) / wnid / f"{file}.JPEG"
                paint(path, (20 * severity + 5 * file, 0, 0), (12, 12))
    return tmp_path / "c"


@pytest.fixture
def val(tmp_path, paint, place):
    """The clean images, of another size, in the same folders."""
    for number, wnid in enumerate(WNIDS):
        for file in range(number + 1):
            paint(tmp_path / "val" / wnid / f"{file}.JPEG", (1, 1, 1), (30, 20))
    return DatasetPlan("folder", MARK, place("val"), limit=4)


@pytest.fixture
def arrays(tmp_path):
    """<corruption>.npy and labels.npy of 6 rows per severity."""
    folder = tmp_path / "cifar"
    folder.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), np.uint8)
    np.save(folder / "fog.npy", images)
    np.save(folder / "labels.npy", np.tile(np.array([0, 1, 2, 2, 1, 0]), 5))
    return folder, images


@pytest.fixture
def clean(tmp_path, place):
    """The clean rows as npz."""
    np.savez(tmp_path / "x.npz", x=np.zeros((6, 8, 8, 3), np.uint8), y=np.array([0, 1, 2, 2, 1, 0]))
    return DatasetPlan("npz", MARK, place("x.npz"), classes=3, limit=4, seed=7)


def stored(derive, severity, dataset, folder, **options):
    return derive("imagenet-c", "fog", severity, dataset, stored=folder, **options)


def test_a_tree_has_the_ids_labels_and_limit_of_the_clean_folder(tree, val, derive, place):
    made = stored(derive, 3, val, place(tree))
    base = open_dataset(val)
    assert made.dataset.samples.ids == base.samples.ids
    assert np.array_equal(made.dataset.samples.labels, base.samples.labels)
    assert made.source == "stored"
    for position, name in enumerate(made.dataset.samples.ids):
        red = 60 + 5 * int(name[-6])
        assert abs(int(made.dataset.image(position)[0, 0, 0]) - red) <= 2


def test_imagenet_c_bar_is_published_in_both_layouts(tree, val, arrays, clean, derive, place):
    """The tree of ImageNet-C-bar and the arrays of CIFAR-10-C-bar are those of ImageNet-C and CIFAR-10-C."""
    (tree / "fog").rename(tree / "sparkles")
    made = derive("imagenet-c-bar", "sparkles", 3, val, stored=place(tree))
    assert made.dataset.samples.ids == open_dataset(val).samples.ids
    folder, images = arrays
    (folder / "fog.npy").rename(folder / "lines.npy")
    made = derive("imagenet-c-bar", "lines", 2, clean, stored=place(folder))
    rows = [int(name) for name in made.dataset.samples.ids]
    assert np.array_equal(made.dataset.image(0), images[6 + rows[0]])
    assert (made.source, made.dataset.samples.labels.tolist()) == ("stored", [[0, 1, 2, 2, 1, 0][row] for row in rows])


def test_a_number_per_class_keeps_the_same_images_as_of_the_clean_ones(tree, val, arrays, clean, derive, place):
    val, clean = replace(val, limit=None, per_class=1), replace(clean, limit=None, per_class=1)
    for made, base in (
        (stored(derive, 3, val, place(tree)), val),
        (stored(derive, 2, clean, place(arrays[0])), clean),
    ):
        assert made.dataset.samples.ids == open_dataset(base).samples.ids
        assert len(made.dataset.samples.ids) == 3
        assert made.dataset.notes == ()
    (note,) = stored(derive, 3, replace(val, per_class=2), place(tree)).dataset.notes
    assert note.endswith("all of which are taken: class 0 has 1")


def test_the_severities_share_their_samples_and_differ_in_the_recorded_contents(tree, val, derive, place):
    one, three = (stored(derive, severity, val, place(tree)) for severity in (1, 3))
    assert one.dataset.samples.digest == three.dataset.samples.digest
    assert one.parameters["severity"] == 1
    assert one.parameters["contents"] != three.parameters["contents"]
    again = stored(derive, 1, val, place(tree))
    assert again.parameters == one.parameters
    path = next((tree / "fog" / "1").rglob("*.JPEG"))
    path.write_bytes(path.read_bytes() + b"\0")
    assert stored(derive, 1, DatasetPlan("folder", MARK, val.path), place(tree)).parameters != one.parameters


def test_only_the_centre_crop_applies(tree, val, derive, place):
    made = stored(derive, 1, val, place(tree)).dataset
    image = made.image(0)
    assert np.array_equal(made.canvas(0, Geometry(resize=16, crop=12)), image)
    assert np.array_equal(made.canvas(0, Geometry(resize=16, crop=8)), image[2:10, 2:10])
    assert np.array_equal(made.canvas(0, Geometry()), image)
    assert np.array_equal(made.canvas(0, Geometry(resize=16, crop=14)), image)


def test_folders_are_found_by_name_where_only_some_are_there(tree, tmp_path, derive, place, val):
    import shutil

    shutil.rmtree(tree / "fog" / "3" / WNIDS[0])
    made = stored(derive, 3, DatasetPlan("folder", MARK, val.path), place(tree))
    assert made.dataset.samples.labels.tolist() == [1, 1, 2, 2, 2]
    assert made.dataset.classes == 3


def test_rows_of_a_severity_are_one_after_the_other(arrays, clean, derive, place):
    folder, images = arrays
    for severity in range(1, 6):
        made = stored(derive, severity, clean, place(folder))
        rows = select([f"{row:06d}" for row in range(6)], 4, 7)
        assert made.dataset.samples.ids == tuple(f"{row:06d}" for row in rows) == open_dataset(clean).samples.ids
        assert made.dataset.samples.labels.tolist() == [[0, 1, 2, 2, 1, 0][row] for row in rows]
        for position, row in enumerate(rows):
            assert np.array_equal(made.dataset.canvas(position, Geometry(crop=8)), images[(severity - 1) * 6 + row])
        assert isinstance(made.dataset.images, np.memmap)


def test_labels_may_be_those_of_one_severity_and_a_smoke_run_takes_fewer(arrays, clean, derive, place):
    folder, _ = arrays
    both = stored(derive, 5, clean, place(folder))
    np.save(folder / "labels.npy", np.array([0, 1, 2, 2, 1, 0]))
    assert stored(derive, 5, clean, place(folder)).dataset.samples.digest == both.dataset.samples.digest
    assert len(stored(derive, 5, clean, place(folder), limit=2).dataset.samples.ids) == 2


def test_mistakes_are_named(arrays, tree, clean, val, derive, place, monkeypatch):
    folder, images = arrays

    def refused(text, match, dataset=clean, severity=1):
        with pytest.raises(RobustError, match=match):
            stored(derive, severity, dataset, place(text))

    refused("nowhere", r"a\.yaml:3:3: the folder \S+nowhere of published images does not exist; correct `stored`")
    refused("${ROBUST_NOWHERE}", "ROBUST_NOWHERE is not set")
    (folder / "fog.npy").rename(folder / "frost.npy")
    refused(folder, r"cifar has neither the folder fog nor fog\.npy")
    refused(tree, r"fog/2 does not exist; correct `stored` or `severities`", val, 2)
    flat = DatasetPlan("npz", MARK, clean.path, classes=4)
    refused(tree, r"has 3 class folders, and the spec's data set has no class names", flat)
    np.save(folder / "fog.npy", images[:-1])
    refused(folder, r"fog\.npy has the shape \(29, 8, 8, 3\) of uint8; a published set is uint8 \(5 N, H, W, 3\)")
    np.save(folder / "fog.npy", images)
    np.save(folder / "labels.npy", np.zeros(7, int))
    refused(folder, r"labels\.npy has the shape \(7,\) of int64; it must hold 30 whole numbers")
    np.save(folder / "labels.npy", np.full(30, 3))
    refused(folder, r"labels\.npy: the label 3 is outside the 3 classes \(0 to 2\)")
    (folder / "fog.npy").write_bytes(b"no array")
    refused(folder, r"fog\.npy cannot be read as a plain array")


def test_the_environment_says_where_a_set_lies(tree, val, derive, place, monkeypatch):
    monkeypatch.setenv("PUBLISHED_C", str(tree))
    assert len(stored(derive, 3, val, place("${PUBLISHED_C}")).dataset.samples.ids) == 4


def test_a_severity_suite_takes_stored_and_then_has_no_table():
    suite = catalog()["imagenet-c"]

    def variants(text):
        return list(suite.expand(suite.options.model_validate_json(text, strict=True)))

    (found,) = variants('{"corruptions": ["contrast"], "severities": [2], "stored": "x"}')
    assert (found.version, found.parameters) == (1, {"severity": 2, "stored": "x"})
    with pytest.raises(ValueError, match="table chooses the parameters of images to be made"):
        variants('{"stored": "x", "table": 224}')
