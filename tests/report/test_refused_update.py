"""A golden that could not be written after all: every report says of its cases what was measured."""

import re
from collections.abc import Callable

import jsonschema

from pytest_robust.report.schema import report_schema
from tests.cli.conftest import command  # noqa: F401
from tests.folder import Folder
from tests.plugin.project import NET

REPORTS = ("--robust-report=out.json", "--robust-report=out.md")
UPDATE = ("--robust-update", "--robust-reason=x", *REPORTS)


def block(project: Folder) -> None:
    """Put a folder in the way of the file that writers lock, which stops even root."""
    lock = project.path / "golden/.lock/write"
    lock.unlink(missing_ok=True)
    lock.mkdir(parents=True)


def test_every_report_of_a_refused_update_says_that_the_release_regressed(
    project: Folder,
    command: Callable[..., tuple[int, str, str]],  # noqa: F811
) -> None:
    block(project)
    run = project.run(*UPDATE)
    assert run.code == 1
    refusal = run.line("^Golden of net not updated: ")
    assert run.has(f"^FAILED after all, for its golden was not updated: {re.escape(', '.join(NET[:3]))}, ...$")
    report = project.json("out.json")
    jsonschema.validate(report, report_schema())
    assert report["run"]["refused"] == [refusal]
    assert list(report["run"]["failed"]) == NET
    assert {(cell["verdict"], cell["level"]) for cell in report["cells"]} == {("REGRESSED", "block")}
    text = (project.path / "out.md").read_text()
    assert text.startswith(f"## Robustness: FAILED\n\n{refusal}\n\n")
    assert "### 7 failed" in text
    code, out, err = command(project.path, "merge", "out.json", "--out", "all.json", "--out", "all.md")
    assert code == 1
    assert out.count("\nFAILED specs/small.yaml::net::") == len(NET)
    assert refusal in err
    assert (project.path / "all.md").read_text().startswith("## Robustness: FAILED\n")


def test_a_case_that_is_taken_back_has_the_level_of_its_row_again(project: Folder) -> None:
    project.edit("max_negative_flips: 0.05}", "max_negative_flips: 0.05, level: warn}")
    block(project)
    assert project.run(*UPDATE).code == 1
    report = project.json("out.json")
    assert {(cell["verdict"], cell["level"]) for cell in report["cells"]} == {("REGRESSED", "warn")}
    assert report["run"]["failed"] == {}
    assert (project.path / "out.md").read_text().startswith("## Robustness: FAILED\n"), "the update was refused"


def test_an_aggregate_of_cells_that_are_taken_back_has_regressed_too(project: Folder) -> None:
    project.model("net")
    project.edit("multiples: [0.5, 2]", "multiples: [0.25, 0.5, 2, 4]")
    row = "  - {mean_error: {suite: scaling}, max_regression: 0.005}"
    project.edit("golden: ../golden", f"golden: ../golden\naggregates:\n{row}")
    assert project.run("--robust-update").code == 0
    project.model("net", bias=12)
    block(project)
    assert project.run(*UPDATE).code == 1
    report = project.json("out.json")
    (aggregate,) = report["aggregates"]
    assert (aggregate["verdict"], aggregate["level"]) == ("REGRESSED", "block")
    assert aggregate["id"] in report["run"]["failed"]


def test_of_two_specs_that_share_a_golden_folder_the_second_is_not_reported_as_recorded(project: Folder) -> None:
    project.spec((project.path / "specs/small.yaml").read_text(), "specs/other.yaml")
    project.edit("golden: ../golden", "golden: ../new")
    project.edit("golden: ../golden", "golden: ../new", "specs/other.yaml")
    assert project.run("--robust-spec=specs/other.yaml", *UPDATE).code == 1
    report = project.json("out.json")
    assert [cell["verdict"] for cell in report["cells"]] == ["UPDATED"] * 7 + ["NO_GOLDEN"] * 7
    assert list(report["run"]["failed"]) == [name.replace("small", "other") for name in NET]
    assert len(report["run"]["refused"]) == 1
    assert (project.path / "out.md").read_text().startswith("## Robustness: FAILED\n")
