"""What the end of a run says of goldens, and what it sends users to do."""

import re

import pytest

from tests.folder import Folder
from tests.plugin.project import NET


def test_new_cells_are_recorded_by_the_command_that_is_printed(project: Folder) -> None:
    project.model("net")
    project.edit("contrast], severities: [1, 3]", "contrast, brightness], severities: [1, 3]")
    run = project.run()
    line = run.line("record with: ")
    assert line.startswith("2 cases without a comparable golden; record with: pytest --robust-spec=specs/small.yaml")
    assert "record anew" not in run.text
    assert project.run(*line.split("pytest ")[1].split(), spec=False).code == 0
    assert project.run().code == 0


def test_a_golden_of_other_images_needs_a_full_update_and_the_line_says_so(project: Folder) -> None:
    project.model("net")
    project.edit("classes: 3}", "classes: 3, limit: 100}")
    run = project.run()
    line = run.line("record anew with: ")
    assert line == (
        "7 cases whose golden is of other images, parameters or another model file; record anew with: pytest "
        "--robust-spec=specs/small.yaml --robust-update --robust-reason='...'"
    )
    assert "--robust-update-new" not in run.text
    refused = project.run("--robust-update-new")
    assert refused.code == 1, "what stays as it was must not pass as updated"
    assert refused.outcomes == {"failed": len(NET)}
    assert project.run("--robust-update", "--robust-reason=fewer images").code == 0
    assert project.run().code == 0


def test_new_cells_of_another_model_file_need_a_full_update_too(project: Folder) -> None:
    project.edit("contrast], severities: [1, 3]", "contrast, brightness], severities: [1, 3]")
    run = project.run("-k", "brightness")
    assert re.match("2 cases whose golden is of .* another model file", run.line("record anew with: "))


def test_a_refused_update_in_ci_names_the_way_round_it(project: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    run = project.run("--robust-update", "--robust-reason=x")
    line = run.line("Goldens not updated")
    assert "--robust-report=report.json" in line
    assert "pytest-robust accept report.json --reason='...'" in line
