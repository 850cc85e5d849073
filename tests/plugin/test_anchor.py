"""A frozen release golden: what a run says where it is missing, and that it sends nobody to an update."""

import re
import subprocess

import pytest

from tests.plugin.project import NET, Project


@pytest.fixture
def anchored(project: Project) -> Project:
    """Recorded goldens, and a row that also asks for a release that was never frozen."""
    project.record()
    project.edit("golden: ../golden", "golden: {path: ../golden, anchor: r9}")
    project.edit("max_negative_flips: 0.05}", "max_negative_flips: 0.05, against: [latest, anchor]}")
    return project


def test_a_missing_anchor_names_the_command_that_freezes_it(anchored: Project) -> None:
    run = anchored.run()
    assert run.outcomes == {"failed": len(NET)}
    line = run.line("no anchor r9")
    assert "no anchor r9 of net in golden/r9; freeze the present golden with: " in line
    assert not run.has("record with|record anew|^  accept ")
    command = line.partition("golden with: ")[2]
    assert command == "mkdir -p golden/r9 && cp golden/net.* golden/r9/"
    subprocess.run(command, shell=True, cwd=anchored.path, check=True)
    assert anchored.run().outcomes == {"passed": len(NET)}


def test_an_update_cannot_help_and_is_not_said_to(anchored: Project) -> None:
    anchored.model("net", bias=0.001)
    run = anchored.run("--robust-update", "--robust-reason=x")
    assert run.outcomes == {"failed": len(NET)}
    assert not run.has("record with|record anew|^  accept ")


def test_only_cases_without_the_latest_golden_are_in_the_lines_on_recording(anchored: Project) -> None:
    anchored.edit("multiples: [0.5, 2]", "multiples: [0.5, 2, 4]")
    run = anchored.run()
    assert run.line("record with: ").startswith("1 case without a comparable golden; record with: ")
    assert not run.has("record anew")


def test_what_the_anchor_has_no_cell_of_is_not_to_be_updated(anchored: Project) -> None:
    subprocess.run("mkdir golden/r9 && cp golden/net.* golden/r9/", shell=True, cwd=anchored.path, check=True)
    anchored.edit("multiples: [0.5, 2]", "multiples: [0.5, 2, 4]")
    assert anchored.run("--robust-update-new", "-k", "down_up-4").code == 1
    run = anchored.run()
    assert run.outcomes == {"failed": 1, "passed": len(NET)}
    headline = run.line("^no comparable anchor golden: ")
    assert re.search("no cell scaling.down_up-4; no update changes an anchor: ", headline)
    assert not run.has("record with|record anew|^  accept ")


def test_an_aggregate_without_its_anchor_says_so_too(anchored: Project) -> None:
    anchored.edit(", against: [latest, anchor]", "")
    row = "  - {mean_error: {suite: imagenet-c}, max_regression: 0.05, against: [latest, anchor]}"
    anchored.spec((anchored.path / "specs/small.yaml").read_text() + f"aggregates:\n{row}\n")
    run = anchored.run()
    assert run.outcomes == {"failed": 1, "passed": len(NET)}
    assert run.has("no anchor r9 of net in golden/r9; freeze the present golden with: mkdir -p golden/r9 && cp ")
    assert not run.has("record with|record anew|^  accept ")
