"""A user's own shift, registered in a conftest, is a shift like any other."""

import inspect
import json
import re
import textwrap

import pytest

from pytest_robust import hookspecs
from tests.plugin.project import NET, Project

CONFTEST = """
from pytest_robust.shifts.base import PixelShift

def pytest_robust_register(registry):
    registry.add(PixelShift(
        name="dim", suite="mine", version=1, source="ours", severities=[1, 2],
        resolve=lambda parameters, height, width: {"divisor": parameters["severity"] + 1},
        apply=lambda images, bits, divisor: images // divisor,
    ))
"""


@pytest.mark.parametrize("workers", [[], ["-n2"]])
def test_a_registered_shift_runs_and_has_goldens(project: Project, workers: list[str]) -> None:
    project.pytester.makeconftest(CONFTEST)
    project.edit("{suite: scaling, mode: down_up, multiples: [0.5, 2]}", "{suite: mine}")
    assert project.run("--robust-update", *workers, process=True).code == 0
    run = project.run("--robust-report=out.json", *workers, process=True)
    assert run.outcomes == {"passed": len(NET)}
    cells = {cell["id"].split("::")[-1]: cell for cell in json.loads((project.path / "out.json").read_text())["cells"]}
    assert cells["mine.dim-1"]["parameters"] == {"divisor": 2}
    assert cells["mine.dim-2"]["parameters"] == {"divisor": 3}


def test_a_shift_that_raises_is_an_error_of_its_cells_and_shows_where(project: Project) -> None:
    project.pytester.makeconftest(CONFTEST.replace("images // divisor", "images / None"))
    project.edit("{suite: scaling, mode: down_up, multiples: [0.5, 2]}", "{suite: mine}")
    run = project.run("--robust-update", process=True)
    assert run.outcomes == {"passed": 5, "failed": 2}
    assert run.line("^TypeError: ").startswith("TypeError: unsupported operand")
    assert run.has("Traceback")
    assert run.has(r"conftest\.py")


def test_a_name_that_cannot_be_is_told_at_collection(project: Project) -> None:
    project.pytester.makeconftest(CONFTEST.replace('suite="mine"', 'suite="imagenet-c"'))
    run = project.run("--collect-only", process=True)
    assert run.code == 2
    assert run.has("the suite imagenet-c is built in")
    assert "Traceback" not in run.text


def test_the_example_of_the_documentation_works_as_it_stands(project: Project) -> None:
    text = inspect.getdoc(hookspecs.pytest_robust_register) or ""
    (example,) = re.findall(r"::\n\n((?:    .*\n|\n)+)", text)
    conftest = textwrap.dedent(example)
    assert len([line for line in conftest.splitlines() if line]) < 10
    project.pytester.makeconftest(conftest)
    asked = re.findall(r"``(\{suite: mine.*?\})``", text)
    for entry, severities in zip(asked, ([2, 4], [4]), strict=True):
        project.spec(f"{project.spec_text.partition('shifts:')[0]}shifts: [{entry}]\n")
        run = project.run("--robust-report=out.json", process=True)
        assert run.outcomes == {"passed": 1 + len(severities)}
        cells = json.loads((project.path / "out.json").read_text())["cells"]
        assert [cell["parameters"] for cell in cells[1:]] == [{"divisor": divisor} for divisor in severities]


def test_a_conftest_speaks_for_the_specs_below_it_alone(project: Project) -> None:
    entry = "shifts: [{suite: mine}]\n"
    head = project.spec_text.partition("shifts:")[0]
    project.spec(head + entry, "one/a.robust.yaml")
    project.spec(head + entry, "two/b.robust.yaml")
    (project.path / "one" / "conftest.py").write_text(CONFTEST)
    run = project.run("one", "two", "--collect-only", "-q", spec=False, process=True)
    assert run.collected == [f"one/a.robust.yaml::net::{label}" for label in ("clean", "mine.dim-1", "mine.dim-2")]
    assert run.has(r"two/b\.robust\.yaml:\d+:\d+: no suite 'mine'")
    (project.path / "two" / "conftest.py").write_text(CONFTEST)
    run = project.run("one", "two", "--collect-only", "-q", spec=False, process=True)
    assert run.has(r"the shift mine\.dim is added twice; give one of them another name")
