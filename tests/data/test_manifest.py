"""Csv files as people and spreadsheets write them, and the mistakes in them."""

import pytest

from pytest_robust.data import open_dataset


@pytest.fixture
def manifest(tmp_path, paint, plan):
    """manifest(csv, **fields): the plan of a folder with a.png, b.png, sub/c.png and 'x, y.png', and this csv."""
    for number, name in enumerate(("a.png", "b.png", "sub/c.png", "x, y.png")):
        paint(tmp_path / "images" / name, (number, 0, 0))

    def make(csv, **fields):
        (tmp_path / "labels.csv").write_bytes(csv if isinstance(csv, bytes) else csv.encode())
        return plan("manifest", path="images", labels="labels.csv", **fields)

    return make


def test_rows_in_any_order_with_other_columns(manifest):
    found = open_dataset(manifest("site,label,file\nx,7,sub/c.png\ny,3,a.png\n"))
    assert found.samples.ids == ("a.png", "sub/c.png")
    assert found.samples.labels.tolist() == [3, 7]
    assert [found.image(i)[0, 0, 0] for i in range(2)] == [0, 2]
    assert found.classes is None
    assert found.class_names is None


@pytest.mark.parametrize(
    "csv",
    [
        '\ufefffile,label\r\na.png,0\r\n"x, y.png",1\r\n',
        'file,label\na.png,0\n\n"x, y.png",1',
        ' file , label\na.png, 0\n"x, y.png",1 \n',
        '"file","label"\n"a.png","0"\n"x, y.png","1"\n',
        'file,label\n./a.png,0\n"x, y.png",1\n',
    ],
)
def test_spreadsheet_habits_change_nothing(csv, manifest):
    plain = open_dataset(manifest('file,label\na.png,0\n"x, y.png",1\n'))
    found = open_dataset(manifest(csv))
    assert found.samples.ids == ("a.png", "x, y.png")
    assert found.samples.digest == plain.samples.digest


def test_labels_may_be_names_or_indices(manifest):
    found = open_dataset(
        manifest("file,label\na.png,dog\nb.png,0\nsub/c.png,caf\u00e9\n", classes=("cat", "dog", "cafe\u0301"))
    )
    assert found.samples.labels.tolist() == [1, 0, 2]
    assert found.classes == 3
    assert found.class_names == ("cat", "dog", "caf\u00e9")


def test_class_names_that_are_numbers_are_always_names(manifest, refused):
    classes = ("1", "2", "3")
    assert open_dataset(manifest("file,label\na.png,1\nb.png,3\n", classes=classes)).samples.labels.tolist() == [0, 2]
    refused(manifest("file,label\na.png,0\n", classes=classes), "labels.csv:2: the label '0' is not one of the classes")


def test_names_travel_between_unicode_forms(manifest, tmp_path, paint):
    paint(tmp_path / "images" / "u\u0308.png")
    composed = open_dataset(manifest("file,label\n\u00fc.png,0\n"))
    assert composed.samples.ids == ("\u00fc.png",)
    assert open_dataset(manifest("file,label\nu\u0308.png,0\n")).samples.digest == composed.samples.digest
    assert composed.image(0).shape == (3, 4, 3)


def test_a_label_changes_the_digest(manifest):
    one = open_dataset(manifest("file,label\na.png,0\nb.png,1\n")).samples.digest
    assert open_dataset(manifest("file,label\na.png,1\nb.png,0\n")).samples.digest != one


HEAD = "file,label\na.png,0\n"


@pytest.mark.parametrize(
    ("csv", "classes", "parts"),
    [
        ("", None, ["labels.csv is empty; begin it with the header"]),
        ("file,label\n", None, ["labels.csv has a header and no rows"]),
        ("path,label\na.png,0\n", None, ["labels.csv:1: the csv has no column 'file'; it has 'path', 'label'"]),
        ("file;label\na.png;0\n", None, ["no column 'file'; it has 'file;label'"]),
        ("file,file,label\n", None, ["labels.csv:1: the csv has more than one column 'file'"]),
        (HEAD + "gone.png,1\n", None, ["labels.csv:3: 'gone.png' is not in", "correct or remove the row"]),
        (HEAD + "sub\\c.png,1\n", None, ["labels.csv:3: 'sub\\\\c.png' is not in", "separate folders by '/'"]),
        (HEAD + "sub,1\n", None, ["labels.csv:3: 'sub' is a folder"]),
        (HEAD + ",1\n", None, ["labels.csv:3: '' names no file"]),
        (HEAD + "a.png,1\n", None, ["labels.csv:3: 'a.png' was already named in line 2"]),
        (HEAD + "./a.png,1\n", None, ["labels.csv:3: './a.png' was already named in line 2"]),
        (HEAD + "../images/b.png,1\n", None, ["labels.csv:3: '../images/b.png' leads out of"]),
        (HEAD + "sub/../b.png,1\n", None, ["labels.csv:3: 'sub/../b.png' leads out of"]),
        (HEAD + "/etc/passwd,1\n", None, ["labels.csv:3: '/etc/passwd' leads out of"]),
        (HEAD + "a\0b.png,1\n", None, ["labels.csv:3: 'a\\x00b.png' names no file"]),
        (HEAD + "b" * 300 + ",1\n", None, ["labels.csv:3: ", "cannot be found: File name too long"]),
        (HEAD + "x, y.png,1\n", None, ["labels.csv:3: 3 fields where the header has 2", "double quotes"]),
        (HEAD + "b.png\n", None, ["labels.csv:3: 1 fields where the header has 2"]),
        (HEAD + '"x"y.png,1\n', None, ["labels.csv:3: not a csv row"]),
        (HEAD + '"b.png,1\n', None, ["not a csv row", "mend the quotes"]),
        (HEAD + "b.png,10\n", 10, ["labels.csv:3: the label 10 is outside the 10 classes (0 to 9)"]),
        (HEAD + "b.png,-1\n", 10, ["labels.csv:3: the label -1 is outside the 10 classes (0 to 9)"]),
        (HEAD + "b.png,2\n", ("cat", "dog"), ["labels.csv:3: the label 2 is outside the 2 classes"]),
        (HEAD + "b.png,65535\n", None, ["labels.csv:3: the label 65535 is outside 0 to 65534"]),
        (
            HEAD + "b.png,dgo\n",
            ("cat", "dog"),
            ["labels.csv:3: the label 'dgo' is not one of the classes (closest: 'dog')"],
        ),
        (
            HEAD + "b.png,dog\n",
            10,
            ["labels.csv:3: the label 'dog' is not a class index", "list the names in `classes`"],
        ),
        (HEAD + "b.png,1.0\n", 10, ["labels.csv:3: the label '1.0' is not a class index"]),
        (HEAD + "b.png,1_0\n", 99, ["labels.csv:3: the label '1_0' is not a class index"]),
        (HEAD + "b.png,\u0663\n", 99, ["labels.csv:3: the label '\u0663' is not a class index"]),
        (HEAD + "b.png,\n", 10, ["labels.csv:3: the label '' is not a class index"]),
        (HEAD.encode("utf-16"), None, ["labels.csv is not UTF-8 text"]),
    ],
)
def test_mistakes_are_named_with_their_line(csv, classes, parts, manifest, refused):
    refused(manifest(csv, classes=classes), *parts)


def test_lines_count_through_quoted_line_breaks_and_blank_lines(manifest, refused):
    refused(manifest('note,file,label\n"two\nlines",a.png,0\n\nx,gone.png,1\n'), "labels.csv:5: 'gone.png'")


def test_the_largest_label_fits(manifest):
    assert open_dataset(manifest("file,label\na.png,65534\n")).samples.labels.tolist() == [65534]


def test_a_missing_file_is_an_error_whatever_the_limit(manifest, refused):
    for seed in range(8):
        refused(manifest(HEAD + "b.png,1\ngone.png,1\n", limit=1, seed=seed), "labels.csv:4: 'gone.png'")


def test_paths_of_the_spec_are_checked(manifest, plan, refused, tmp_path):
    manifest(HEAD)
    refused(
        plan("manifest", path="images", labels="gone.csv"),
        "specs/a.yaml:3:3: the file",
        "gone.csv does not exist; correct `labels`",
    )
    refused(
        plan("manifest", path="images", labels="images"), "specs/a.yaml:3:3: ", "is a folder; name the file in `labels`"
    )
    refused(
        plan("manifest", path="gone", labels="labels.csv"), "specs/a.yaml:3:3: the data set folder", "does not exist"
    )
    refused(plan("manifest", path="images"), "specs/a.yaml:3:3: the data set source manifest needs `labels`")
