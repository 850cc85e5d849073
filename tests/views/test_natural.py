"""Other images of the models' classes: which index each class finds, and what is refused."""

import numpy as np
import pytest

from pytest_robust.data import open_dataset
from pytest_robust.errors import RobustError
from pytest_robust.spec.plan import DatasetPlan
from pytest_robust.views.natural import label_subsets
from tests.views.conftest import MARK


@pytest.fixture
def pets(tmp_path, paint, place):
    """The spec's data set: the classes bird, cat and dog."""
    for name in ("bird", "cat", "dog"):
        paint(tmp_path / "pets" / name / "a.png")
    return DatasetPlan("folder", MARK, place("pets"))


@pytest.fixture
def numbered(tmp_path, paint, place):
    """A data set of three classes without names."""
    paint(tmp_path / "flat" / "a.png")
    (tmp_path / "flat.csv").write_text("file,label\na.png,2\n")
    return DatasetPlan("manifest", MARK, place("flat"), labels=place("flat.csv"), classes=3)


@pytest.fixture
def folder(tmp_path, paint, place):
    """folder(*names): images in class folders of these names, one more in each."""

    def make(*names, **fields):
        for count, name in enumerate(names, 1):
            for number in range(count):
                paint(tmp_path / "other" / name / f"{number}.png", (count, number, 0))
        return DatasetPlan("folder", MARK, place("other"), **fields)

    return make


def natural(derive, dataset, main, **parameters):
    return derive("natural", "natural", None, dataset, main=main, parameters=parameters)


def test_classes_are_found_by_their_names_not_by_their_places(derive, folder, pets):
    made = natural(derive, folder("cat", "dog"), pets)
    assert made.dataset.samples.ids == ("cat/0.png", "dog/0.png", "dog/1.png")
    assert made.dataset.samples.labels.tolist() == [1, 2, 2]
    assert (made.dataset.classes, made.dataset.class_names) == (3, ("bird", "cat", "dog"))
    assert [made.dataset.image(i)[0, 0].tolist() for i in range(3)] == [[1, 0, 0], [2, 0, 0], [2, 1, 0]]
    assert (made.source, made.kept, made.notes, made.parameters) == ("generated", None, (), {})


def test_the_same_classes_keep_the_samples_of_the_data_set(derive, folder, pets):
    plan = folder("bird", "cat", "dog")
    assert natural(derive, plan, pets).dataset.samples.digest == open_dataset(plan).samples.digest


def test_a_classes_map_goes_before_names_and_several_classes_may_share_one(derive, folder, pets):
    plan = folder("Puppy", "cat", "hound", "zebu")
    made = natural(derive, plan, pets, classes_map={"Puppy": "dog", "hound": 2, "zebu": "bird"})
    labels = dict(zip(made.dataset.samples.ids, made.dataset.samples.labels.tolist(), strict=True))
    assert [labels[f"{name}/0.png"] for name in ("Puppy", "cat", "hound", "zebu")] == [2, 1, 2, 0]
    assert made.dataset.samples.digest != open_dataset(plan).samples.digest
    other = natural(derive, plan, pets, classes_map={"Puppy": "cat", "hound": 2, "zebu": "bird"})
    assert other.dataset.samples.digest != made.dataset.samples.digest


def test_labels_that_are_numbers_are_indices_of_the_models_and_may_be_mapped(tmp_path, derive, paint, place, numbered):
    paint(tmp_path / "m" / "a.png")
    (tmp_path / "m.csv").write_text("file,label\na.png,1\n")
    plan = DatasetPlan("manifest", MARK, place("m"), labels=place("m.csv"), classes=3)
    assert natural(derive, plan, numbered).dataset.samples.labels.tolist() == [1]
    assert natural(derive, plan, numbered, classes_map={"1": 2}).dataset.samples.labels.tolist() == [2]
    assert natural(derive, plan, numbered, classes_map={"0": 2}).dataset.samples.labels.tolist() == [1]


def test_a_stated_order_is_the_models(derive, folder, numbered):
    made = natural(derive, folder("b", "a", classes=("b", "x", "a")), numbered)
    assert made.dataset.samples.labels.tolist() == [2, 2, 0]


def test_as_many_folders_as_classes_are_in_their_order(derive, folder, numbered):
    assert natural(derive, folder("n1", "n2", "n3"), numbered).dataset.samples.labels.tolist() == [0, 1, 1, 2, 2, 2]


def test_folders_that_are_as_many_as_the_subset_are_its_classes(derive, folder, numbered):
    made = natural(derive, folder("n1", "n3"), numbered, label_subset=[2, 0])
    assert made.dataset.samples.labels.tolist() == [0, 2, 2]
    assert made.kept == (2, 0)
    assert made.parameters == {"label_subset": [2, 0]}


def test_named_subsets_are_those_of_imagenet_a_and_r():
    subsets = label_subsets()
    assert {name: (len(set(kept)), kept[0], kept[-1]) for name, kept in subsets.items()} == {
        "imagenet-a": (200, 6, 988),
        "imagenet-r": (200, 1, 988),
    }
    # tarantula, junco and sax are in A; great white shark, goldfinch and hot dog in R
    assert {76, 13, 776} <= set(subsets["imagenet-a"])
    assert {2, 11, 934} <= set(subsets["imagenet-r"])
    assert all(list(kept) == sorted(kept) for kept in subsets.values())


def test_a_named_subset_is_kept_and_recorded_by_its_name(tmp_path, derive, paint, place):
    paint(tmp_path / "m" / "a.png")
    (tmp_path / "m.csv").write_text("file,label\na.png,76\n")
    plan = DatasetPlan("manifest", MARK, place("m"), labels=place("m.csv"), classes=1000)
    made = natural(derive, plan, plan, label_subset="imagenet-a")
    assert (made.kept, made.parameters) == (label_subsets()["imagenet-a"], {"label_subset": "imagenet-a"})


@pytest.mark.parametrize(
    ("names", "parameters", "parts"),
    [
        (("cta",), {}, ("the class 'cta' is none of the spec's classes (closest: 'cat')", "classes_map")),
        (("cta",), {"classes_map": {"kat": 1}}, ("classes_map names 'kat', which is no class of these images",)),
        (
            ("cta",),
            {"classes_map": {"cta": "dgo"}},
            ("mapped to 'dgo', which is none of the spec's", "(closest: 'dog'); correct"),
        ),
        (("cta",), {"classes_map": {"cta": 3}}, ("is mapped to 3", "outside the 3 classes (0 to 2)")),
        (("cat", "dog"), {"label_subset": [0, 1]}, ("label_subset lacks the class 2 of dog/0.png and of 2 samples",)),
        (("cat",), {"label_subset": [1, 7]}, ("label_subset names the class 7, and there are 3 (0 to 2)",)),
    ],
)
def test_what_cannot_be_right_is_refused(names, parameters, parts, derive, folder, pets):
    with pytest.raises(RobustError) as caught:
        natural(derive, folder(*names), pets, **parameters)
    text = str(caught.value)
    assert text.startswith("specs/a.yaml:3:3: ")
    assert "\n" not in text
    for part in parts:
        assert part in text, text


@pytest.mark.parametrize("given", [{}, {"classes_map": {"n1": "cat"}}])
def test_without_names_a_place_is_never_guessed(given, derive, folder, numbered):
    with pytest.raises(RobustError, match=r"the spec's data set has no class names; (list them|map it)"):
        natural(derive, folder("n1", "n2"), numbered, **given)


def test_groups_go_along(tmp_path, derive, paint, place, numbered):
    for name in "abc":
        paint(tmp_path / "m" / f"{name}.png")
    (tmp_path / "m.csv").write_text("light,file,label\ndim,a.png,1\nbright,b.png,1\ndim,c.png,0\n")
    plan = DatasetPlan("manifest", MARK, place("m"), labels=place("m.csv"), classes=3)
    made = natural(derive, plan, numbered, classes_map={"1": 0})
    assert made.dataset.groups == {"light": ("dim", "bright", "dim")}
    assert np.array_equal(made.dataset.samples.labels, [0, 0, 0])
