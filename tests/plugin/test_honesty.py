"""A gate must never pass without having measured what it claims, nor lose what it was given to keep."""

import json
import os
import shlex
from pathlib import Path

import pytest

from pytest_robust.patterns import matches
from tests.onnx_models import BRIGHTEST, classifier
from tests.plugin.project import LABELS, NET, Project

DYING = """
import os

from pytest_robust.models import Model

predict = Model.predict

def dying(self, canvases, *args, **kwargs):
    if os.environ.get("PYTEST_XDIST_WORKER") and canvases.mean() > LEVEL:
        os._exit(9)
    return predict(self, canvases, *args, **kwargs)

Model.predict = dying
"""


@pytest.mark.parametrize("workers", [["-n2"], ["-n1"], ["-n2", "--dist=loadscope"]])
def test_a_case_whose_worker_died_and_that_nobody_can_run_again_has_failed(
    project: Project, workers: list[str]
) -> None:
    project.edit("  - {max_regression: 0.02, max_negative_flips: 0.05}\n", "")
    project.pytester.makeconftest(DYING.replace("LEVEL", "0"))
    run = project.run(*workers, "--max-worker-restart=0", "-k", "clean", process=True)
    assert run.code == 1
    assert run.outcomes.get("failed") == 1
    assert run.has("no worker was left to run it again")


def test_a_waiver_does_not_excuse_what_was_never_measured(project: Project) -> None:
    waiver = "{where: {model: net}, until: 2999-12-31, owner: ann, reason: retraining}"
    project.edit("golden: ../golden", f"golden: ../golden\nwaivers:\n  - {waiver}")
    (project.path / "net.onnx").unlink()
    assert project.run("-k", "clean").outcomes["failed"] == 1


def test_too_many_flips_need_a_reason_even_where_the_accuracy_rose(project: Project) -> None:
    project.edit("max_negative_flips: 0.05", "max_negative_flips: 0.001")
    project.model("net", bias=14)
    project.record()
    weights = BRIGHTEST.copy()
    classifier(project.path / "net.onnx", weights, bias=[0, 5 / 255, 0])
    judged = project.run("-k", "clean")
    assert judged.outcomes["failed"] == 1
    assert "TOO_MANY_FLIPS" in judged.text
    before = project.files()
    refused = project.run("--robust-update")
    assert refused.code == 1
    assert refused.has("say why with --robust-reason")
    assert project.files() == before
    assert project.run("--robust-update", "--robust-reason=balanced").code == 0


def test_a_cell_that_could_not_be_measured_stops_its_models_update(project: Project) -> None:
    project.record()
    before = project.files()
    scores = [-0.62, -0.62, -0.62]  # below the darkest channel mean of all but one shift
    classifier(project.path / "net.onnx", BRIGHTEST, bias=scores, root_of_score=True)
    run = project.run("--robust-update", "--robust-reason=new", "--robust-report=out.json")
    assert run.code == 1
    assert run.has(r"^Golden of net not updated: \d cells? could not be measured \(")
    assert project.files() == before
    verdicts = {cell["verdict"] for cell in json.loads((project.path / "out.json").read_text())["cells"]}
    assert "UPDATED" not in verdicts


def test_a_refused_update_is_not_reported_as_done(project: Project) -> None:
    project.record()
    project.model("net", bias=0.5)
    run = project.run("--robust-update", "-k", "clean", "--robust-report=out.json")
    assert run.code == 1
    cell = json.loads((project.path / "out.json").read_text())["cells"][0]
    assert cell["verdict"] != "UPDATED"
    assert not run.has("UPDATED")


PROFILES = "profiles:\n  quick: {limit: 30, severities: [1]}\n  part: {severities: [1], level: warn}\n"


@pytest.fixture
def profiles(project: Project) -> Project:
    """A project with goldens, and two profiles: one of other samples, one of fewer cells."""
    project.record()
    project.spec((project.path / "specs/small.yaml").read_text() + PROFILES)
    return project


def test_a_profile_of_other_samples_updates_nothing_and_says_what_does(profiles: Project) -> None:
    before = profiles.files()
    run = profiles.run("--robust-profile=quick", "--robust-update", "--robust-reason=x", "--robust-report=out.json")
    assert run.code == 1
    assert run.has(r"^Goldens of specs/small\.yaml not updated: the profile quick chose other samples than the goldens")
    assert profiles.files() == before
    cells = json.loads((profiles.path / "out.json").read_text())["cells"]
    assert {cell["verdict"] for cell in cells} == {"NO_GOLDEN"}
    assert run.has(r"^  accept    not from here: the profile quick chose other samples")
    command = run.line("record anew with: ").partition("pytest ")[2]
    assert "--robust-profile=quick --robust-golden=golden-quick" in command
    assert profiles.run(*shlex.split(command), spec=False).code == 0
    assert profiles.run("--robust-profile=quick", "--robust-golden=golden-quick").code == 0
    assert profiles.files() == before


def test_a_profile_of_fewer_cells_updates_those_and_leaves_the_rest_byte_identical(profiles: Project) -> None:
    profiles.edit("contrast], severities: [1, 3]", "contrast, brightness], severities: [1, 3]")
    before = (profiles.path / "golden/net.json").read_text().splitlines()
    assert profiles.run("--robust-profile=part", "--robust-update").code == 0
    after = (profiles.path / "golden/net.json").read_text().splitlines()
    assert [line.split('"')[1] for line in after if line not in before] == ["digest", "imagenet-c.brightness-1"]
    profiles.model("net", bias=12)
    refused = profiles.run("--robust-profile=part", "--robust-update", "--robust-reason=another")
    assert refused.code == 1
    assert refused.has(r"needs every cell of the model: 5 of 9 were not measured")


def test_pruning_under_a_profile_goes_by_the_whole_spec(profiles: Project) -> None:
    before = profiles.files()
    run = profiles.run("--robust-profile=part", "--robust-prune")
    assert run.code == 0
    assert not run.has("unused")
    assert profiles.files() == before
    profiles.edit("corruptions: [gaussian_noise, contrast]", "corruptions: [contrast]")
    assert profiles.run("--robust-profile=part").has(r"^2 goldens of net unused")
    assert profiles.run("--robust-profile=part", "--robust-prune").has(r"^2 unused goldens of net removed")
    assert sorted(profiles.golden()["recordings"]["cpu"]["cells"]) == sorted(
        label for label in LABELS if "noise" not in label
    )


def test_goldens_of_a_folder_named_for_a_profile_are_never_swept(profiles: Project) -> None:
    folder = "--robust-golden=elsewhere"
    assert profiles.run(folder, "--robust-update").code == 0
    run = profiles.run(folder, "--robust-profile=part", "--robust-prune")
    assert run.code == 0
    assert not run.has("unused")
    assert profiles.run(folder).outcomes == {"passed": len(NET)}


def test_a_prune_that_is_refused_says_so_and_fails(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.record()
    project.edit("corruptions: [gaussian_noise, contrast]", "corruptions: [contrast]")
    before = project.files()
    monkeypatch.setenv("CI", "true")
    run = project.run("--robust-prune")
    assert run.code == 1
    assert run.has(r"^Goldens not pruned: goldens are not written in CI")
    assert project.files() == before


def test_the_golden_of_a_model_that_is_gone_is_found_and_pruned(project: Project) -> None:
    project.record()
    project.edit("  net: {path: ../net.onnx}", "  renamed: {path: ../net.onnx}")
    run = project.run("--robust-update")
    assert run.has(r"^7 goldens of net unused")
    assert project.run("--robust-prune").has(r"^7 unused goldens of net removed")
    assert sorted(path.name for path in (project.path / "golden").glob("*.json")) == ["renamed.json"]


def test_specs_of_one_name_never_share_goldens(project: Project) -> None:
    project.record()
    before = project.files()
    project.spec((project.path / "specs/small.yaml").read_text(), "other/small.yaml")
    run = project.run("--robust-spec=other/small.yaml", "--robust-update", "--robust-prune", "-k", "clean", spec=False)
    assert run.code == 1
    assert run.has(r"belongs to the spec '\.\./specs/small\.yaml', not to '\.\./other/small\.yaml'")
    assert project.files() == before


def test_an_old_report_is_never_taken_for_that_of_a_run_that_measured_nothing(project: Project) -> None:
    project.record()
    project.run("--robust-report=out.json")
    assert json.loads((project.path / "out.json").read_text())["run"]["complete"] is True
    project.edit("format: 1", "format: 1\nfromat: 1")
    assert project.run("--robust-report=out.json").code == 2
    report = json.loads((project.path / "out.json").read_text())
    assert report["cells"] == []
    assert report["run"]["complete"] is False


def test_a_report_never_replaces_the_data(project: Project) -> None:
    project.record()
    before = (project.path / "data.npz").read_bytes()
    run = project.run("--robust-report=data.json", process=True)
    assert run.code == 4
    assert run.has(r"would replace .*data\.npz, which is no report's; choose another name")
    assert (project.path / "data.npz").read_bytes() == before


def test_specs_outside_the_root_folder_keep_ids_of_their_own(project: Project) -> None:
    project.edit("  - {max_regression: 0.02, max_negative_flips: 0.05}\n", "")
    project.spec((project.path / "specs/small.yaml").read_text(), "specs/two.yaml")
    elsewhere = project.path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "pytest.ini").write_text("[pytest]\n")
    named = ["--robust-spec=../specs/small.yaml", "--robust-spec=../specs/two.yaml"]
    os.chdir(elsewhere)
    run = project.run(*named, "-k", "clean", "--collect-only", "-q", spec=False)
    assert run.collected == ["../specs/small.yaml::net::clean", "../specs/two.yaml::net::clean"]
    assert project.run(*named, "-k", "clean", spec=False).outcomes["passed"] == 2


def test_a_named_spec_may_have_any_suffix_and_a_space_in_its_path(project: Project) -> None:
    project.spec((project.path / "specs/small.yaml").read_text(), "sp ec/small.spec")
    run = project.run("--robust-spec=sp ec/small.spec", "--collect-only", "-q", spec=False)
    assert len(run.result.outlines) >= len(LABELS)
    failing = project.run("--robust-spec=sp ec/small.spec", spec=False)
    assert failing.line("record with:").endswith("pytest '--robust-spec=sp ec/small.spec' --robust-update-new")


def test_a_huge_batch_is_no_larger_than_the_data(project: Project) -> None:
    project.record()
    assert project.run("--robust-batch-size=10000000000").outcomes == {"passed": len(NET)}


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("a.robust.yaml", "*.robust.yaml", True),
        ("deep/er/a.robust.yaml", "*.robust.yaml", True),
        ("a.yaml", "*.robust.yaml", False),
        ("gates/a.yaml", "gates/*.yaml", True),
        ("gates/b/a.yaml", "gates/*.yaml", False),
        ("tests/gates/a.yaml", "gates/*.yaml", False),
        ("gates/a.yaml", "gates/**/*.yaml", True),
        ("gates/b/c/a.yaml", "gates/**/*.yaml", True),
        ("gates/a.yaml", "./gates/?.yaml", True),
        ("gates/ab.yaml", "gates/?.yaml", False),
        ("gates/a.yaml", "gates/[ab].yaml", True),
        ("gates/c.yaml", "gates/[ab].yaml", False),
        ("gates/a.yaml", "**/a.yaml", True),
        ("a.yaml", "**/a.yaml", True),
    ],
)
def test_patterns_of_the_ini_file(path: str, pattern: str, expected: bool) -> None:
    assert matches(Path("/project") / path, pattern, Path("/project")) is expected
    assert "/" not in pattern or not matches(Path("/elsewhere") / path, pattern, Path("/project"))
