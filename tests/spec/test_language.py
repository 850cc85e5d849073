"""What the language takes and how it words what it does not take."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_robust.errors import SpecError
from pytest_robust.spec.plan import DatasetPlan, Gate, Geometry
from tests.spec.conftest import Load, Refuse

HEAD = "format: 1\nmodels: {a: {path: a.onnx}}\n"


def test_three_mistakes_come_at_once_in_the_order_of_the_file(refuse: Refuse) -> None:
    text = """\
format: 1
dataset:
  source: folder
  path: images
  ^limt: 5000
models:
  net: {path: net.onnx, preprocess: {size: 224, channels: ^rbg}}
shifts:
  - {suite: imagenet-c, severities: [1, ^6]}
thresholds:
  - {where: {model: ^nat}, min_accuracy: 0.5}
"""
    refuse(
        text,
        "unknown key 'limt', did you mean 'limit'?",
        "`channels` must be 'rgb' or 'bgr', not 'rbg', did you mean 'rgb'?",
        "a value of `severities` must be between 1 and 5, not 6",
        "no model 'nat' in this spec, did you mean 'net'?",
    )


def test_a_problem_prints_as_file_line_and_column(load: Load) -> None:
    with pytest.raises(SpecError) as caught:
        load(HEAD + "seed: x\ngolde: y\n", display="specs/x.yaml")
    assert str(caught.value).splitlines() == [
        "specs/x.yaml:3:7: `seed` must be a whole number, not 'x'",
        "specs/x.yaml:4:1: unknown key 'golde', did you mean 'golden'?",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("^sed: 3", "unknown key 'sed', did you mean 'seed'?"),
        ("seed: ^true", "`seed` must be a whole number, not true"),
        ("seed: ^1.0", "`seed` must be a whole number, not 1.0"),
        ("seed: ^'1'", "`seed` must be a whole number, not '1'"),
        ("seed: ^-1", "`seed` must be between 0 and 9223372036854775807, not -1"),
        ("gate: {alpha: ^0}", "`alpha` must be above 0 and at most 0.5, not 0"),
        ("gate: {alpha: ^true}", "`alpha` must be a number, not true"),
        ("gate: {require: ^prove}", "`require` must be 'proven', not 'prove', did you mean 'proven'?"),
        ("gate: {require: ^false}", "`require` must be 'proven', not false"),
        ("gate: ^0.01", "this must be a mapping, not 0.01"),
        ("gate:^", "this must be a mapping, not null"),
        ("golden:^", "`golden` has no value; give one or remove the key"),
        ("golden: ^[a]", "`golden` must be text or a mapping, not a list"),
        ("golden: ^''", "`golden` must not be empty"),
        ("^golden: {anchor: v1}", "the key 'path' is missing"),
        ("golden: {path: g, ^ancor: v1}", "unknown key 'ancor', did you mean 'anchor'?"),
        ("golden: {path: g, anchor: ^a/b}", "`anchor` must be a name of letters, digits, '.', '_' and '-'"),
        ("golden: ^${HOME}/golden", "the golden folder is a plain path"),
        ("thresholds: ^{min_accuracy: 0.5}", "`thresholds` must be a list, not a mapping; begin each row with `- `"),
        ("thresholds:^", "`thresholds` must be a list, not null"),
        ("profiles: ^[quick]", "`profiles` must be a mapping of names, not a list"),
        ("profiles: {^_q: {}}", "the profile '_q' needs a name of letters, digits, '.', '_' and '-'"),
        ("profiles: {q: {limit: ^0}}", "`limit` must be between 1 and 1000000000, not 0"),
        ("waivers: [^{until: 2030-01-01, owner: me, reason: why}]", "the key 'where' is missing"),
    ],
)
def test_one_wrong_section(line: str, message: str, refuse: Refuse) -> None:
    refuse(f"{HEAD}{line}\n", message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("^models: {a: {path: a}}", "the key 'format' is missing"),
        ("format: ^2\nmodels: [new, grammar]", "format 2 is newer than this pytest-robust, which reads format 1"),
        ("format: ^0\nmodels: {a: {path: a}}", "`format` must be 1, not 0"),
        ("format: ^true\nmodels: {a: {path: a}}", "this must be 1, not true"),
        ("format: ^'1'\nmodels: {a: {path: a}}", "`format` must be 1, not '1'"),
        ("^format: 1", "the key 'models' is missing"),
        ("format: 1\nmodels: ^{}", "`models` is empty"),
        ("format: 1\nmodels:^", "`models` must be a mapping of names, not null"),
        ("format: 1\nmodels: ^[a]", "`models` must be a mapping of names, not a list"),
    ],
)
def test_the_frame_of_a_spec(text: str, message: str, refuse: Refuse) -> None:
    refuse(text, message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dataset: {source: ^floder, path: x}", "`source` cannot be 'floder', did you mean 'folder'?"),
        ("^dataset: {source: folder}", "the key 'path' is missing, which the source folder needs"),
        ("^dataset: {source: manifest, path: x}", "the key 'labels' is missing, which the source manifest needs"),
        ("dataset: {source: folder, path: x, ^labels: y}", "`labels` belongs to the source manifest, not to folder"),
        ("dataset: {source: folder, path: x, ^arrays: {}}", "`arrays` belongs to the source npz, not to folder"),
        ("dataset: {source: npz, path: x, ^split: test}", "`split` belongs to the source digits, not to npz"),
        (
            "dataset: {source: digits, ^classes: 10}",
            "`classes` belongs to the source folder, manifest, npz, cutouts, not",
        ),
        (
            "dataset: {^path: x}",
            "`path` belongs to the source folder, manifest, npz, cutouts, not to digits, the source",
        ),
        ("dataset: {source: npz, path: x, ^classes: [a, b, a]}", "the class 'a' is listed twice"),
        ("dataset: {source: npz, path: x, classes: [a, ^2]}", "a value of `classes` must be text, not 2; put quotes"),
        ("dataset: {source: npz, path: x, classes: ^many}", "`classes` must be a list or a whole number, not 'many'"),
        ("dataset: {source: npz, path: x, classes: ^[]}", "`classes` must not be empty"),
        ("dataset: {source: npz, path: x, classes: ^0}", "`classes` must be between 1 and 1000000000, not 0"),
        ("dataset: {source: npz, path: ^'${A'}", "an environment variable in a path is written ${NAME}"),
        ("dataset: {source: npz, path: ^'${A-B}'}", "an environment variable in a path is written ${NAME}"),
        ('dataset: {source: npz, path: ^"a\\0"}', "a path cannot hold a NUL character"),
        ("dataset: {limit: ^0}", "`limit` must be between 1 and 1000000000, not 0"),
        ("dataset: {geometry: {crop: ^0}}", "`crop` must be between 1 and 16384, not 0"),
        ("dataset: {geometry: {crop: ^1.5}}", "`crop` must be a whole number, not 1.5"),
        ("dataset: ^folder", "this must be a mapping, not 'folder'"),
    ],
)
def test_wrong_data_sets(text: str, message: str, refuse: Refuse) -> None:
    refuse(f"{HEAD}{text}\n", message)


def test_a_dataset_has_all_its_keys(load: Load) -> None:
    text = (
        "seed: 7\ndataset: {source: npz, path: '${DATA}/x.npz', arrays: {y: labels}, classes: [cat, dog], limit: 10,"
        " geometry: {resize: 64}}\n"
    )
    plan = load(HEAD + text)
    dataset = plan.shifts[0].dataset
    assert (dataset.source, dataset.arrays, dataset.classes, dataset.limit) == (
        "npz",
        ("x", "labels"),
        ("cat", "dog"),
        10,
    )
    assert (dataset.seed, plan.seed) == (7, 7)
    assert dataset.path is not None
    assert dataset.path.text == "${DATA}/x.npz"
    assert (dataset.path.base, str(dataset.path.mark)) == (plan.path.parent, "spec.yaml:4:30")
    assert plan.models[0].geometry == Geometry(resize=64)


def test_variables_resolve_when_asked_and_not_before(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROBUST_DATA", raising=False)
    plan = load(f"{HEAD}dataset: {{source: folder, path: '${{ROBUST_DATA}}/val'}}\n")
    monkeypatch.setenv("ROBUST_DATA", "/data")
    path = plan.shifts[0].dataset.path
    assert path is not None
    assert str(path.resolve()) == "/data/val"


def test_defaults(load: Load) -> None:
    plan = load(HEAD)
    assert [cell.id for cell in plan.cells] == ["a::clean"]
    assert plan.shifts[0].dataset == DatasetPlan("digits", plan.shifts[0].dataset.mark)
    assert plan.models[0].geometry == Geometry()
    assert (plan.seed, plan.gate, plan.golden, plan.anchor) == (0, Gate(), None, None)


def test_gate_and_golden(load: Load) -> None:
    gate = "gate: {alpha: 0.05, inconclusive: fail, require: proven, golden_device: any}\n"
    plan = load(f"{HEAD}{gate}golden: {{path: ../golden/x, anchor: release-2.3}}\n")
    assert plan.gate == Gate(0.05, "fail", "proven", "any")
    assert plan.golden == plan.path.parent / "../golden/x"
    assert plan.anchor == "release-2.3"
    assert load(f"{HEAD}golden: g\n").golden == plan.path.parent / "g"


def test_the_command_lines_golden_wins(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    plan = load(f"{HEAD}golden: {{path: g, anchor: v1}}\n", golden=Path("other"))
    assert (plan.golden, plan.anchor) == (Path("/other"), "v1")


@pytest.mark.parametrize(
    ("file", "name"),
    [("resnet.yaml", "resnet"), ("resnet.robust.yaml", "resnet"), ("v2.3.yml", "v2.3"), ("plain", "plain")],
)
def test_the_plans_name_is_the_files(file: str, name: str, load: Load) -> None:
    assert load(HEAD, file=file).name == name


def test_display_names_the_file_in_every_mark(load: Load) -> None:
    plan = load(HEAD, display="specs/x.yaml")
    assert str(plan.models[0].mark) == "specs/x.yaml:2:10"
