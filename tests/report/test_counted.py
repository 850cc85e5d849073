"""One thing is not several."""

from collections.abc import Callable

from pytest_robust.report.counted import counted
from tests.cli.conftest import command  # noqa: F401
from tests.folder import Folder

Command = Callable[..., tuple[int, str, str]]


def test_numbers_of_things() -> None:
    assert [counted(0, "cell"), counted(1, "cell"), counted(["a", "b"], "cell")] == ["0 cells", "1 cell", "2 cells"]


def test_a_project_of_one_cell_is_told_of_one_cell(project: Folder, command: Command) -> None:  # noqa: F811
    text = (project.path / "specs/small.yaml").read_text()
    project.spec(text.replace(text[text.index("shifts:") : text.index("thresholds:")], ""))
    project.edit("golden: ../golden", "golden: ../one")
    assert project.run("--robust-update", "--robust-report=out.json").code == 0
    assert project.run("--robust-update").has("is up to date: 1 cell unchanged$")
    assert "1 report, 1 cell, 0 aggregates merged" in command(project.path, "merge", "out.json", "--out", "all.json")[1]
    assert "1 cell: 1 same, 0 different" in command(project.path, "diff", "out.json", "all.json")[1]
    project.edit("min_accuracy: 0.5", "min_accuracy: 0.99")
    project.report("low.json")
    said = command(project.path, "accept", "low.json", "--reason=x")[1]
    assert "1 cell stays below a floor, which no golden changes: specs/small.yaml::net::clean" in said
