"""What a run says of a model: verdicts, texts, exit codes."""

import json
import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from tests.plugin.project import COUNT, LABELS, NET, Project


def test_without_goldens_a_gated_run_fails_and_one_line_says_what_records_them(project: Project) -> None:
    run = project.run()
    assert run.code == 1
    assert run.outcomes == {"failed": len(NET)}
    assert run.text.count("record with:") == 1
    line = run.line("record with:")
    assert line == (
        f"{len(NET)} cases without a comparable golden; record with: "
        "pytest --robust-spec=specs/small.yaml --robust-update-new"
    )
    assert project.run(*line.split("pytest ")[1].split(), spec=False).code == 0
    assert project.run().outcomes == {"passed": len(NET)}


def test_rows_that_need_no_golden_are_judged_without_one(project: Project) -> None:
    project.edit("  - {max_regression: 0.02, max_negative_flips: 0.05}\n", "")
    assert project.run().outcomes == {"passed": len(NET)}


def test_a_worse_model_fails_with_the_numbers_first(project: Project) -> None:
    project.record()
    project.model("worse", bias=12)
    run = project.run("--robust-model=net=worse.onnx")
    assert run.code == 1
    headline = run.line(r"^-\d+\.\d+ pp vs golden")
    found = re.fullmatch(
        r"(-[\d.]+) pp vs golden 100\.00% \(allowed -2\.00 pp, p=\S+, (\d+) lost, 0 won\) and "
        r"negative flips ([\d.]+)% vs golden 100\.00% \(allowed 5\.00%, (\d+) lost, 0 won\)",
        headline,
    )
    assert found, headline
    lost = int(found[2])
    assert lost == int(found[4])
    # tints run evenly from 4 to 42; a bias of 12 takes those of the two other classes below it
    assert 0.8 * 200 * 8 / 38 < lost < 1.2 * 200 * 8 / 38
    assert float(found[1]) == pytest.approx(-100 * lost / COUNT, abs=0.005)
    for pattern in (
        r"^  spec      specs/small\.yaml:4:3   thresholds at specs/small\.yaml:9:5, specs/small\.yaml:10:5",
        rf"^  measured  {COUNT - lost}/{COUNT}   95% interval \d+\.\d to \d+\.\d %",
        rf"^  golden    {COUNT}/{COUNT}   recorded \d{{4}}-\d\d-\d\d on cpu",
        r"^  worst     class [12] -\d+\.\d pp of 100, class [12] -\d+\.\d pp of 100$",
        r"^  device    cpu \(cpu\), onnxruntime ",
        r"^  rerun     pytest --robust-model=\S+ specs/small\.yaml::net::clean$",
    ):
        assert run.has(pattern), pattern
    assert "Traceback" not in run.text
    summary = run.line(r"^FAILED specs/small\.yaml::net::clean")
    assert " - -" in summary


@pytest.mark.parametrize("workers", [[], ["-n2"]])
def test_the_summary_line_is_the_headline_alone_in_ci_too(
    project: Project, monkeypatch: pytest.MonkeyPatch, workers: list[str]
) -> None:
    project.record()
    project.model("net", bias=12)
    monkeypatch.setenv("CI", "true")
    run = project.run("-k", "clean", "--junitxml=out.xml", *workers, process=True)
    lines = run.text.splitlines()
    headline = run.line(r"^-\d+\.\d+ pp vs golden")
    assert f"FAILED specs/small.yaml::net::clean - {headline}" in lines
    assert sum(line.startswith("  golden ") for line in lines) == 1
    failure = next(ElementTree.parse(project.path / "out.xml").iter("failure"))
    assert failure.get("message") == headline
    assert "  golden " in str(failure.text)


def test_the_commands_of_a_failure_run_as_printed(project: Project) -> None:
    project.record()
    project.model("net", bias=12)
    run = project.run("-k", "clean")
    rerun = run.line("  rerun ").split("pytest ")[1]
    assert project.run(rerun, spec=False).outcomes == {"failed": 1}


def test_a_floor_fails_without_any_golden(project: Project) -> None:
    project.edit("min_accuracy: 0.5", "min_accuracy: 0.9")
    project.edit("  - {max_regression: 0.02, max_negative_flips: 0.05}\n", "")
    project.model("net", bias=30)
    run = project.run("-k", "clean")
    assert re.match(r"accuracy \d\d\.\d\d% < floor 90\.00%$", run.line("^accuracy"))


def test_max_drop_pulls_clean_which_is_not_reported(project: Project) -> None:
    project.edit("  - {max_regression: 0.02, max_negative_flips: 0.05}\n", "  - {max_drop: 0.0}\n")
    run = project.run("-k", "contrast-3", "--robust-report=out.json")
    assert run.outcomes == {"passed": 1, "deselected": len(NET) - 1}
    report = json.loads((project.path / "out.json").read_text())
    assert [cell["id"] for cell in report["cells"]] == [NET[4]]
    assert report["cells"][0]["clean_drop"] == 0.0


def test_the_gate_is_incomplete_when_cells_did_not_run(project: Project) -> None:
    project.record()
    run = project.run("-k", "contrast")
    assert run.code == 0
    assert run.line("INCOMPLETE") == "Gate INCOMPLETE: 5 of 7 not run"
    assert not project.run().has("INCOMPLETE")


def test_an_incomplete_gate_fails_where_asked_and_in_ci(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.record()
    assert project.run("-k", "contrast", "-o", "robust_incomplete=fail").code == 1
    monkeypatch.setenv("CI", "true")
    assert project.run("-k", "contrast").code == 1
    assert project.run("-k", "contrast", "-o", "robust_incomplete=note").code == 0
    assert project.run("-o", "robust_incomplete=maybe").code == 4


def test_a_waiver_turns_a_failure_into_an_expected_one(project: Project) -> None:
    project.edit("  - {max_regression: 0.02, max_negative_flips: 0.05}\n", "")
    project.edit("min_accuracy: 0.5", "min_accuracy: 0.9")
    project.model("net", bias=12)
    waiver = "{where: {shift: clean}, until: 2999-12-31, owner: ann, reason: retraining}"
    project.edit("golden: ../golden", f"golden: ../golden\nwaivers:\n  - {waiver}")
    run = project.run("-rx")
    assert run.outcomes == {"xfailed": 1, "failed": len(NET) - 1}
    assert run.has(r"XFAIL .*net::clean - accuracy .* \(waived: retraining, ann, until 2999-12-31\)")
    project.edit("2999", "1999")
    expired = project.run()
    assert expired.code == 2
    assert expired.has(r"specs/small\.yaml:12:\d+: .*1999-12-31")


def test_warnings_do_not_fail_and_are_shown(project: Project) -> None:
    project.edit("min_accuracy: 0.5}", "min_accuracy: 0.99, level: warn}")
    project.edit("  - {max_regression: 0.02, max_negative_flips: 0.05}\n", "")
    project.model("net", bias=12)
    run = project.run("-k", "clean")
    assert run.code == 0
    assert run.has(r"^BELOW_FLOOR specs/small\.yaml::net::clean: accuracy \d\d\.\d\d% < floor 99\.00%$")


def test_a_small_drop_is_inconclusive_and_says_how_many_samples_would_decide(project: Project) -> None:
    project.edit("{max_regression: 0.02, max_negative_flips: 0.05}", "{max_regression: 0.0}")
    project.record()
    project.model("net", bias=4.5)
    run = project.run("-k", "clean")
    assert run.code == 0
    chance = r"is not significant \(p=\S+ > \S+, \d+ lost, 0 won\)"
    assert run.has(rf"^INCONCLUSIVE .*{chance}: about [\d,]+ samples would decide")
    project.edit("golden: ../golden", "golden: ../golden\ngate: {inconclusive: fail}")
    assert project.run("-k", "clean").code == 1


def test_a_better_model_passes_and_the_golden_is_called_stale(project: Project) -> None:
    project.edit("min_accuracy: 0.5", "min_accuracy: 0.1")
    project.model("net", bias=20)
    project.record()
    project.model("net")
    run = project.run("-k", "clean")
    assert run.code == 0
    assert run.has(r"^IMPROVED .* the golden is stale$")


def empty_model(project: Project) -> None:
    (project.path / "net.onnx").write_bytes(b"")


def truncated_model(project: Project) -> None:
    (project.path / "net.onnx").write_bytes((project.path / "net.onnx").read_bytes()[:100])


def no_model(project: Project) -> None:
    (project.path / "net.onnx").unlink()


def no_data(project: Project) -> None:
    (project.path / "data.npz").unlink()


def no_variable(project: Project) -> None:
    project.edit("../data.npz", "'${NOT_SET_ANYWHERE}'")


def other_classes(project: Project) -> None:
    project.edit("classes: 3", "classes: 4")


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (empty_model, r"net\.onnx"),
        (truncated_model, r"net\.onnx"),
        (no_model, r"net\.onnx"),
        (no_data, r"data\.npz"),
        (no_variable, r"specs/small\.yaml:2:\d+: .*NOT_SET_ANYWHERE"),
        (other_classes, r"3 .*4"),
    ],
)
def test_what_cannot_be_evaluated_is_an_error_in_one_sentence(
    project: Project, break_it: Callable[[Project], None], sentence: str
) -> None:
    break_it(project)
    run = project.run("-k", "clean or contrast-1")
    assert run.outcomes == {"failed": 2, "deselected": len(NET) - 2}
    assert "Traceback" not in run.text
    section = run.text.split("net x clean ___")[1].splitlines()[1:3]
    assert re.search(sentence, section[0]), section
    assert section[1].startswith("  spec ")


def test_junit_has_flat_properties_of_each_case(project: Project) -> None:
    project.record()
    project.run("--junitxml=out.xml")
    cases = {case.get("name"): case for case in ElementTree.parse(project.path / "out.xml").iter("testcase")}
    assert list(cases) == LABELS
    case = cases["imagenet-c.contrast-3"]
    assert case.get("classname", "").endswith("net")
    found = {entry.get("name"): entry.get("value") for entry in case.iter("property")}
    assert found["robust.model"] == "net"
    assert found["robust.shift"] == "contrast"
    assert found["robust.severity"] == "3"
    assert found["robust.accuracy"] == found["robust.golden"] == "1.0"
    assert found["robust.n"] == str(COUNT)
    assert found["robust.verdict"] == "PASS"


def test_the_summary_is_a_table_by_model(project: Project) -> None:
    project.edit("  net: {path: ../net.onnx}", "  net: {path: ../net.onnx}\n  weak: {like: net, path: ../weak.onnx}")
    project.model("weak", bias=12)
    project.record()
    run = project.run()
    assert re.search(r"accuracy %\s+net\s+weak\n", run.text)
    assert re.search(r"\nclean\s+100\.00\s+\d\d\.\d\d\n", run.text)
    assert re.search(r"\nimagenet-c\s+\d+\.\d\d\s+\d\d\.\d\d\n", run.text)
    assert re.search(r"\nworst vs golden\s+0\.00\s+0\.00\n", run.text)
    assert re.search(r"\nnet: 7 PASS\nweak: 7 PASS\n", run.text)


def test_exit_first_last_failed_and_stepwise_work_as_for_any_test(project: Project) -> None:
    project.edit("{min_accuracy: 0.5}", "{where: {shift: contrast}, min_accuracy: 1.0}")
    project.edit("  - {max_regression: 0.02, max_negative_flips: 0.05}\n", "")
    project.model("net", bias=12)
    failing = [name for name in NET if "contrast" in name]
    first = project.run("-x")
    assert first.outcomes == {"passed": 3, "failed": 1}
    everything = project.run()
    assert [line.split()[1] for line in everything.text.splitlines() if line.startswith("FAILED")] == failing
    assert project.run("--lf").outcomes["failed"] == 2
    assert project.run("--sw").outcomes == {"passed": 3, "failed": 1}
    assert project.run("--sw").outcomes == {"failed": 1, "deselected": 3}


def test_a_cuda_run_on_a_machine_without_it_fails_and_says_why(project: Project) -> None:
    project.record()
    run = project.run("--robust-device=cuda", "-k", "clean")
    assert run.outcomes == {"failed": 1, "deselected": len(NET) - 1}
    assert run.has(r"cannot run on cuda: .*(built without CUDA|driver|GPU)")
