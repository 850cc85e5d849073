"""Every verdict and every key of the gate, from the spec to the outcome that pytest counts."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pytest_robust.golden import read, write
from pytest_robust.measurement import count_correct
from pytest_robust.verdict import Verdict
from tests.plugin.project import COUNT, NET, Project

ROWS = "  - {min_accuracy: 0.5}\n  - {max_regression: 0.02, max_negative_flips: 0.05}\n"
CLEAN = ("-k", "clean", "--robust-report=out.json")


def rows(project: Project, text: str, gate: str = "") -> None:
    """Other thresholds, and a gate."""
    project.edit(ROWS, f"  - {text}\n")
    if gate:
        project.edit("golden: ../golden", f"golden: ../golden\ngate: {gate}")


def cell(project: Project) -> dict[str, object]:
    (found,) = json.loads((project.path / "out.json").read_text())["cells"]
    return dict(found)


def verdict(project: Project, *arguments: str) -> tuple[str, str]:
    """The clean cell's verdict and outcome."""
    outcomes = project.run(*CLEAN, *arguments).outcomes
    (outcome,) = outcomes.keys() - {"deselected"}
    return str(cell(project)["verdict"]), outcome


def weaker(project: Project, levels: int) -> int:
    """A model that loses the clean images of so many of the weakest tints; how many that are. None is won."""
    tints = np.linspace(4, 42, COUNT).astype(np.uint8)
    others = tints[np.arange(COUNT) % 3 != 0]
    project.model("net", bias=3.5 + levels)
    return int((others < 4 + levels).sum())


def test_error(project: Project) -> None:
    rows(project, "{min_accuracy: 0.5}")
    (project.path / "net.onnx").unlink()
    assert verdict(project) == ("ERROR", "failed")


def test_below_floor(project: Project) -> None:
    rows(project, "{min_accuracy: 0.99}")
    assert verdict(project) == ("PASS", "passed")
    project.model("net", bias=12)
    assert verdict(project) == ("BELOW_FLOOR", "failed")


def test_below_floor_from_clean(project: Project) -> None:
    rows(project, "{where: {shift: gaussian_noise}, max_drop: 0.0}")
    project.model("net", bias=6)
    run = project.run("-k", "gaussian_noise-3", "--robust-report=out.json")
    assert run.has(r"^-\d\.\d+ pp from clean \d\d\.\d\d% \(allowed 0\.00 pp\)$")
    assert (cell(project)["verdict"], run.outcomes["failed"]) == ("BELOW_FLOOR", 1)


def test_no_golden_regressed_and_updated(project: Project) -> None:
    rows(project, "{max_regression: 0.02}")
    assert verdict(project) == ("NO_GOLDEN", "failed")
    assert verdict(project, "--robust-update") == ("UPDATED", "passed")
    assert verdict(project) == ("PASS", "passed")
    project.run("--robust-update")
    project.model("net", bias=12)
    assert verdict(project) == ("REGRESSED", "failed")
    project.run("--robust-update", "--robust-reason=smaller", "--robust-report=out.json")
    found = json.loads((project.path / "out.json").read_text())["cells"]
    assert {one["verdict"] for one in found} == {"UPDATED"}
    assert "vs golden 100.00%" in found[0]["reasons"][0], "what was accepted is said"


def test_too_many_flips(project: Project) -> None:
    """As many won as lost: the accuracy stays, and other images are right."""
    rows(project, "{max_regression: 0.02, max_negative_flips: 0.1}")
    project.record()
    folder = project.path / "golden"
    held = read(folder, "net")
    assert held is not None
    recording = held.recordings["cpu"]
    clean = recording.cells["clean"]
    predicted = clean.predicted.copy()
    predicted[-40:] = (predicted[-40:] + 1) % 3
    changed = replace(clean, predicted=predicted, correct=count_correct(predicted, clean.samples.labels))
    cells = {**recording.cells, "clean": changed}
    write(folder, replace(held, recordings={"cpu": replace(recording, cells=cells)}), expected=held)
    assert weaker(project, 8) == 42
    assert verdict(project) == ("TOO_MANY_FLIPS", "failed")
    flips = cell(project)["flips"]
    assert isinstance(flips, dict)
    assert (flips["negative"], flips["positive"]) == (42, 40)


@pytest.mark.parametrize(
    ("gate", "outcome", "noted"),
    [
        ("", "passed", True),
        ("{inconclusive: warn}", "passed", True),
        ("{inconclusive: pass}", "passed", False),
        ("{inconclusive: fail}", "failed", False),
    ],
)
def test_inconclusive(project: Project, gate: str, outcome: str, noted: bool) -> None:
    rows(project, "{max_regression: 0.0}", gate)
    project.record()
    assert weaker(project, 1) == 5
    assert verdict(project) == ("INCONCLUSIVE", outcome)
    run = project.run(*CLEAN)
    assert run.has(r"^INCONCLUSIVE .* is not significant \(p=0\.016 > 0\.0\d+, 5 lost, 0 won\): about ") == noted
    assert run.code == (outcome == "failed")


def test_improved(project: Project) -> None:
    rows(project, "{max_regression: 0.02}")
    project.model("net", bias=12)
    project.record()
    project.model("net")
    assert verdict(project) == ("IMPROVED", "passed")


def test_proof_is_asked_for_by_the_gate(project: Project) -> None:
    """Five lost of 300 stay within 2.5 pp, but 300 samples do not prove it; none lost do."""
    rows(project, "{max_regression: 0.025}")
    project.record()
    assert verdict(project) == ("PASS", "passed")
    assert cell(project)["flips"]["proven"] is True  # type: ignore[index]
    assert weaker(project, 1) == 5
    assert verdict(project) == ("PASS", "passed")
    assert cell(project)["flips"]["proven"] is False  # type: ignore[index]
    project.edit("golden: ../golden", "golden: ../golden\ngate: {require: proven}")
    assert verdict(project) == ("INCONCLUSIVE", "passed")
    run = project.run(*CLEAN)
    assert run.has(r"^INCONCLUSIVE .*: -1\.67 pp vs golden 100\.00% \(allowed -2\.50 pp\) is not proven: down to -\d")
    assert run.has(r"; about [\d,]+ samples would prove it$")
    project.edit("gate: {require: proven}", "gate: {require: proven, inconclusive: fail}")
    assert verdict(project) == ("INCONCLUSIVE", "failed")
    project.model("net")
    assert verdict(project) == ("PASS", "passed")


def elsewhere(folder: Path) -> None:
    """The golden as if it had been recorded on another device, with another onnxruntime."""
    held = read(folder, "net")
    assert held is not None
    recording = held.recordings["cpu"]
    cells = {
        key: replace(one, origin=replace(one.origin, onnxruntime="1.20.0")) for key, one in recording.cells.items()
    }
    moved = replace(recording, device_class="cuda-sm90", cells=cells)
    write(folder, replace(held, recordings={"cuda-sm90": moved}), expected=held)


def test_another_device_class_counts_where_the_gate_says_so(project: Project) -> None:
    rows(project, "{max_regression: 0.02}")
    project.record()
    elsewhere(project.path / "golden")
    assert verdict(project) == ("NO_GOLDEN", "failed")
    project.edit("golden: ../golden", "golden: ../golden\ngate: {golden_device: any}")
    assert verdict(project) == ("PASS", "passed")
    golden = cell(project)["golden"]
    assert isinstance(golden, dict)
    assert golden["device_class"] == "cuda-sm90"
    project.model("net", bias=12)
    assert verdict(project) == ("REGRESSED", "failed")
    assert project.run(*CLEAN).has(r"^  changed   onnxruntime 1\.20\.0 -> .*, device class cuda-sm90 -> cpu$")


def test_a_row_that_warns_never_fails_and_a_waiver_excuses_until_its_day(project: Project) -> None:
    rows(project, "{min_accuracy: 1, level: warn}")
    project.model("net", bias=12)
    assert verdict(project) == ("BELOW_FLOOR", "passed")
    project.edit(", level: warn", "")
    assert verdict(project) == ("BELOW_FLOOR", "failed")
    waiver = "{where: {shift: clean}, until: 2999-12-31, owner: ann, reason: retraining}"
    project.edit("golden: ../golden", f"golden: ../golden\nwaivers:\n  - {waiver}")
    assert verdict(project) == ("BELOW_FLOOR", "xfailed")
    assert json.loads((project.path / "out.json").read_text())["run"]["waived"].keys() == {NET[0]}


def test_unexpected_pass(project: Project) -> None:
    project.record()
    project.edit("  - {min_accuracy: 0.5}\n", "  - {min_accuracy: 0.9, expect: {fails: measured 0.85}}\n")
    assert verdict(project) == ("UNEXPECTED_PASS", "failed")


def test_no_verdict_is_without_a_test() -> None:
    text = Path(__file__).read_text()
    assert [name for name in Verdict if f'("{name}", ' not in text] == []
