"""Class folders on a real disk."""

import hashlib
import os
import shutil
import unicodedata

import numpy as np
import pytest
from PIL import Image

from pytest_robust.data import open_dataset
from pytest_robust.errors import RobustError
from pytest_robust.measurement import digest_of


@pytest.fixture
def pets(tmp_path, paint):
    root = tmp_path / "pets"
    paint(root / "dog" / "b.png", (10, 20, 30))
    paint(root / "dog" / "a.PNG", (11, 21, 31))
    paint(root / "cat" / "deep" / "er" / "x.png", (40, 50, 60))
    paint(root / "bird" / "z.bmp", (70, 80, 90))
    return root


def test_ids_labels_and_images_belong_together(pets, plan):
    found = open_dataset(plan("folder", path="pets"))
    assert found.samples.ids == ("bird/z.bmp", "cat/deep/er/x.png", "dog/a.PNG", "dog/b.png")
    assert found.samples.labels.tolist() == [0, 1, 2, 2]
    assert found.samples.labels.dtype == np.uint16
    assert found.class_names == ("bird", "cat", "dog")
    assert found.classes == 3
    assert [found.image(i)[0, 0].tolist() for i in range(4)] == [[70, 80, 90], [40, 50, 60], [11, 21, 31], [10, 20, 30]]
    assert found.image(0).shape == (3, 4, 3)


def test_listed_classes_state_the_order_and_may_be_more(pets, plan):
    found = open_dataset(plan("folder", path="pets", classes=("dog", "fish", "cat", "bird")))
    assert found.samples.labels.tolist() == [3, 2, 0, 0]
    assert found.class_names == ("dog", "fish", "cat", "bird")
    assert found.classes == 4


def test_a_number_of_classes_must_agree(pets, plan, refused):
    assert open_dataset(plan("folder", path="pets", classes=3)).classes == 3
    refused(plan("folder", path="pets", classes=4), "specs/a.yaml:3:3: ", "has 3 class folders", "`classes` says 4")


def test_the_digest_follows_its_definition(pets, plan):
    found = open_dataset(plan("folder", path="pets")).samples
    parts = []
    for name, label in zip(found.ids, found.labels, strict=True):
        content = hashlib.sha256((pets / name).read_bytes()).digest()
        parts += [name.encode(), bytes([int(label), 0]), content]
    assert found.digest == digest_of(parts)


def test_the_digest_sees_contents_and_nothing_else(pets, plan, tmp_path):
    def digest(root):
        return open_dataset(plan("folder", path=root)).samples.digest

    first = digest(pets)
    copy = tmp_path / "elsewhere" / "copy"
    shutil.copytree(pets, copy)
    os.utime(copy / "dog" / "b.png", (1, 1))
    assert digest(copy) == first
    image = copy / "dog" / "b.png"
    data = bytearray(image.read_bytes())
    data[-1] ^= 1
    image.write_bytes(data)
    changed = digest(copy)
    assert changed != first
    image.write_bytes((pets / "dog" / "b.png").read_bytes())
    assert digest(copy) == first
    image.rename(image.with_name("c.png"))
    assert digest(copy) not in (first, changed)


def test_two_labels_swapped_change_the_digest(pets, plan):
    one = open_dataset(plan("folder", path="pets", classes=("dog", "cat", "bird"))).samples
    two = open_dataset(plan("folder", path="pets", classes=("cat", "dog", "bird"))).samples
    assert one.ids == two.ids
    assert one.digest != two.digest


def test_litter_and_other_files_are_passed_over(pets, plan, paint):
    before = open_dataset(plan("folder", path="pets")).samples.digest
    paint(pets / "dog" / ".hidden.png")
    paint(pets / "dog" / "._b.png")
    paint(pets / "__MACOSX" / "dog" / "b.png")
    paint(pets / ".git" / "b.png")
    for name in ("Thumbs.db", ".DS_Store", "notes.txt", "README", "boxes.json"):
        (pets / "dog" / name).write_text("no image")
        (pets / name).write_text("no image")
    found = open_dataset(plan("folder", path="pets"))
    assert found.samples.digest == before
    assert found.class_names == ("bird", "cat", "dog")


def test_a_file_that_only_claims_to_be_an_image_is_named(pets, plan):
    (pets / "dog" / "a.jpeg").write_text("no image")
    found = open_dataset(plan("folder", path="pets"))
    with pytest.raises(RobustError, match=r"dog/a\.jpeg is not an image in a known format"):
        found.image(found.samples.ids.index("dog/a.jpeg"))


def test_opening_decodes_nothing(pets, plan, monkeypatch):
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("an image was opened"))
    assert len(open_dataset(plan("folder", path="pets")).samples.ids) == 4


def test_links_to_files_and_folders_are_followed(pets, plan, tmp_path, paint):
    outside = paint(tmp_path / "store" / "blob.png", (5, 6, 7))
    (pets / "dog" / "link.png").symlink_to(outside)
    (pets / "fish").symlink_to(outside.parent, target_is_directory=True)
    found = open_dataset(plan("folder", path="pets"))
    assert {"dog/link.png", "fish/blob.png"} < set(found.samples.ids)
    assert found.image(found.samples.ids.index("dog/link.png"))[0, 0].tolist() == [5, 6, 7]


def test_links_to_nowhere_and_in_circles_are_errors(pets, plan, refused):
    broken = pets / "dog" / "gone.png"
    broken.symlink_to(pets / "nothing")
    refused(plan("folder", path="pets"), str(broken), "link to nothing")
    broken.unlink()
    circle = pets / "cat" / "deep" / "again"
    circle.symlink_to(pets / "cat", target_is_directory=True)
    refused(plan("folder", path="pets"), str(circle), "link to a folder above it")


def test_names_are_in_unicode_form_nfc(plan, tmp_path, paint):
    paint(tmp_path / "pets" / "cafe\u0301" / "u\u0308.png")
    composed = open_dataset(plan("folder", path="pets"))
    assert composed.samples.ids == ("caf\u00e9/\u00fc.png",)
    assert composed.class_names == ("caf\u00e9",)
    assert composed.image(0).shape == (3, 4, 3)
    listed = open_dataset(plan("folder", path="pets", classes=("cafe\u0301",)))
    assert listed.samples.digest == composed.samples.digest


@pytest.mark.parametrize("names", [("dog/\u00e9.png", "dog/e\u0301.png"), ("\u00e9/a.png", "e\u0301/b.png")])
def test_names_that_collide_in_form_nfc_are_an_error(names, plan, tmp_path, paint, refused):
    for name in names:
        paint(tmp_path / "pets" / name)
    top = {unicodedata.normalize("NFD", name) for name in names}
    if len(list((tmp_path / "pets").rglob("*.png"))) < 2 or not top:
        pytest.skip("this file system keeps one of the two names only")
    refused(plan("folder", path="pets"), "are one name in Unicode form NFC; rename one")


def test_names_that_are_not_utf8_are_an_error(pets, plan, refused):
    try:
        (pets / "dog" / "b.png").rename(pets / "dog" / "\udcff.png")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    refused(plan("folder", path="pets"), "\\udcff.png", "not UTF-8; rename it")


def test_a_folder_that_is_no_class_is_named_with_the_closest_class(pets, plan, refused):
    text = refused(plan("folder", path="pets", classes=("bird", "cat", "dogs")), "specs/a.yaml:3:3: ")
    assert f"the folder {pets / 'dog'} is a label without a class (closest: 'dogs')" in text


def test_an_empty_class_folder_is_an_error_unless_classes_are_listed(pets, plan, refused):
    (pets / "ant").mkdir()
    refused(plan("folder", path="pets"), f"the class folder {pets / 'ant'} holds no image")
    listed = plan("folder", path="pets", classes=("ant", "bird", "cat", "dog"))
    assert open_dataset(listed).samples.labels.tolist() == [1, 2, 3, 3]


def test_classes_listed_twice_are_an_error(pets, plan, refused):
    refused(plan("folder", path="pets", classes=("bird", "cat", "dog", "cat")), "`classes` lists 'cat' twice")


def test_an_image_outside_every_class_is_an_error(pets, plan, paint, refused):
    paint(pets / "stray.png")
    refused(plan("folder", path="pets"), f"{pets / 'stray.png'} lies outside every class folder")


@pytest.mark.parametrize("listed", [None, ("dog",)])
def test_no_images_no_classes_no_folder(listed, plan, tmp_path, refused):
    refused(plan("folder", path="gone"), "specs/a.yaml:3:3: the data set folder", "gone does not exist; correct `path`")
    (tmp_path / "file").write_text("")
    refused(plan("folder", path="file"), "file is a file; name a folder")
    (tmp_path / "empty").mkdir()
    refused(plan("folder", path="empty"), "empty has no class sub-folders")
    (tmp_path / "empty" / "dog").mkdir()
    refused(plan("folder", path="empty", classes=listed), "holds no image")
    refused(plan("folder"), "specs/a.yaml:3:3: the data set source folder needs `path`")


def test_an_unset_variable_is_named(plan, refused, monkeypatch):
    monkeypatch.delenv("ROBUST_NOWHERE", raising=False)
    refused(plan("folder", path="${ROBUST_NOWHERE}/val"), "specs/a.yaml:3:3: ", "ROBUST_NOWHERE is not set")


def test_only_masked_sources_have_masks(pets, plan):
    with pytest.raises(RobustError, match=r"bird/z\.bmp has no foreground mask"):
        open_dataset(plan("folder", path="pets")).mask(0)
