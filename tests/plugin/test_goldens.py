"""The life of a golden: recorded, kept, replaced with a reason, pruned; and every refusal."""

import json

import pytest

from pytest_robust.settings import CI_VARIABLES, ci_variable
from tests.plugin.project import LABELS, NET, Project


def test_an_update_records_every_cell_and_is_shown(project: Project) -> None:
    run = project.run("--robust-update")
    assert run.code == 0
    assert run.has(r"^  \+ net::clean   100\.00$")
    assert run.has(r"^Golden of net updated: 7 changed, 0 unchanged; review with git diff ")
    assert run.has(r"7 UPDATED")
    recording = project.golden()["recordings"]["cpu"]
    assert sorted(recording["cells"]) == sorted(LABELS)
    assert sorted(project.files()) == sorted(
        [".gitattributes", "net.json", next(name for name in project.files() if name.endswith(".npz"))]
    )


def test_an_unchanged_model_passes_and_updating_again_writes_nothing(project: Project) -> None:
    project.record()
    before = project.files()
    run = project.run("--robust-update")
    assert run.outcomes == {"passed": len(NET)}
    assert run.has(r"^Golden of net is up to date: 7 cells unchanged")
    kept = {name: content for name, content in project.files().items() if not name.startswith(".robust")}
    assert kept == before


def test_a_worse_value_needs_a_reason_and_the_reason_is_kept(project: Project) -> None:
    project.record()
    before = project.files()
    project.model("net", bias=12)
    refused = project.run("--robust-update")
    assert refused.code == 1
    assert refused.outcomes == {"failed": len(NET)}
    assert refused.has(r"Golden of net not updated: .*--robust-reason")
    assert project.files() == before
    accepted = project.run("--robust-update", "--robust-reason=smaller model, ticket 12")
    assert accepted.code == 0
    assert accepted.has(r"^  ~ net::clean   100\.00 -> \d\d\.\d\d$")
    assert project.golden()["recordings"]["cpu"]["reason"] == "smaller model, ticket 12"
    assert project.run().outcomes == {"passed": len(NET)}


def test_a_floor_fails_even_when_the_golden_is_updated(project: Project) -> None:
    project.record()
    project.edit("min_accuracy: 0.5", "min_accuracy: 0.99")
    project.model("net", bias=12)
    run = project.run("--robust-update", "--robust-reason=try", "-k", "clean")
    assert run.outcomes["failed"] == 1
    assert run.has(r"^accuracy \d\d\.\d\d% < floor 99\.00%")


def test_another_model_file_needs_every_cell(project: Project) -> None:
    project.record()
    before = project.files()
    project.model("net", bias=1)
    run = project.run("--robust-update", "--robust-reason=new", "-k", "contrast")
    assert run.code == 1
    assert run.has(r"Golden of net not updated: .* needs every cell of the model: 5 of 7 were not measured")
    assert project.files() == before


def test_the_same_model_file_updates_the_selected_cells_and_leaves_the_rest_byte_identical(project: Project) -> None:
    project.record()
    before = (project.path / "golden" / "net.json").read_text().splitlines()
    project.edit("contrast], severities: [1, 3]", "contrast, brightness], severities: [1, 3]")
    run = project.run("--robust-update", "-k", "brightness")
    assert run.code == 0
    after = (project.path / "golden" / "net.json").read_text().splitlines()
    added = [line for line in after if line not in before]
    assert sum("brightness" in line for line in added) == 2
    assert all(line in after for line in before if '"predicted"' in line)


def test_update_new_adds_and_never_changes(project: Project) -> None:
    project.record()
    project.edit("contrast], severities: [1, 3]", "contrast, brightness], severities: [1, 3]")
    run = project.run("--robust-update-new")
    assert run.code == 0
    assert run.has(r"Golden of net updated: 2 changed, 7 unchanged")
    project.model("net", bias=12)
    assert project.run("--robust-update-new").code == 1


def test_goldens_the_spec_no_longer_has_are_reported_and_pruned_only_when_asked(project: Project) -> None:
    project.record()
    project.edit("corruptions: [gaussian_noise, contrast]", "corruptions: [contrast]")
    partial = project.run("-k", "clean")
    assert partial.has(r"^2 goldens of net unused \(imagenet-c\.gaussian_noise-1, imagenet-c\.gaussian_noise-3\)")
    assert len(project.golden()["recordings"]["cpu"]["cells"]) == 7
    pruned = project.run("-k", "clean", "--robust-prune")
    assert pruned.has(r"^2 unused goldens of net removed")
    assert sorted(project.golden()["recordings"]["cpu"]["cells"]) == sorted(
        label for label in LABELS if "noise" not in label
    )
    assert not project.run().has("unused")


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        ([], {"CI": "true"}, r"Goldens not updated: goldens are not written in CI \(CI is set\)"),
        (["--robust-limit=20"], {}, r"Goldens not updated: goldens are not written from a smoke run"),
        (["-x", "-k", "clean"], {}, r"Goldens not updated: the run was stopped early"),
    ],
)
def test_updates_are_refused(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    environment: dict[str, str],
    sentence: str,
) -> None:
    project.edit("{min_accuracy: 0.5}", "{where: {shift: clean}, min_accuracy: 1.0}")
    project.model("net", bias=5)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    run = project.run("--robust-update", "--robust-report=out.json", *arguments)
    assert run.code == 1
    assert run.has(sentence)
    assert not (project.path / "golden").exists()
    assert json.loads((project.path / "out.json").read_text())["cells"]


@pytest.mark.parametrize("name", CI_VARIABLES)
def test_every_ci_service_is_known(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ci_variable() is None
    monkeypatch.setenv(name, "1")
    assert ci_variable() == name


def test_an_empty_ci_variable_is_no_ci(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "")
    project.record()


def test_an_interrupted_run_writes_no_golden(project: Project) -> None:
    project.pytester.makeconftest(
        """
        import pytest

        def pytest_runtest_logreport(report):
            if report.when == "call" and "contrast-1" in report.nodeid:
                raise KeyboardInterrupt
        """
    )
    run = project.run("--robust-update", process=True)
    assert run.code == 2
    assert run.has(r"^Goldens not updated: the run was interrupted")
    assert not (project.path / "golden").exists()


def test_a_device_that_fell_back_updates_nothing(project: Project) -> None:
    project.pytester.makeconftest(
        """
        from pytest_robust.models import providers

        def no_driver(runtime, index):
            raise providers.CudaUnavailableError("no NVIDIA driver was found on this machine (libcuda.so.1)")

        import onnxruntime
        import pytest_robust.models.model as model
        model.require_cuda = no_driver
        available = onnxruntime.get_available_providers()
        onnxruntime.get_available_providers = lambda: ["CUDAExecutionProvider", *available]
        """
    )
    run = project.run("--robust-update", process=True)
    assert run.code == 1
    assert run.has(r"^Goldens not updated: the device fell back: cpu \(CUDA not used: no NVIDIA driver")
    assert not (project.path / "golden").exists()
    assert project.run("--robust-update", "--robust-device=cpu", process=True).code == 0


def test_a_candidate_cannot_become_the_golden(project: Project) -> None:
    project.model("worse", bias=12)
    run = project.run("--robust-update", "--robust-model=net=worse.onnx")
    assert run.code == 4
    assert run.has("--robust-update cannot be used with --robust-model")


def test_a_pin_that_does_not_match_is_an_error_and_updates_nothing(project: Project) -> None:
    project.edit("{path: ../net.onnx}", "{path: ../net.onnx, sha256: " + "f" * 64 + "}")
    run = project.run("--robust-update")
    assert run.code == 1
    assert run.has("sha256")
    assert not (project.path / "golden").exists()


def test_a_model_that_gives_nan_updates_nothing(project: Project) -> None:
    from tests.onnx_models import BRIGHTEST, classifier

    classifier(project.path / "net.onnx", BRIGHTEST, bias=[-9.0, 0, 0], root_of_score=True)
    run = project.run("--robust-update")
    assert run.outcomes == {"failed": len(NET)}
    assert run.has(r"NaN")
    assert not (project.path / "golden").exists()


def test_other_data_is_no_regression_but_no_comparable_golden(project: Project) -> None:
    project.record()
    project.edit("classes: 3}", "classes: 3, limit: 100}")
    run = project.run("-k", "clean")
    assert run.code == 1
    headline = run.line("^no comparable golden")
    assert "the sample set changed" in headline
    assert "200 removed" in headline
    assert "egress" not in headline


def test_other_parameters_of_a_shift_are_no_comparable_golden(project: Project) -> None:
    project.record()
    project.edit("severities: [1, 3]}", "severities: [1, 3], table: 224}")
    run = project.run("-k", "contrast-1")
    assert "the shift's parameters changed" in run.line("^no comparable golden")


def test_a_damaged_golden_is_an_error_in_one_sentence(project: Project) -> None:
    project.record()
    path = project.path / "golden" / "net.json"
    path.write_text(path.read_text().replace('"correct": 300', '"correct": 299', 1))
    run = project.run("-k", "clean")
    assert run.outcomes["failed"] == 1
    assert run.has(r"net\.json .*edited by hand")
    assert "Traceback" not in run.text


def test_a_golden_folder_that_cannot_be_written_loses_nothing(project: Project) -> None:
    (project.path / "golden").write_text("a file where a folder should be")
    run = project.run("--robust-update")
    assert run.code == 1
    assert run.has(r"^\S+golden/net\.json cannot be read")
    assert (project.path / "golden").read_text() == "a file where a folder should be"
    assert "Traceback" not in run.text


def test_the_golden_option_overrides_the_spec(project: Project) -> None:
    assert project.run("--robust-update", "--robust-golden=elsewhere").code == 0
    assert (project.path / "elsewhere" / "net.json").exists()
    assert not (project.path / "golden").exists()
    assert project.run("-o", "robust_golden=elsewhere").outcomes == {"passed": len(NET)}


def test_an_anchor_judges_beside_the_latest(project: Project) -> None:
    project.edit("golden: ../golden", "golden: {path: ../golden, anchor: release-1}")
    project.edit("max_negative_flips: 0.05}", "max_negative_flips: 0.05, against: [latest, anchor]}")
    assert project.run("--robust-update").code == 1
    project.run("--robust-update-new", "--robust-golden=golden/release-1")
    assert (project.path / "golden" / "release-1" / "net.json").exists()
    assert project.run().outcomes == {"passed": len(NET)}
    project.model("net", bias=12)
    assert project.run("--robust-update", "--robust-reason=drift").code == 1
    run = project.run("-k", "clean")
    assert run.code == 1
    assert run.has(r"vs anchor golden 100\.00%")
