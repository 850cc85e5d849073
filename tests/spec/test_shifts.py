from __future__ import annotations

import pytest

from pytest_robust.spec.plan import DatasetPlan, Plan
from tests.spec.conftest import Load, Refuse

HEAD = "format: 1\nmodels: {a: {path: a.onnx}, b: {path: b.onnx}}\n"


def labels(plan: Plan) -> list[str]:
    return [shift.label for shift in plan.shifts]


def test_cells_are_model_major_with_clean_first(load: Load) -> None:
    text = """\
shifts:
  - {suite: scaling, multiples: [0.5, 2], mode: down_up}
  - {name: mild, suite: imagenet-c, corruptions: [fog, snow], severities: [1, 3]}
"""
    plan = load(HEAD + text)
    column = ["scaling.down_up-0.5", "scaling.down_up-2", "mild.fog-1", "mild.fog-3", "mild.snow-1", "mild.snow-3"]
    assert [cell.id for cell in plan.cells] == [f"{m}::{key}" for m in "ab" for key in ["clean", *column]]
    clean, half = plan.shifts[:2]
    assert (clean.entry, clean.suite, clean.shift, clean.severity) == ("clean", "clean", "clean", None)
    assert (half.suite, half.version, half.parameters) == ("scaling", 2, {"multiple": 0.5})
    assert (str(half.mark), str(plan.shifts[3].mark)) == ("spec.yaml:4:5", "spec.yaml:5:5")
    assert plan.cell["b", "mild.fog-3"].shift is plan.shifts[4]


def test_integer_multiples_and_changes_of_size(load: Load) -> None:
    plan = load(HEAD + "shifts: [{suite: scaling, multiples: [2], mode: feed_scaled}]\n")
    assert plan.shifts[1].changes_size
    assert plan.shifts[1].label == "scaling.feed_scaled-2"


def test_stored_images_are_the_suites_own_business(load: Load, refuse: Refuse) -> None:
    plan = load(HEAD + "shifts: [{suite: imagenet-c, name: pub, corruptions: [fog], stored: '${C}'}]\n")
    assert plan.shifts[1].parameters == {"stored": "${C}"}
    text = "shifts: [{suite: scaling, multiples: [2], ^stored: x}]\n"
    refuse(HEAD + text, "unknown key 'stored' (known: mode, multiples)")


def test_a_natural_shift_brings_its_own_data(load: Load) -> None:
    text = """\
dataset: {source: folder, path: val, classes: [cat, dog], limit: 5}
shifts:
  - {name: sketch, dataset: {source: folder, path: ../sketch}}
  - {name: own, dataset: {source: npz, path: x.npz, classes: 3, limit: 9}}
"""
    plan = load(HEAD + text)
    assert labels(plan) == ["clean", "sketch.natural", "own.natural"]
    sketch, own = plan.shifts[1:]
    assert (sketch.suite, sketch.shift, sketch.severity, sketch.entry) == ("natural", "natural", None, "sketch")
    assert (sketch.dataset.classes, sketch.dataset.limit) == (("cat", "dog"), None)
    assert sketch.dataset.path is not None
    assert sketch.dataset.path.text == "../sketch"
    assert (own.dataset.classes, own.dataset.limit, own.dataset.source) == (3, 9, "npz")
    assert plan.shifts[0].dataset != sketch.dataset


def test_a_natural_shift_may_map_classes_and_keep_some(load: Load) -> None:
    text = """\
dataset: {source: folder, path: val, classes: [cat, dog]}
shifts:
  - {name: a, dataset: {source: folder, path: x}, classes_map: {Kitten: cat, Hound: 1}, label_subset: imagenet-a}
  - {name: b, dataset: {source: folder, path: x}, label_subset: [4, 2]}
"""
    plan = load(HEAD + text)
    mapped, kept = plan.shifts[1:]
    assert mapped.parameters == {"classes_map": {"Kitten": "cat", "Hound": 1}, "label_subset": "imagenet-a"}
    # the folders have names of their own, which the map translates
    assert mapped.dataset.classes is None
    assert mapped.main == plan.shifts[0].dataset
    assert (kept.parameters, kept.dataset.classes) == ({"label_subset": [4, 2]}, ("cat", "dog"))


def test_a_number_of_classes_says_nothing_of_another_sets_folders(load: Load) -> None:
    text = """\
dataset: {source: folder, path: val, classes: 1000}
shifts:
  - {name: a, dataset: {source: folder, path: x}}
  - {name: b, dataset: {source: manifest, path: x, labels: y}}
"""
    folder, manifest = load(HEAD + text).shifts[1:]
    assert (folder.dataset.classes, manifest.dataset.classes) == (None, 1000)


def test_a_stored_set_lies_where_the_spec_says(load: Load) -> None:
    plan = load(HEAD + "shifts: [{suite: imagenet-c, corruptions: [fog], severities: [1], stored: ../c}]\n")
    stored = plan.shifts[1].stored
    assert stored is not None
    assert stored.resolve() == plan.path.parent / "../c"
    assert str(stored.mark) == "spec.yaml:3:75"


def test_equal_data_is_one_data_set_wherever_it_is_written(load: Load) -> None:
    text = """\
dataset: {source: npz, path: x.npz}
shifts:
  - {name: again, dataset: {source: npz, path: x.npz}}
"""
    plan = load(HEAD + text)
    assert plan.shifts[0].dataset == plan.shifts[1].dataset
    assert isinstance(plan.shifts[1].dataset, DatasetPlan)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{suite: ^imagenet_c}", "no suite 'imagenet_c', did you mean 'imagenet-c'?"),
        ("^{suit: imagenet-c}", "an entry needs `suite: NAME`, or `name:` and `dataset:` of its own; it has suit"),
        ("^imagenet-c", "an entry of `shifts` is a mapping such as {suite: NAME}, not 'imagenet-c'"),
        ("{suite: ^}", "`suite` must be text, not null"),
        ("{suite: imagenet-c, name: ^a b}", "`name` must be a name of letters"),
        ("{suite: imagenet-c, name: ^_a}", "`name` must be a name of letters"),
        ("^{suite: imagenet-c, name: clean}", "the name 'clean' is kept for the unshifted images"),
        ("{suite: imagenet-c, ^corruptons: [fog]}", "unknown key 'corruptons', did you mean 'corruptions'?"),
        ("{suite: imagenet-c, corruptions: [^fgo]}", "a value of `corruptions` cannot be 'fgo', did you mean 'fog'?"),
        ("{suite: imagenet-c, corruptions: ^fog}", "`corruptions` must be a list, not 'fog'"),
        ("{suite: imagenet-c, severities: [^1.5]}", "a value of `severities` must be a whole number, not 1.5"),
        ("{suite: imagenet-c, severities: [^true]}", "a value of `severities` must be a whole number, not true"),
        ("^{suite: imagenet-c, severities: []}", "this entry of the suite 'imagenet-c' asks for no shift at all"),
        (
            "^{suite: imagenet-c, severities: [1, 2, 1]}",
            "this entry asks for the case 'imagenet-c.gaussian_noise-1' twice",
        ),
        ("^{suite: scaling}", "the key 'multiples' is missing"),
        ("{suite: scaling, multiples: [^0]}", "a value of `multiples` must be above 0 and at most 16, not 0"),
        ("^{suite: scaling, multiples: [8], mode: feed_scaled}", "feed_scaled goes up to 4"),
        ("{suite: lp-noise, norms: ^{}}", "`norms` must not be empty"),
        ("{suite: lp-noise, norms: {^3: [1]}}", "this key must be 'inf', '2' or '0', not '3'"),
        ("{suite: lp-noise, norms: {2: [^a]}}", "a value of `2` must be a number, not 'a'"),
        ("{suite: lp-noise, norms: {2: [1]}, signed: ^yes}", "`signed` must be true or false, not 'yes'"),
        ("{suite: lp-noise, norms: {2: [1]}, ^grid: {}}", "the key 'radius' is missing"),
        (
            "{suite: lp-noise, norms: {2: [1]}, grid: {^raduis: 1, radius: 1}}",
            "unknown key 'raduis', did you mean 'radius'?",
        ),
        ("^{suite: words, words: [a b]}", "the case name 'words.word-a b' holds characters beside letters"),
        ("{suite: words, table: ^true}", "this must be 1 or 2, not true"),
        ("{suite: words, table: [2, ^true]}", "this must be 1 or 2, not true"),
        ("{name: s, ^dataset: {source: folder}}", "the key 'path' is missing, which the source folder needs"),
        ("^{dataset: {source: folder, path: x}}", "the key 'name' is missing"),
        ("{name: s, dataset: {source: npz, path: x, ^geometry: {crop: 3}}}", "unknown key 'geometry'"),
        ("{name: s, dataset: {source: npz, path: x}, ^severities: [1]}", "unknown key 'severities'"),
        ("{name: s, dataset: {source: npz, path: x}, label_subset: ^[3]}", "`label_subset`"),
        ("{name: s, dataset: {source: npz, path: x}, label_subset: ^imagenet-z}", "`label_subset`"),
        ("{name: s, dataset: {source: npz, path: x}, label_subset: [3, ^-1]}", "a value of `label_subset`"),
        ("{name: s, dataset: {source: npz, path: x}, classes_map: ^{}}", "`classes_map`"),
        ("{name: s, dataset: {source: npz, path: x}, classes_map: {a: ^1.5}}", "`a` must be"),
        ("{suite: scaling, ^dataset: {path: x}}", "an entry with a `dataset` of its own has no `suite`"),
        ("{suite: scaling, multiples: [1], name: ^}", "`name` has no value"),
    ],
)
def test_wrong_entries(entry: str, message: str, refuse: Refuse) -> None:
    refuse(f"{HEAD}shifts:\n- {entry}\n", message)


def test_two_cases_of_one_name_name_both_lines_once(refuse: Refuse) -> None:
    refuse(
        HEAD
        + "shifts:\n- {suite: imagenet-c}\n- {suite: words, words: [a]}\n- ^{suite: imagenet-c, severities: [1]}\n",
        "two cases would be called 'imagenet-c.gaussian_noise-1', from line 4 and line 6; give one entry another",
    )


def test_clashes_across_spellings(refuse: Refuse) -> None:
    text = "shifts:\n- {suite: scaling, multiples: [2]}\n- ^{name: scaling, suite: scaling, multiples: [2.0]}\n"
    refuse(HEAD + text, "two cases would be called 'scaling.down_up-2', from line 4 and line 5")


def test_a_name_is_given_to_one_entry(refuse: Refuse, load: Load) -> None:
    text = "shifts:\n- {name: x, suite: imagenet-c, corruptions: [fog]}\n- {name: ^x, suite: scaling, multiples: [2]}\n"
    refuse(HEAD + text, "the entry in line 4 is called 'x' too; give one of them another `name:`")
    unnamed = "- {suite: imagenet-c, corruptions: [fog]}\n- {suite: imagenet-c, corruptions: [snow]}\n"
    assert {shift.entry for shift in load(HEAD + "shifts:\n" + unnamed).shifts[1:]} == {"imagenet-c"}


def test_a_broken_entry_blames_no_selector(refuse: Refuse) -> None:
    text = """\
shifts:
  - {suite: imagenet-c, severities: [^6]}
  - {suite: ^imagenet-d, name: d}
thresholds:
  - {where: {suite: imagenet-c, shift: fog, severity: 3}, min_accuracy: 0.5}
  - {where: {entry: d, suite: imagenet-d}, min_accuracy: 0.5}
  - {where: {entry: ^zz}, min_accuracy: 0.5}
aggregates:
  - {mce: {suite: imagenet-c, reference: alexnet}, max: 1}
"""
    refuse(
        HEAD + text,
        "a value of `severities` must be between 1 and 5, not 6",
        "no suite 'imagenet-d', did you mean 'imagenet-c'?",
        "no entry 'zz' in this spec",
    )
