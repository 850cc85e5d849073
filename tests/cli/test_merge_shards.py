"""`--robust-shard` and `merge`: three machines find what one would have found, on real digits and every aggregate."""

import json
import shutil
import typing
from pathlib import Path

import jsonschema
import pytest

from pytest_robust.cli import main
from pytest_robust.report.schema import report_schema
from pytest_robust.spec.plan import AggregateKind
from tests.cli.conftest import CI_VARIABLES
from tests.cli.test_merge import Command, stable
from tests.folder import Folder

MODELS = Path(__file__).parents[2] / "specs"
DIGITS = """\
format: 1
seed: 0
scores: true
dataset: {source: digits, limit: 60, geometry: {resize: 32}}
models:
  net: {path: ../resnet.onnx, preprocess: &p {mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}}
  worse: {path: ../resnet_worse.onnx, preprocess: *p}
shifts:
  - {suite: imagenet-c, corruptions: [gaussian_noise, contrast], severities: [1, 5], table: 224}
  - {suite: scaling, mode: down_up, multiples: [0.25, 0.5, 2]}
  - {suite: si-score, factors: {size: [0.4, 0.6], rotation: [1]}}
  - {suite: fourier, amplitude_swap: [1], phase_swap: [1]}
  - {suite: lp-noise, norms: {inf: [0.01, 0.03, 0.1]}}
  - {name: fgsm, suite: adversarial, attack: fgsm, source: each}
  - {suite: fingerprint, path: ../fp.npz}
thresholds:
  - {min_accuracy: 0.01}
  - {where: {suite: scaling}, max_drop: 0.95}
  - {where: {suite: imagenet-c}, max_regression: 0.02, max_negative_flips: 0.05}
aggregates:
  - {mce: {suite: imagenet-c, reference: worse}, max: 9, max_regression: 0.05}
  - {mean_error: {entry: [imagenet-c, scaling]}, max: 1, max_regression: 0.05}
  - {ice: {suite: lp-noise}, max: 99}
  - {group_means: {entry: si-score}, min: 0, max_regression: 0.05}
  - {trend: {suite: lp-noise, shift: linf}, min_spearman: -1}
  - {monotone: {suite: scaling, mode: down_up, allowance: 0.9}}
  - {worst_class: {suite: scaling}, min: 0}
  - {phase_reliance: {suite: fourier}, min: -1, max_regression: 0.05}
  - {scores: {metric: ece, suite: scaling}, max: 1}
  - {scores: {metric: nll, suite: clean}, max: 1000}
  - {compare: {model: net, against: worse, suite: imagenet-c}, min_gain: -1}
  - {error_reduction: {model: net, against: worse, suite: scaling}, min: -1, max_regression: 0.05}
  - {transfer: {entry: fgsm}, max: 1}
  - {pareto: {entry: fgsm, norm: l2}}
  - {clever: {samples: 3, batches: 2, points: 2, model: net}, min_clever: 0.0001}
  - {uniqueness: {copies: net, unrelated: worse}, min: -1}
golden: ../golden
"""
TWO_SHIFTS = """\
format: 1
dataset: {source: digits, limit: 60}
models:
  net: {path: ../resnet.onnx, preprocess: &p {mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}}
  worse: {path: ../resnet_worse.onnx, preprocess: *p}
shifts: [{suite: imagenet-c, corruptions: [contrast], severities: [1]}]
thresholds: [{min_accuracy: 0.01}]
aggregates: [{compare: {model: net, against: worse, suite: imagenet-c}, min_gain: -1}]
"""
SHARDS = [f"shard-{index}.json" for index in (1, 2, 3)]


def run_shards(folder: Folder, *options: str, count: int = 3) -> list[str]:
    """Run every shard as a machine of its own would; the reports' names."""
    names = [f"shard-{index}.json" for index in range(1, count + 1)]
    for index, name in enumerate(names, 1):
        run = folder.report(name, f"--robust-shard={index}/{count}", *options)
        assert run.code == 0, run.text
    return names


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A gate with goldens, run whole (whole.json) and in three shards, where the candidate differs a little."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (*CI_VARIABLES, "GITHUB_STEP_SUMMARY"):
            patch.delenv(name, raising=False)
        folder = Folder(tmp_path_factory.mktemp("digits"))
        for name in ("resnet.onnx", "resnet_worse.onnx"):
            shutil.copy(MODELS / name, folder.path)
        made = ("--out", str(folder.path / "fp.npz"), "--kind", "vanilla", "--count", "12", "--size", "32")
        assert main(("fingerprint", str(folder.path / "resnet.onnx"), *made, "--mean", "0.5", "--std", "0.5")) == 0
        folder.spec(DIGITS)
        run = folder.run("--robust-update")
        assert run.code == 0, run.text
        assert folder.report("whole.json").code == 0
        run_shards(folder)
    return folder


@pytest.fixture
def shards(digits: Folder, tmp_path: Path) -> Folder:
    return digits.copy(tmp_path)


def test_three_shards_are_one_run(command: Command, shards: Folder) -> None:
    for name in SHARDS:
        assert shards.json(name)["run"]["complete"] is True
    code, out, err = command(shards.path, "merge", *reversed(SHARDS), "--out", "report.json", "--out", "report.md")
    assert (code, err) == (0, ""), out
    merged, whole = shards.json("report.json"), shards.json("whole.json")
    assert merged["run"]["shard"] is None
    assert {found["kind"] for found in whole["aggregates"]} == set(typing.get_args(AggregateKind))
    assert stable(merged) == stable(whole)
    jsonschema.validate(merged, report_schema())
    assert (shards.path / "report.md").read_text().startswith("## Robustness: passed\n\n|")


def test_workers_in_each_shard_change_nothing(command: Command, shards: Folder) -> None:
    run_shards(shards, "-n2")
    assert command(shards.path, "merge", *SHARDS, "--out", "report.json")[0] == 0
    assert stable(shards.json("report.json")) == stable(shards.json("whole.json"))


def test_a_merged_report_becomes_the_golden_that_a_whole_one_would(command: Command, shards: Folder) -> None:
    assert command(shards.path, "merge", *SHARDS, "--out", "report.json")[0] == 0
    goldens = []
    for name in ("whole.json", "report.json"):
        shutil.rmtree(shards.path / "golden")
        code, out, err = command(shards.path, "accept", name, "--reason", "first")
        assert (code, err) == (0, ""), out
        assert shards.run().code == 0
        goldens.append(shards.files())
    assert goldens[0] == goldens[1]
    assert sum(name.endswith(".npz") for name in goldens[0]) == 2


def test_more_shards_than_shifts(command: Command, shards: Folder) -> None:
    """Also under a candidate, whose file an empty shard has never seen."""
    shards.spec(TWO_SHIFTS)
    names = run_shards(shards, "--robust-model=net=resnet_worse.onnx", count=4)
    assert [len(shards.json(name)["cells"]) for name in names] == [2, 2, 0, 0]
    for order in (names, names[::-1]):
        code, out, err = command(shards.path, "merge", *order, "--out", "report.json")
        assert (code, err) == (0, ""), out
        assert out.splitlines()[-1] == "4 reports, 4 cells, 1 aggregate merged"
        assert shards.json("report.json")["run"]["complete"] is True


def test_a_missing_shard_is_named_with_its_cells(command: Command, shards: Folder) -> None:
    code, out, err = command(shards.path, "merge", SHARDS[0], SHARDS[2], "--out", "report.json")
    assert (code, out) == (1, "")
    assert "not merged: 12 of 63 were not measured: specs/small.yaml::net::imagenet-c.gaussian_noise-1, " in err
    assert err.endswith("; there is no report of shard 2/3\n")
    assert not (shards.path / "report.json").exists()


def test_a_cell_that_a_shard_lacks_is_named(command: Command, shards: Folder) -> None:
    shards.report("shard-2.json", "--robust-shard=2/3", "-k", "not gaussian")
    code, _, err = command(shards.path, "merge", *SHARDS, "--out", "report.json")
    assert code == 1
    names = [f"specs/small.yaml::{model}::imagenet-c.gaussian_noise-1" for model in ("net", "worse")]
    assert f"not merged: 2 of 63 were not measured: {', '.join(names)}\n" in err


def test_shards_of_different_divisions_are_not_one_run(command: Command, shards: Folder) -> None:
    shards.report("shard-2.json", "--robust-shard=2/4")
    code, _, err = command(shards.path, "merge", *SHARDS, "--out", "report.json")
    assert code == 1
    assert err == (
        "not merged: the shards are of different divisions: shard-3.json is shard 3/3 and shard-2.json is shard 2/4\n"
    )


@pytest.mark.parametrize(("library", "refused"), [("numpy", True), ("onnxruntime", True), ("python", False)])
def test_libraries_that_could_change_a_result_must_be_the_same(
    command: Command, shards: Folder, library: str, refused: bool
) -> None:
    report = shards.json("shard-2.json")
    ours = report["run"]["versions"][library]
    report["run"]["versions"][library] = "0.1"
    (shards.path / "shard-2.json").write_text(json.dumps(report))
    code, _, err = command(shards.path, "merge", *SHARDS, "--out", "report.json")
    assert code == int(refused)
    assert (f"shard-2.json were measured with different versions of {library}: {ours} and 0.1; " in err) == refused


def test_another_model_file_in_one_shard_is_refused(command: Command, shards: Folder) -> None:
    shutil.copy(shards.path / "resnet_worse.onnx", shards.path / "resnet.onnx")
    shards.report("shard-2.json", "--robust-shard=2/3")
    code, _, err = command(shards.path, "merge", *SHARDS, "--out", "report.json")
    assert code == 1
    assert "the cells of specs/small.yaml::net come from 2 model files" in err
