"""Mistakes in the numbers and functions of shifts are sentences with a place, never a traceback."""

from __future__ import annotations

import pytest

from tests.plugin.project import Project
from tests.plugin.test_extension import CONFTEST

SCALING = "{suite: scaling, mode: down_up, multiples: [0.5, 2]}"


@pytest.mark.parametrize(
    ("norms", "said"),
    [
        ("0: [0.5, 5]", r"7:\d+: `norms`: p = 0 takes epsilons from 0 to 1, not 5"),
        ("inf: [2]", r"7:\d+: `norms`: p = inf takes epsilons from 0 to 1, not 2"),
        ("2.0: [2]", r"7:\d+: this key: write 2\.0 as 2"),
        (".inf: [1]", r"7:\d+: this key cannot be '\.inf', did you mean 'inf'\?"),
    ],
)
def test_a_norm_and_its_epsilons_are_checked_at_collection(project: Project, norms: str, said: str) -> None:
    project.edit(SCALING, f"{{suite: lp-noise, norms: {{{norms}}}}}")
    run = project.run("--collect-only")
    assert run.has(rf"^specs/small\.yaml:{said}$")


def test_large_epsilons_of_finite_norms_and_full_ones_of_others_are_taken(project: Project) -> None:
    project.edit(SCALING, "{suite: lp-noise, norms: {0: [1], inf: [1], 2: [50]}}")
    assert project.run("--collect-only").code == 0


def test_what_a_shift_of_ones_own_does_not_take_is_said_with_its_entry(project: Project) -> None:
    refusing = """resolve=lambda parameters, height, width: {"divisor": int("mine wants 3")},"""
    conftest = CONFTEST.replace(
        """resolve=lambda parameters, height, width: {"divisor": parameters["severity"] + 1},""", refusing
    )
    assert refusing in conftest
    project.pytester.makeconftest(conftest)
    project.edit(SCALING, "{suite: mine}")
    run = project.run("--robust-update", process=True)
    assert run.outcomes == {"passed": 5, "failed": 2}
    assert run.has(r"^specs/small\.yaml:7:\d+: invalid literal .*mine wants 3")
    assert "Traceback" not in run.text


def test_what_a_shift_of_ones_own_returns_is_said_in_its_cells(project: Project) -> None:
    project.pytester.makeconftest(CONFTEST.replace("images // divisor", "images / divisor"))
    project.edit(SCALING, "{suite: mine}")
    run = project.run("--robust-update", process=True)
    assert run.outcomes == {"passed": 5, "failed": 2}
    assert run.has(r"^the shift mine\.dim must return uint8 \((\d+), H, W, 3\) for \1 images, not float64")
    assert "Traceback" not in run.text
