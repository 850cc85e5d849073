"""Frost with a folder of textures of one's own."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.plugin.project import Project


def photographs(folder: Path, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    for number in range(3):
        Image.fromarray(random.integers(0, 255, (200, 260, 3), np.uint8)).save(folder / f"{number}.png")


def frost(project: Project, textures: str) -> dict[str, object]:
    entry = f"{{suite: imagenet-c, corruptions: [frost], severities: [3], textures: {textures}}}"
    text = project.spec_text.replace(
        "{suite: scaling, mode: down_up, multiples: [0.5, 2]}", entry.replace("{suite", "{name: icy, suite")
    )
    project.spec(text)
    run = project.run("-k", "icy", "--robust-update", "--robust-report=out.json")
    assert run.code == 0, run.text
    cell = json.loads((project.path / "out.json").read_text())["cells"][0]
    assert cell["id"] == "specs/small.yaml::net::icy.frost-3"
    return dict(cell)


def test_the_folder_is_relative_to_the_spec_and_may_hold_a_variable(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    photographs(project.path / "specs" / "ice", 0)
    beside = frost(project, "ice")
    monkeypatch.setenv("TEXTURES", str(project.path / "specs" / "ice"))
    by_variable = frost(project, "'${TEXTURES}'")
    assert by_variable["canvas_digest"] == beside["canvas_digest"]
    assert by_variable["parameters"] == beside["parameters"]


def test_other_textures_are_another_shift_for_the_golden(project: Project) -> None:
    photographs(project.path / "specs" / "ice", 0)
    frost(project, "ice")
    photographs(project.path / "specs" / "ice", 1)
    run = project.run("-k", "icy")
    assert run.code == 1
    assert "the shift's parameters changed" in run.line("^no comparable golden")


def test_a_folder_that_is_not_there_is_one_sentence(project: Project) -> None:
    photographs(project.path / "specs" / "ice", 0)
    frost(project, "ice")
    (project.path / "specs" / "ice").rename(project.path / "specs" / "gone")
    run = project.run("-k", "icy")
    assert run.outcomes["failed"] == 1
    assert run.has(r"^specs/small\.yaml:\d+:\d+: the frost textures in \S+/specs/ice cannot be read")
    (project.path / "specs" / "ice").mkdir()
    assert project.run("-k", "icy").has(r"^specs/small\.yaml:\d+:\d+: the folder \S+/specs/ice holds no frost texture")
    assert "Traceback" not in run.text
