"""SI-Score: its grids, the pairs that serve every value, what is left out, and the published folders."""

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pytest_robust.data import open_dataset
from pytest_robust.data.compose import Scene, compose, square
from pytest_robust.data.cutouts import backgrounds_of
from pytest_robust.errors import RobustError
from pytest_robust.registry import catalog
from pytest_robust.spec.plan import DatasetPlan, Geometry
from pytest_robust.views.composed import MIXED
from tests.views.conftest import MARK

OBJECTS = {"a.png": (0, 20, 12), "b.png": (1, 12, 20), "c.png": (1, 16, 16)}
"""File -> class, width and height of its rectangle."""


@pytest.fixture
def cutouts(tmp_path, noise, place):
    """A folder of three cut-outs and four backgrounds."""
    rows = ["file,label"]
    for seed, (name, (label, width, height)) in enumerate(OBJECTS.items()):
        noise(tmp_path / "si" / "foregrounds" / name, (height, width, 4), seed)
        rows.append(f"foregrounds/{name},{label}")
    for seed in range(4):
        noise(tmp_path / "si" / "backgrounds" / f"{seed}.png", (40, 50, 3), 10 + seed)
    (tmp_path / "si" / "labels.csv").write_text("\n".join(rows) + "\n")
    return DatasetPlan("cutouts", MARK, place("si"), classes=2)


def entry(**options):
    """The variants of an entry, as text and parameters."""
    suite = catalog()["si-score"]
    return list(suite.expand(suite.options.model_validate_json(json.dumps(options), strict=True)))


def parameters(*values, background=None, min_inside=0.0, **rest):
    return {"values": list(values), "background": background, "min_inside": min_inside, **rest}


def test_without_more_the_entry_has_all_values_of_all_factors():
    found = entry()
    assert Counter(variant.shift for variant in found) == {"size": 100, "rotation": 18, "location": 441}
    named = {variant.shift: [one.severity for one in found if one.shift == variant.shift] for variant in found}
    assert named["size"][:3] + named["size"][-1:] == [0.01, 0.02, 0.03, 1]
    assert named["rotation"] == list(range(1, 342, 20))
    assert named["location"][:2] + named["location"][-1:] == ["0.00x0.00", "0.00x0.05", "1.00x1.00"]
    assert found[-1].parameters == parameters([1.0, 1.0])


def test_values_may_be_chosen_and_a_case_may_hold_a_whole_factor():
    found = entry(factors={"size": [0.5, 0.2], "location": [[0.5, 0.25]]})
    assert [(one.shift, one.severity) for one in found] == [("size", 0.2), ("size", 0.5), ("location", "0.50x0.25")]
    whole = entry(factors={"rotation": "all", "size": [0.2, 0.1]}, per="factor", background=64)
    assert [(one.shift, one.severity) for one in whole] == [("size", None), ("rotation", None)]
    assert whole[0].parameters == parameters(0.1, 0.2, background=64)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"factors": {"size": [0]}}, "greater than 0"),
        ({"factors": {"size": [0.205]}}, "takes steps of 0.01"),
        ({"factors": {"size": [0.2, 0.2]}}, "0.2 is given twice"),
        ({"factors": {"rotation": [360]}}, "less than 360"),
        ({"factors": {"location": [[0.5]]}}, "at least 2 items"),
        ({"factors": {"location": [[0.5, 1.5]]}}, "less than or equal to 1"),
        ({"factors": {"size": "some"}}, "should be 'all'"),
        ({"stored": "x", "min_inside": 0.5}, "min_inside is a matter of images to be composed"),
        ({"stored": "x", "dataset": {"source": "digits"}}, "dataset is a matter of images to be composed"),
    ],
)
def test_what_cannot_be_is_refused(options, match):
    with pytest.raises(ValueError, match=match):
        entry(**options)


def test_each_object_draws_two_different_backgrounds_once():
    drawn = [backgrounds_of(0, f"{number}.png", 4) for number in range(4000)]
    assert all(len(set(pair)) == 2 for pair in drawn)
    counts = Counter(drawn)
    assert len(counts) == 12
    # 4000 / 12 = 333 each, standard deviation 17.5
    assert max(abs(count - 333) for count in counts.values()) < 80
    assert drawn[:3] == [backgrounds_of(0, f"{number}.png", 4) for number in range(3)]
    assert drawn != [backgrounds_of(1, f"{number}.png", 4) for number in range(4000)]
    assert backgrounds_of(0, "a.png", 2) in ((0, 1), (1, 0))


def test_the_data_set_is_every_object_on_its_two_backgrounds(cutouts, tmp_path):
    found = open_dataset(cutouts)
    expected = sorted(
        (f"foregrounds/{name}+{number}.png", label)
        for name, (label, _, _) in OBJECTS.items()
        for number in backgrounds_of(0, f"foregrounds/{name}", 4)
    )
    assert list(zip(found.samples.ids, found.samples.labels.tolist(), strict=True)) == expected
    assert found.image(0).shape == (512, 512, 3)
    assert found.mask(0).shape == (512, 512)
    assert open_dataset(cutouts, limit=3).samples.ids == tuple(
        name for name in found.samples.ids if name in open_dataset(cutouts, limit=3).samples.ids
    )
    before = found.samples.digest
    (tmp_path / "si" / "backgrounds" / found.pairs[0][1]).write_bytes(
        (tmp_path / "si" / "backgrounds" / found.pairs[-1][1]).read_bytes()
    )
    assert (open_dataset(cutouts).samples.digest == before) == (found.pairs[0][1] == found.pairs[-1][1])


def test_the_same_pairs_stand_in_every_scene_and_keep_their_samples(cutouts, derive):
    base = open_dataset(cutouts)
    for factor, severity, value, scene in (
        ("size", 0.2, 0.2, Scene(area=0.2)),
        ("location", "0.25x0.75", [0.25, 0.75], Scene(0.25, 0.75, 0.2)),
    ):
        made = derive("si-score", factor, severity, cutouts, parameters=parameters(value), geometry=Geometry(crop=32))
        assert made.dataset.samples is not base.samples
        assert made.dataset.samples.digest == base.samples.digest
        assert (made.source, made.notes) == ("generated", ())
        assert made.parameters == {"values": [value], "background": 32, "min_inside": 0.0}
        for position in range(len(base.samples.ids)):
            expected = compose(base.cutout(position), base.background(position, 32), scene)
            assert np.array_equal(made.dataset.canvas(position, Geometry(resize=40, crop=32)), expected)


def test_the_images_come_from_the_files_of_their_ids(cutouts, derive, tmp_path):
    from PIL import Image

    made = derive("si-score", "size", 0.3, cutouts, parameters=parameters(0.3, background=24)).dataset
    for position, name in enumerate(made.samples.ids):
        front, back = name.split("+")
        cutout = np.array(Image.open(tmp_path / "si" / front))
        background = square(np.array(Image.open(tmp_path / "si" / "backgrounds" / back)), 24)
        assert np.array_equal(made.image(position), compose(cutout, background, Scene(area=0.3)))


def test_a_rotation_is_seen_on_four_areas(cutouts, derive):
    made = derive("si-score", "rotation", 21, cutouts, parameters=parameters(21), geometry=Geometry(crop=32)).dataset
    pairs = open_dataset(cutouts).samples.ids
    assert sorted(made.samples.ids) == sorted(
        f"area-{area}/{pair}" for area in ("0.2", "0.5", "0.8", "1") for pair in pairs
    )
    assert list(made.samples.ids) == sorted(made.samples.ids)
    rows = [made.metadata(position) for position in range(len(made.samples.ids))]
    assert {(row["area"], row["rotation"], row["x_coord"]) for row in rows} == {
        (a, 21, 0.5) for a in (0.2, 0.5, 0.8, 1.0)
    }


def test_samples_are_sorted_by_id_and_stay_with_their_scenes(cutouts, derive):
    made = derive("si-score", "rotation", None, cutouts, parameters=parameters(1, 21, 101), geometry=Geometry(crop=32))
    names = made.dataset.samples.ids
    assert list(names) == sorted(names)
    assert len(names) == 3 * 4 * 6
    for position, name in enumerate(names):
        row = made.dataset.metadata(position)
        pair = f"{row['foreground_instance']}+{row['background']}"
        assert name == f"rotation-{row['rotation']}/area-{row['area']:g}/{pair}"
        assert made.dataset.groups["rotation"][position] == str(row["rotation"])


def test_a_whole_factor_counts_its_values_as_groups(cutouts, derive):
    made = derive(
        "si-score", "size", None, cutouts, parameters=parameters(0.1, 0.2), geometry=Geometry(crop=32)
    ).dataset
    assert Counter(made.groups["size"]) == {"0.1": 6, "0.2": 6}
    assert all(
        name.startswith(f"size-{value}/") for name, value in zip(made.samples.ids, made.groups["size"], strict=True)
    )


def test_metadata_has_the_published_columns(cutouts, derive):
    made = derive(
        "si-score", "location", "0.00x0.50", cutouts, parameters=parameters([0.0, 0.5], background=100)
    ).dataset
    row = made.metadata(0)
    # 20 x 12 at a fifth of 100 x 100: 57 x 34; its left edge is at -28, so 29 of 57 columns are inside
    assert row == {
        "image_id": made.samples.ids[0],
        "x_coord": 0.0,
        "y_coord": 0.5,
        "area": 0.2,
        "rotation": 0,
        "foreground_class": 0,
        "foreground_instance": "foregrounds/a.png",
        "background": made.samples.ids[0].split("+")[1],
        "bg_resolution_width": 100,
        "bg_resolution_height": 100,
        "pct_inside_image": 0.5088,
    }


def test_objects_that_stick_out_are_left_out_and_an_uneven_loss_is_told(cutouts, derive):
    # at full area the oblong objects stick out, the square one does not
    made = derive("si-score", "size", 1, cutouts, parameters=parameters(1.0, min_inside=0.95, background=64))
    assert [name.split("+")[0] for name in made.dataset.samples.ids] == ["foregrounds/c.png"] * 2
    assert made.dataset.samples.labels.tolist() == [1, 1]
    assert made.notes == (
        "min_inside 0.95 leaves out 4 of 6 images, unevenly over the classes (class 0 2 of 2, class 1 2 of 4); the "
        "accuracies of such cases do not compare",
    )
    even = derive("si-score", "size", 0.1, cutouts, parameters=parameters(0.1, min_inside=0.95, background=64))
    assert (len(even.dataset.samples.ids), even.notes) == (6, ())
    with pytest.raises(RobustError, match=r"no object of si-score.location-0.00x0.00 is inside by 0.95 or more"):
        derive("si-score", "location", "0.00x0.00", cutouts, parameters=parameters([0.0, 0.0], min_inside=0.95))


def test_a_value_that_loses_all_its_images_is_never_dropped_from_a_whole_factor(cutouts, derive):
    asked = parameters([0.0, 0.0], [0.5, 0.5], min_inside=0.95)
    with pytest.raises(RobustError, match=r"si-score.location at 0.00x0.00 is inside by 0.95 or more; lower min"):
        derive("si-score", "location", None, cutouts, parameters=asked)


def test_values_that_lose_different_shares_are_told(cutouts, derive):
    made = derive("si-score", "size", None, cutouts, parameters=parameters(0.1, 1.0, min_inside=0.95, background=64))
    assert made.dataset.groups["size"].count("1") == 2
    assert made.notes == (
        "min_inside 0.95 leaves out 4 of 12 images, unevenly over the values and classes (class 0 at 1 2 of 2, class 1 "
        "at 1 2 of 4, class 0 at 0.1 0 of 2); the accuracies of such cases do not compare",
    )
    even = parameters(0.1, 0.2, min_inside=0.95, background=64)
    assert derive("si-score", "size", None, cutouts, parameters=even).notes == ()


def test_right_angles_among_others_are_told(cutouts, derive):
    mixed = entry(factors={"rotation": [0, 21]})
    assert [variant.parameters.get("mixed") for variant in mixed] == [True, True]
    made = derive("si-score", "rotation", 0, cutouts, parameters=mixed[0].parameters, geometry=Geometry(crop=32))
    assert made.notes == (MIXED,)
    assert "mixed" not in made.parameters
    for alone in ([0, 90, 270], [1, 21]):
        assert all("mixed" not in variant.parameters for variant in entry(factors={"rotation": alone}))


def test_digits_are_cut_out_at_their_ink(derive):
    plan = DatasetPlan("digits", MARK, limit=20)
    base = open_dataset(plan)
    made = derive("si-score", "size", 0.5, plan, parameters=parameters(0.5)).dataset
    assert len(made.samples.ids) == 40
    assert made.image(0).shape == (32, 32, 3)
    name, texture = made.samples.ids[0].split("+")
    row = base.samples.ids.index(name)
    assert made.samples.labels[0] == base.samples.labels[row]
    mask = base.mask(row)
    cutout = made.pairs.cutout(0)
    assert cutout.shape[:2] == (np.ptp(np.flatnonzero(mask.any(1))) + 1, np.ptp(np.flatnonzero(mask.any(0))) + 1)
    assert np.array_equal(np.sort(cutout[..., 0][cutout[..., 3] > 0]), np.sort(base.image(row)[..., 0][mask]))
    assert made.pairs.background(0, 32).max() < 64
    assert texture.startswith("texture-")


def test_other_data_has_no_cutouts(tmp_path, derive, paint, place):
    paint(tmp_path / "f" / "cat" / "a.png")
    with pytest.raises(RobustError, match=r"a\.yaml:3:3: the data set source folder has no cut-outs"):
        derive("si-score", "size", 0.5, DatasetPlan("folder", MARK, place("f")), parameters=parameters(0.5))


@pytest.mark.parametrize("missing", ["labels.csv", "backgrounds"])
def test_a_folder_that_is_no_set_of_cutouts_says_what_it_lacks(missing, cutouts, tmp_path):
    (tmp_path / "si" / missing).rename(tmp_path / "elsewhere")
    with pytest.raises(RobustError, match=rf"a\.yaml:3:3: \S+si has no {missing}; a folder of cut-outs holds"):
        open_dataset(cutouts)


def test_one_background_is_too_few_and_a_cutout_needs_alpha(cutouts, tmp_path, paint):
    for number in range(1, 4):
        (tmp_path / "si" / "backgrounds" / f"{number}.png").unlink()
    with pytest.raises(RobustError, match=r"backgrounds holds 1 images; add some, 2 at least"):
        open_dataset(cutouts)
    paint(tmp_path / "si" / "backgrounds" / "1.png")
    paint(tmp_path / "si" / "foregrounds" / "a.png")
    with pytest.raises(RobustError, match=r"a\.png has no transparency; a cut-out needs an alpha channel"):
        open_dataset(cutouts).image(0)


def test_real_cutouts(shared_data: Path, derive, place):
    plan = DatasetPlan("cutouts", MARK, place(shared_data / "si_score"), classes=1000)
    made = derive(
        "si-score", "size", 0.2, plan, parameters=parameters(0.2, min_inside=0.95), geometry=Geometry(crop=224)
    )
    assert len(made.dataset.samples.ids) == 10
    assert set(made.dataset.samples.labels.tolist()) == {105, 951, 327, 883, 340}
    for position in range(10):
        assert made.dataset.metadata(position)["pct_inside_image"] == 1
        assert made.dataset.canvas(position, Geometry(crop=224)).shape == (224, 224, 3)


@pytest.fixture
def published(tmp_path, paint):
    """object_size and object_location as published, of the classes bagel (931) and koala (105)."""
    root = tmp_path / "published"
    header = "image_id,x_coord,y_coord,area,rotation,foreground_class,foreground_instance,background"
    rows = {
        # the published numbers are those of a float range
        "size": [(0, 0.5, 0.5, 0.1, 0, 0), (1, 0.5, 0.5, 0.1, 0, 1), (4, 0.5, 0.5, 0.30000000000000004, 0, 1)],
        "location": [(7, 0.15000000000000002, 0.05, 0.2, 0, 0), (8, 0.15000000000000002, 0.1, 0.2, 0, 1)],
    }
    for factor, found in rows.items():
        folder = root / f"object_{factor}"
        for row in found:
            paint(folder / ("bagel", "koala")[row[5]] / f"{row[0]}.jpg", (10 * row[0], 0, 0), (20, 20))
        lines = [header, *(",".join(map(str, (*row, 0, 3))) for row in found)]
        (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
        (folder / "foreground_classes.csv").write_text("int,label\n931,bagel\n105,koala\n")
    return root


@pytest.fixture
def thousand(tmp_path, paint, place):
    paint(tmp_path / "m" / "a.png")
    (tmp_path / "m.csv").write_text("file,label\na.png,1\n")
    return DatasetPlan("manifest", MARK, place("m"), labels=place("m.csv"), classes=1000)


def test_published_images_take_their_labels_from_the_table_and_never_from_the_folders(
    published, thousand, derive, place
):
    made = derive("si-score", "size", 0.1, thousand, parameters={"values": [0.1]}, stored=place(published))
    assert made.dataset.samples.ids == ("bagel/0.jpg", "koala/1.jpg")
    assert made.dataset.samples.labels.tolist() == [931, 105]
    assert (made.source, made.parameters, made.dataset.classes) == ("stored", {"values": [0.1]}, 1000)
    # the geometry holds as for photographs
    assert made.dataset.canvas(0, Geometry(resize=10, crop=8)).shape == (8, 8, 3)
    late = derive("si-score", "size", 0.3, thousand, parameters={"values": [0.3]}, stored=place(published))
    assert late.dataset.samples.ids == ("koala/4.jpg",)
    there = derive(
        "si-score", "location", "0.15x0.10", thousand, parameters={"values": [[0.15, 0.1]]}, stored=place(published)
    )
    assert there.dataset.samples.ids == ("koala/8.jpg",)
    whole = derive("si-score", "size", None, thousand, parameters={"values": [0.1, 0.3]}, stored=place(published))
    assert whole.dataset.groups == {"size": ("0.1", "0.1", "0.3")}
    assert (
        len(
            derive(
                "si-score", "size", None, thousand, parameters={"values": [0.1, 0.3]}, stored=place(published), limit=2
            ).dataset.samples.ids
        )
        == 2
    )


def test_published_folders_that_are_not_whole_are_refused(published, thousand, derive, place):
    def refused(shift, severity, values, match):
        with pytest.raises(RobustError, match=match):
            derive("si-score", shift, severity, thousand, parameters={"values": values}, stored=place(published))

    refused("rotation", 1, [1], r"object_rotation does not exist; correct `stored`, or leave rotation out")
    refused("size", 0.7, [0.7], r"metadata\.csv names no image of si-score\.size-0\.7; choose other values")
    (published / "object_size" / "koala" / "1.jpg").unlink()
    refused("size", 0.1, [0.1], r"lacks 1 of the 2 images that its metadata\.csv names for si-score\.size-0\.1")
    table = published / "object_size" / "foreground_classes.csv"
    table.write_text(table.read_text().replace("931", "1931"))
    refused("size", 0.1, [0.1], r"foreground_classes\.csv: bagel: the label 1931 is outside the 1000 classes")
    with (published / "object_size" / "metadata.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    (published / "object_size" / "metadata.csv").write_text("\n".join(",".join(row[1:]) for row in rows))
    refused("size", 0.1, [0.1], r"metadata\.csv:1: the csv has no column 'image_id'")
