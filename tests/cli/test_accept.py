"""`pytest-robust accept`: what CI measured becomes the golden, or nothing is written and the reason is said."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.folder import Folder
from tests.plugin.project import LABELS, NET

Command = Callable[..., tuple[int, str, str]]
REASON = ("--reason", "half the size, ticket 12")


def golden_files(project: Folder) -> dict[str, bytes]:
    return {name: content for name, content in project.files().items() if not name.startswith(".")}


def test_what_ci_measured_becomes_the_golden_of_a_checkout_elsewhere(
    command: Command, recorded: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, mine = recorded.copy(tmp_path / "server"), recorded.copy(tmp_path / "mine")
    monkeypatch.setenv("CI", "true")
    run = server.report("report.json", "--robust-update", "--robust-reason=no")
    assert run.code == 1
    assert "pytest-robust accept report.json" in run.line("Goldens not updated")
    assert golden_files(server) == golden_files(recorded)
    monkeypatch.delenv("CI")
    for name in ("report.json", "report.npz"):
        shutil.move(server.path / name, mine.path / name)
    shutil.rmtree(server.path)
    code, out, err = command(mine.path / "specs", "accept", "../report.json", *REASON)
    assert (code, err) == (0, "")
    assert "  ~ net::clean   100.00 -> " in out
    assert "review with git diff" in out
    recording = mine.golden()["recordings"]["cpu"]
    assert recording["reason"] == "half the size, ticket 12"
    assert sorted(recording["cells"]) == sorted(LABELS)
    assert mine.run().outcomes == {"passed": len(NET)}
    again = command(mine.path, "accept", "report.json", *REASON)
    assert again[0] == 0
    assert "Golden of net is up to date: 7 cells unchanged" in again[1]


def edited(change: Callable[[dict[str, Any]], object]) -> Callable[[Folder], None]:
    def apply(project: Folder) -> None:
        report = project.json("worse.json")
        change(report)
        (project.path / "worse.json").write_text(json.dumps(report))

    return apply


def partial(project: Folder) -> None:
    project.report("worse.json", "-k", "contrast")


def smoke(project: Folder) -> None:
    project.report("worse.json", "--robust-limit=20")


def candidate(project: Folder) -> None:
    project.model("other", bias=3)
    project.report("worse.json", "--robust-model=net=other.onnx")


def stopped(project: Folder) -> None:
    assert project.report("worse.json", "-x").code == 1


def broken(project: Folder) -> None:
    (project.path / "net.onnx").write_bytes(b"")
    project.report("worse.json")


def other_spec(project: Folder) -> None:
    project.edit("min_accuracy: 0.5", "min_accuracy: 0.4")


@pytest.mark.parametrize(
    ("make", "code", "sentence"),
    [
        (partial, 1, "the update needs every cell of the model: 5 of 7 were not measured"),
        (smoke, 1, "it was a smoke run"),
        (candidate, 1, "net was a candidate ("),
        (stopped, 1, "the run was stopped early"),
        (broken, 1, "7 cells of net ended in ERROR (specs/small.yaml::net::clean, "),
        (other_spec, 2, "is not the spec that was run (its sha256 differs)"),
        (lambda project: shutil.rmtree(project.path / "specs"), 2, "run this in a checkout of the commit"),
        (lambda project: (project.path / "worse.npz").write_bytes(b"x"), 2, "worse.npz are not of one run"),
        (edited(lambda report: report.update(format=2)), 2, "has format 2"),
        (edited(lambda report: report["run"].pop("specs")), 2, "is not as pytest-robust writes a report"),
    ],
)
def test_refusals_leave_the_golden_alone(
    command: Command, project: Folder, make: Callable[[Folder], None], code: int, sentence: str
) -> None:
    before = golden_files(project)
    make(project)
    found, out, err = command(project.path, "accept", "worse.json", *REASON)
    assert (found, out) == (code, ""), err
    assert sentence in err
    assert err.count("\n") == 1
    assert golden_files(project) == before


def test_it_is_refused_in_ci(command: Command, project: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITLAB_CI", "true")
    code, _, err = command(project.path, "accept", "worse.json", *REASON)
    assert code == 1
    assert err.startswith("not accepted: goldens are not written in CI (GITLAB_CI is set)")


def test_a_reason_is_demanded(command: Command, project: Folder) -> None:
    with pytest.raises(SystemExit) as stopped:
        command(project.path, "accept", "worse.json")
    assert stopped.value.code == 2
    assert command(project.path, "accept", "worse.json", "--reason", " ")[0] == 2


def test_models_can_be_chosen_and_one_refusal_keeps_all_unwritten(command: Command, project: Folder) -> None:
    project.edit("  net: {path: ../net.onnx}", "  net: {path: ../net.onnx}\n  weak: {like: net, path: ../weak.onnx}")
    project.report("two.json")  # weak.onnx is not there
    before = golden_files(project)
    code, _, err = command(project.path, "accept", "two.json", *REASON)
    assert code == 1
    assert "7 cells of weak ended in ERROR" in err
    assert golden_files(project) == before
    code, _, err = command(project.path, "accept", "two.json", *REASON, "--model", "nett")
    assert code == 2
    assert "has no model 'nett', did you mean 'net'" in err or "did you mean 'net'" in err
    code, out, _ = command(project.path, "accept", "two.json", *REASON, "--model", "net")
    assert code == 0
    assert "Golden of net updated" in out
    assert golden_files(project) != before


def with_profiles(project: Folder) -> None:
    text = (project.path / "specs/small.yaml").read_text()
    project.spec(text + "profiles:\n  part: {severities: [1]}\n  few: {limit: 50}\n")


def test_a_part_of_a_new_model_is_no_golden_of_it(command: Command, project: Folder) -> None:
    with_profiles(project)
    before = golden_files(project)
    project.report("part.json", "--robust-profile=part")
    assert project.json("part.json")["run"]["complete"] is True
    code, _, err = command(project.path, "accept", "part.json", *REASON)
    assert code == 1
    assert "needs every cell of the model: 4 of 7 were not measured" in err
    assert golden_files(project) == before


def test_a_profile_on_fewer_samples_needs_goldens_of_its_own(command: Command, project: Folder) -> None:
    with_profiles(project)
    before = golden_files(project)
    project.report("few.json", "--robust-profile=few")
    code, _, err = command(project.path, "accept", "few.json", *REASON)
    assert code == 1
    assert "the profile few chose other samples than the goldens of specs/small.yaml hold" in err
    assert golden_files(project) == before
    few = ("--robust-profile=few", "--robust-golden=golden-few")
    project.report("few.json", *few)
    assert command(project.path, "accept", "few.json", *REASON)[0] == 0
    assert golden_files(project) == before
    assert project.run(*few).code == 0


def test_a_profile_that_only_judges_otherwise_measures_the_golden_like_any_run(
    command: Command, project: Folder
) -> None:
    text = (project.path / "specs/small.yaml").read_text()
    project.spec(text + "profiles:\n  release: {gate: {inconclusive: fail}}\n")
    project.report("release.json", "--robust-profile=release")
    assert command(project.path, "accept", "release.json", *REASON)[0] == 0
    assert project.run("--robust-profile=release").code == 0


def test_a_cell_below_its_floor_is_said_to_stay_so(command: Command, project: Folder) -> None:
    project.edit("min_accuracy: 0.5", "min_accuracy: 0.99")
    project.report("worse.json")
    code, out, _ = command(project.path, "accept", "worse.json", *REASON)
    assert code == 0
    assert "cells stay below a floor, which no golden changes: specs/small.yaml::net::clean" in out


def test_another_golden_folder_can_be_named(command: Command, project: Folder) -> None:
    before = golden_files(project)
    assert command(project.path, "accept", "worse.json", *REASON, "--golden", "elsewhere")[0] == 0
    assert (project.path / "elsewhere" / "net.json").is_file()
    assert golden_files(project) == before
