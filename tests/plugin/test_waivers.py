"""A waiver that nothing needs any more is an error, once a complete run has shown it."""

import json

import jsonschema
import pytest

from pytest_robust.report.schema import report_schema
from tests.plugin.project import NET, Project

LATER = "until: 2999-12-31, owner: ann, reason: retraining"
UNUSED = r"^specs/small\.yaml:13:5: this waiver of ann is unused, "


def waive(project: Project, where: str) -> None:
    project.edit("golden: ../golden", f"golden: ../golden\nwaivers:\n  - {{where: {where}, {LATER}}}")


@pytest.fixture
def floors(project: Project) -> Project:
    """Floors alone, and a model that meets them."""
    project.edit("  - {max_regression: 0.02, max_negative_flips: 0.05}\n", "  - {where: {shift: clean}, max_drop: 1}\n")
    project.edit("  - {where: {shift: clean}, max_drop: 1}\n", "  - {where: {suite: scaling}, min_accuracy: 0.4}\n")
    return project


@pytest.mark.parametrize("workers", [[], ["-n2"]])
def test_a_waiver_that_excused_nothing_fails_a_complete_run(floors: Project, workers: list[str]) -> None:
    waive(floors, "{shift: contrast}")
    run = floors.run("--robust-report=out.json", "--robust-report=out.md", *workers, process=bool(workers))
    assert run.code == 1
    assert run.outcomes == {"passed": len(NET)}
    sentence = run.line(UNUSED)
    assert sentence == ("specs/small.yaml:13:5: this waiver of ann is unused, none of its 2 cases failed; remove it")
    report = json.loads((floors.path / "out.json").read_text())
    jsonschema.validate(report, report_schema())
    assert report["run"]["unused_waivers"] == [sentence]
    text = (floors.path / "out.md").read_text()
    assert text.startswith("## Robustness: FAILED\n")
    assert "this waiver of ann is unused" in text


def test_one_case_that_fails_is_use_enough(floors: Project) -> None:
    waive(floors, "{suite: scaling}")
    floors.edit("{where: {suite: scaling}, min_accuracy: 0.4}", "{where: {severity: 0.5}, min_accuracy: 1}")
    floors.model("net", bias=12)
    run = floors.run()
    assert (run.code, run.outcomes) == (0, {"passed": len(NET) - 1, "xfailed": 1})
    floors.model("net")
    run = floors.run()
    assert run.code == 1
    assert run.has(UNUSED + "none of its 2 cases failed")
    floors.edit("where: {suite: scaling}, until", "where: {severity: 0.5}, until")
    assert floors.run().has(UNUSED + "its case did not fail; remove it")


@pytest.mark.parametrize(
    "arguments",
    [
        ["-k", "contrast"],
        ["--deselect", NET[0]],
        ["-x"],
        ["--robust-limit=50"],
        ["--robust-model=net=net.onnx"],
        ["--robust-profile=soft"],
        ["--robust-profile=quick"],
    ],
)
def test_a_run_that_cannot_tell_says_nothing(floors: Project, arguments: list[str]) -> None:
    waive(floors, "{shift: contrast}")
    text = (floors.path / "specs/small.yaml").read_text()
    floors.spec(text + "profiles:\n  soft: {level: warn}\n  quick: {severities: [1]}\n")
    if "-x" in arguments:
        floors.edit("{min_accuracy: 0.5}", "{where: {shift: gaussian_noise}, min_accuracy: 1}")
        floors.model("net", bias=12)
    run = floors.run(*arguments)
    assert run.code == ("-x" in arguments)
    assert not run.has("unused")


def test_a_case_that_could_not_be_measured_or_was_just_accepted_leaves_its_waiver_open(project: Project) -> None:
    project.record()
    waive(project, "{suite: [clean, imagenet-c, scaling]}")
    (project.path / "net.onnx").unlink()
    assert not project.run().has("unused")
    project.model("net", bias=12)
    updated = project.run("--robust-update", "--robust-reason=retrained")
    assert updated.code == 0
    assert not updated.has("unused")
    assert project.run().has(UNUSED + "none of its 7 cases failed")


def test_a_waived_aggregate_counts_as_a_case(floors: Project) -> None:
    floors.edit("golden: ../golden", "golden: ../golden\naggregates:\n  - {mean_error: {suite: imagenet-c}, max: 0.9}")
    floors.edit(
        "golden: ../golden",
        f"golden: ../golden\nwaivers:\n  - {{where: {{aggregate: imagenet-c.mean_error}}, {LATER}}}",
    )
    run = floors.run()
    assert run.code == 1
    assert run.has(UNUSED + "its case did not fail")
    floors.edit("max: 0.9", "max: 0.0")
    floors.model("net", bias=12)
    run = floors.run()
    assert (run.code, run.outcomes["xfailed"]) == (0, 1)


def test_a_waiver_that_those_above_leave_nothing_to_is_a_mistake(project: Project) -> None:
    waive(project, "{suite: [imagenet-c, scaling]}")
    path = project.path / "specs/small.yaml"
    path.write_text(path.read_text() + f"  - {{where: {{shift: contrast, severity: 3}}, {LATER}}}\n")
    run = project.run("--collect-only")
    assert run.code == 2
    assert run.has(r"specs/small\.yaml:14:6: the waivers above excuse all that this one does; remove it")
    project.edit("where: {shift: contrast, severity: 3}", "where: {severity: [3, 2]}")
    assert project.run("--collect-only").code == 2
    project.edit("where: {severity: [3, 2]}", "where: {model: net}")
    assert project.run("--collect-only").code == 0, "clean is excused by the second alone"
