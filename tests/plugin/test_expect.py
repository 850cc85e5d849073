"""What a spec expects to fail: excused while it fails, red once it holds, in every report and with workers."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from typing import Any

import jsonschema
import pytest

from pytest_robust.report.schema import report_schema
from tests.plugin.project import NET, Project

FAILS = "expect: {fails: measured 0.88 of 0.99}"


@pytest.fixture
def expecting(project: Project) -> Project:
    """Floors alone: one that `net.onnx` meets everywhere, and one on contrast that it is expected to miss."""
    project.edit(
        "  - {max_regression: 0.02, max_negative_flips: 0.05}\n",
        f"  - {{where: {{shift: contrast}}, min_accuracy: 0.99, {FAILS}}}\n",
    )
    project.edit("golden: ../golden\n", "")
    return project


def report(project: Project, *arguments: str, **options: Any) -> tuple[Any, dict[str, Any]]:
    run = project.run("--robust-report=out.json", "--robust-report=out.md", *arguments, **options)
    found = json.loads((project.path / "out.json").read_text())
    jsonschema.validate(found, report_schema())
    return run, found


CONTRAST = [name for name in NET if "contrast" in name]


@pytest.mark.parametrize("workers", [["-n0"], ["-n2"]])
def test_it_is_excused_while_it_fails(expecting: Project, workers: list[str]) -> None:
    expecting.model("net", bias=12)
    run, found = report(expecting, "--junitxml=out.xml", "-rx", *workers, process="-n2" in workers)
    assert run.code == 0
    assert run.outcomes == {"passed": len(NET) - 2, "xfailed": 2}
    line = run.line(r"^XFAIL .*contrast-1")
    assert "< floor 99.00% (expected: measured 0.88 of 0.99)" in line
    assert list(found["run"]["expected"]) == CONTRAST
    assert found["run"]["failed"] == found["run"]["waived"] == {}
    verdicts = {cell["id"]: cell["verdict"] for cell in found["cells"]}
    assert {verdicts[name] for name in CONTRAST} == {"BELOW_FLOOR"}
    text = (expecting.path / "out.md").read_text()
    assert text.startswith("## Robustness: passed\n")
    assert "### 2 expected to fail\n" in text
    assert "(expected: measured 0.88 of 0.99)" in text
    cases = {case.get("name"): case for case in ElementTree.parse(expecting.path / "out.xml").iter("testcase")}
    (skipped,) = cases["imagenet-c.contrast-1"].findall("skipped")
    assert skipped.get("type") == "pytest.xfail"
    assert "(expected: measured 0.88" in (skipped.get("message") or "")


@pytest.mark.parametrize("workers", [["-n0"], ["-n2"]])
def test_it_fails_once_it_holds(expecting: Project, workers: list[str]) -> None:
    run, found = report(expecting, *workers, process="-n2" in workers)
    assert run.code == 1
    assert run.outcomes == {"passed": len(NET) - 2, "failed": 2}
    sentence = "accuracy 100.00%: expected to fail (measured 0.88 of 0.99), but holds now: remove `expect`"
    assert found["run"]["failed"] == dict.fromkeys(CONTRAST, sentence)
    assert found["run"]["expected"] == {}
    assert {cell["verdict"] for cell in found["cells"] if cell["id"] in CONTRAST} == {"UNEXPECTED_PASS"}
    assert run.has(r"accuracy 100\.00%: expected to fail \(measured 0\.88 of 0\.99\), but holds now: remove `expect`")
    assert run.has(r"thresholds at specs/small\.yaml:9:5, specs/small\.yaml:10:5")


def test_what_could_not_be_measured_is_not_excused(expecting: Project) -> None:
    (expecting.path / "net.onnx").unlink()
    run, found = report(expecting)
    assert run.outcomes == {"failed": len(NET)}
    assert found["run"]["expected"] == {}


def test_another_floor_beside_it_still_fails(expecting: Project) -> None:
    expecting.model("net", bias=12)
    expecting.edit("  - {min_accuracy: 0.5}\n", "  - {min_accuracy: 0.999}\n")
    run, found = report(expecting)
    assert run.outcomes == {"failed": len(NET)}
    assert all("99.90%" in text for text in found["run"]["failed"].values())


def test_what_holds_after_all_and_lacks_its_golden_is_counted_among_those(expecting: Project) -> None:
    expecting.edit("  - {min_accuracy: 0.5}\n", "  - {min_accuracy: 0.5}\n  - {max_regression: 0.02}\n")
    expecting.edit("thresholds:", "golden: ../fresh\nthresholds:")
    run, found = report(expecting)
    verdicts = {cell["id"]: cell["verdict"] for cell in found["cells"]}
    assert {verdicts[name] for name in CONTRAST} == {"UNEXPECTED_PASS"}
    assert run.line("record with: ").startswith(f"{len(NET)} cases without a comparable golden")
    run = expecting.run("--robust-update-new")
    assert not run.has("without a comparable golden"), "they are recorded"


def test_a_waiver_for_what_is_expected_anyway_is_unused(expecting: Project) -> None:
    expecting.model("net", bias=12)
    path = expecting.path / "specs/small.yaml"
    where = "{where: {shift: contrast}, until: 2999-12-31, owner: ann, reason: known}"
    path.write_text(f"{path.read_text()}waivers:\n  - {where}\n")
    run = expecting.run()
    assert (run.code, run.outcomes["xfailed"]) == (1, 2)
    assert run.has("this waiver of ann is unused, none of its 2 cases failed")


def test_aggregates(expecting: Project) -> None:
    expecting.model("net", bias=12)
    path = expecting.path / "specs/small.yaml"
    row = "{mean_error: {suite: scaling}, max: 0.001, expect: {fails: measured 0.1}}"
    path.write_text(f"{path.read_text()}aggregates:\n  - {row}\n")
    run, found = report(expecting, "-rx")
    (name,) = [one["id"] for one in found["aggregates"]]
    assert run.code == 0
    assert found["run"]["expected"][name].endswith("(expected: measured 0.1)")
    assert run.has(rf"^XFAIL {name}")
    expecting.model("net")
    run, found = report(expecting)
    assert run.code == 1
    assert "expected to fail (measured 0.1), but holds now" in found["run"]["failed"][name]
    assert found["aggregates"][0]["verdict"] == "UNEXPECTED_PASS"


def test_shards_are_merged_with_what_was_expected(expecting: Project) -> None:
    expecting.model("net", bias=12)
    path = expecting.path / "specs/small.yaml"
    row = "{mean_error: {suite: scaling}, max: 0.001, expect: {fails: measured 0.1}}"
    path.write_text(f"{path.read_text()}aggregates:\n  - {row}\n")
    for number in (1, 2):
        assert expecting.run(f"--robust-shard={number}/2", f"--robust-report={number}.json").code == 0
    from pytest_robust.cli import main

    assert main(["merge", "1.json", "2.json", "--out=all.json"]) == 0
    found = json.loads((expecting.path / "all.json").read_text())
    assert len(found["run"]["expected"]) == 3
    assert found["run"]["failed"] == {}
