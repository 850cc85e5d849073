"""`--robust-shard`: parts that machines agree on without a word, together the whole, and honest about being a part."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_robust.registry import catalog
from pytest_robust.report.schema import report_schema
from pytest_robust.settings import Shard
from pytest_robust.sharding import shares
from pytest_robust.spec.build import load_plan
from pytest_robust.spec.plan import Plan
from tests.plugin.project import NET, SPEC, Project

AGGREGATE = "aggregates:\n  - {monotone: {suite: scaling, mode: down_up, allowance: 1}}\n"
TWO_MODELS = SPEC.replace("models:\n", "models:\n  small: {path: ../small.onnx, geometry: {resize: 12}}\n")
OTHER = """\
format: 1
dataset: {source: npz, path: ../data.npz, classes: 3}
models:
  other: {path: ../other.onnx}
shifts:
  - {name: again, suite: imagenet-c, corruptions: [contrast], severities: [3, 5]}
  - {name: twice, suite: imagenet-c, corruptions: [contrast], severities: [3]}
"""


def report(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.path / "r.json").read_text())
    jsonschema.validate(found, report_schema())
    return found


def ran(project: Project) -> list[str]:
    return [cell["id"] for cell in report(project)["cells"]]


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Plan]:
    """Two specs that share two columns, one of them under two names."""
    folder = tmp_path_factory.mktemp("plans")
    for name, text in (("a.yaml", TWO_MODELS), ("b.yaml", OTHER)):
        (folder / name).write_text(text)
    return {name: load_plan(folder / name, catalog()) for name in ("a.yaml", "b.yaml")}


@pytest.mark.parametrize("text", ["", "3", "0/3", "4/3", "1/0", "-1/3", "1/3/5", " 1/3", "01/3", "a/b", "١/3", "1/3\n"])
def test_what_is_no_shard_is_a_usage_error(project: Project, text: str) -> None:
    run = project.run(f"--robust-shard={text}")
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert run.has("write I/N with I from 1 to N, as in --robust-shard=2/3")


@given(count=st.integers(1, 12))
def test_shards_are_a_partition_of_equal_parts_whole_passes_together(plans: dict[str, Plan], count: int) -> None:
    found = [shares(plans, Shard(index + 1, count)) for index in range(count)]
    assert found == [shares(dict(reversed(plans.items())), Shard(index + 1, count)) for index in range(count)]
    for spec, plan in plans.items():
        dealt = Counter(label for share in found for label in share[spec])
        assert dealt == Counter(shift.label for shift in plan.shifts)
    # one pass serves clean of both specs, and one serves contrast 3 under its three names
    for same in (["clean", "clean"], ["imagenet-c.contrast-3", "again.contrast-3"]):
        assert len({index for index in range(count) if same[0] in found[index]["a.yaml"]}) == 1
        assert [same[0] in share["a.yaml"] for share in found] == [same[1] in share["b.yaml"] for share in found]
    assert all(len({"again.contrast-3", "twice.contrast-3"} & share["b.yaml"]) in (0, 2) for share in found)
    passes = [len(share["a.yaml"]) + ("again.contrast-5" in share["b.yaml"]) for share in found]
    assert sum(passes) == 8
    assert max(passes) - min(passes) <= 1


def test_shifts_are_dealt_in_the_order_of_the_plan(plans: dict[str, Plan]) -> None:
    """A division that changes would break matrices whose jobs run different versions, so it is pinned."""
    assert shares(plans, Shard(2, 3)) == {
        "a.yaml": {"imagenet-c.gaussian_noise-1", "imagenet-c.contrast-3"},
        "b.yaml": {"again.contrast-3", "twice.contrast-3", "again.contrast-5"},
    }


@pytest.mark.parametrize("arguments", [(), ("-n2",), ("-p", "no:randomly", "--reverse")])
def test_a_shard_runs_whole_shifts_whatever_else_is_asked(project: Project, arguments: tuple[str, ...]) -> None:
    project.spec(TWO_MODELS)
    project.model("small")
    project.pytester.makeconftest("""
        def pytest_addoption(parser):
            parser.addoption("--reverse", action="store_true")

        def pytest_collection_modifyitems(config, items):
            if config.getoption("reverse"):
                items.reverse()
        """)
    run = project.run("--robust-shard=2/3", "--robust-report=r.json", *arguments, process=True)
    share = [NET[1], NET[4]]
    assert ran(project) == [*(name.replace("::net::", "::small::") for name in share), *share]
    assert run.has("^Shard 2/3: 4 of 14 cells; aggregates are judged by pytest-robust merge$")
    assert run.has("^4 passes for 4 shifts;"), "each shift is made once per geometry"


def test_deselecting_by_other_means_moves_no_cell_to_another_shard(project: Project) -> None:
    project.run("--robust-shard=1/3", "--robust-report=r.json", "-k", "contrast")
    assert ran(project) == [NET[3]]
    project.run(NET[1], "--robust-shard=2/3", "--robust-report=r.json")
    assert ran(project) == [NET[1]]


def test_clean_is_measured_for_the_drop_and_reported_by_its_own_shard(project: Project) -> None:
    project.edit("  - {min_accuracy: 0.5}\n", "  - {where: {suite: scaling}, max_drop: 0.4}\n")
    project.record()
    assert project.run("--robust-shard=3/3", "--robust-report=r.json").code == 0
    assert ran(project) == [NET[2], NET[5]]
    assert [cell["clean_drop"] for cell in report(project)["cells"]] == [None, 0]


def test_aggregates_are_deselected_and_left_to_merge(project: Project) -> None:
    project.edit("golden: ../golden\n", f"golden: ../golden\n{AGGREGATE}")
    project.record()
    run = project.run("--robust-shard=1/3", "--robust-report=r.json")
    assert run.outcomes == {"passed": 3, "deselected": 5}
    assert report(project)["aggregates"] == []
    only = project.run("specs/small.yaml::net::scaling.down_up.monotone", "--robust-shard=1/3")
    assert only.outcomes == {"deselected": 1}
    assert not project.run().has("pytest-robust merge")


def test_tests_of_other_kinds_run_in_every_shard(project: Project) -> None:
    project.pytester.makepyfile(test_plain="def test_plain(): pass")
    run = project.run("test_plain.py", "--robust-shard=8/8")
    assert run.outcomes == {"passed": 1, "deselected": 7}


def test_a_shard_is_complete_when_its_own_share_has_run(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.record()
    monkeypatch.setenv("CI", "true")
    run = project.run("--robust-shard=1/3", "--robust-report=r.json")
    assert run.code == 0
    assert not run.has("INCOMPLETE")
    found = report(project)["run"]
    assert (found["shard"], found["complete"], found["not_run"]) == ("1/3", True, [])
    assert found["planned"] == [NET[0], NET[3], NET[6]]
    part = project.run("--robust-shard=1/3", "--robust-report=r.json", "-k", "not clean")
    assert part.code == 1
    assert part.line("INCOMPLETE") == "Gate INCOMPLETE: 1 of 3 not run"
    found = report(project)["run"]
    assert (found["complete"], found["not_run"]) == (False, [NET[0]])


def test_what_only_the_whole_can_tell_is_left_open(project: Project) -> None:
    waiver = "{where: {shift: clean}, until: 2999-12-31, owner: ann, reason: old}"
    project.edit("golden: ../golden", f"golden: ../golden\nwaivers:\n  - {waiver}")
    project.run("--robust-update")
    assert project.run("--robust-shard=1/3", "--robust-report=r.json").code == 0
    found = report(project)
    assert found["run"]["unused_waivers"] == []
    assert all(cell["flips"]["p"] is not None and cell["flips"]["p_holm"] is None for cell in found["cells"])
    whole = project.run("--robust-report=r.json")
    assert whole.code == 1
    assert report(project)["run"]["shard"] is None
    assert all(cell["flips"]["p_holm"] is not None for cell in report(project)["cells"])


def test_a_failure_fails_its_own_shard_alone(project: Project) -> None:
    project.record()
    project.edit("  - {min_accuracy: 0.5}\n", "  - {where: {shift: clean}, min_accuracy: 1}\n")
    project.model("net", bias=12)
    assert project.run("--robust-shard=1/7", "--robust-report=r.json").code == 1
    assert list(report(project)["run"]["failed"]) == [NET[0]]
    assert ran(project) == [NET[0]]


@pytest.mark.parametrize("option", ["--robust-update", "--robust-update-new"])
def test_a_shard_records_no_golden(project: Project, option: str) -> None:
    run = project.run("--robust-shard=1/3", option)
    assert run.code == 1
    assert run.has("^Goldens not updated: shard 1/3 holds a part of the cells; .* pytest-robust accept$")
    assert not project.files()


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
@pytest.mark.parametrize("found", [True, False], ids=["named", "found in folders"])
def test_an_empty_shard_passes_and_says_why(
    project: Project, workers: str, found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    options = [] if found else ["-o", "robust_files=specs/*.yaml"]
    run = project.run("--robust-shard=8/8", "--robust-report=r.json", workers, *options, spec=found, process=True)
    assert run.code == 0, run.text
    assert run.has("^Shard 8/8: no cells, there are more shards than shifts; aggregates are judged by ")
    assert not run.has("INCOMPLETE")
    made = report(project)
    assert (made["run"]["complete"], made["run"]["planned"], made["cells"]) == (True, [], [])
    assert list(made["run"]["specs"]) == ["specs/small.yaml"]


def test_a_shard_of_which_nothing_was_selected_is_not_an_empty_one(project: Project) -> None:
    run = project.run("--robust-shard=1/3", "-k", "nothing")
    assert run.code == pytest.ExitCode.NO_TESTS_COLLECTED
    assert run.has("^Gate INCOMPLETE: 3 of 3 not run$")


def test_a_spec_with_a_mistake_fails_even_an_empty_shard(project: Project) -> None:
    project.edit("severities: [1, 3]", "severities: [9]")
    assert project.run("--robust-shard=8/8").code == pytest.ExitCode.INTERRUPTED


def test_reports_for_people_say_which_shard(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.record()
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert project.run("--robust-shard=1/3", "--robust-report=r.md").line("^robust: ").endswith(", shard 1/3")
    text = (project.path / "r.md").read_text()
    assert text.startswith("## Robustness: passed\n\nShard 1/3; aggregates are judged by `pytest-robust merge`.\n")
    assert summary.read_text() == text
