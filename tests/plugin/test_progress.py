"""The progress line: drawn on a terminal while a long pass runs, and gone afterwards."""

import sys

import pexpect

from tests.plugin.project import Project

SLOW = """
import time

from pytest_robust.models import Model

predict = Model.predict

def slow(self, canvases, **options):
    time.sleep(0.8)
    return predict(self, canvases, **options)

Model.predict = slow
"""


def test_a_long_case_shows_how_far_it_is_on_a_terminal(project: Project) -> None:
    project.edit("  - {max_regression: 0.02, max_negative_flips: 0.05}\n", "")
    project.pytester.makeconftest(SLOW)
    arguments = ["-m", "pytest", "--robust-spec=specs/small.yaml", "-k", "clean", "--robust-batch-size=50"]
    child = pexpect.spawn(sys.executable, arguments, cwd=str(project.path), encoding="utf-8", timeout=60)
    child.expect(r"clean  \d+/300 images  +\d+%  \d+ s left")
    child.expect("1 passed")
    child.expect(pexpect.EOF)
    assert child.before is not None
    assert "images" not in child.before


def test_nothing_is_drawn_where_the_output_is_no_terminal_or_quiet(project: Project) -> None:
    project.edit("  - {max_regression: 0.02, max_negative_flips: 0.05}\n", "")
    project.pytester.makeconftest(SLOW)
    assert "images" not in project.run("-k", "clean", "--robust-batch-size=50", process=True).text
    arguments = ["-m", "pytest", "--robust-spec=specs/small.yaml", "-k", "clean", "--robust-batch-size=50", "-q"]
    output, status = pexpect.run(
        " ".join([sys.executable, *arguments]), cwd=str(project.path), withexitstatus=True, timeout=60
    )
    assert status == 0
    assert b"images" not in output
