"""What is collected, under which ids, and how it is selected."""

from pathlib import Path

import pytest

from tests.plugin.project import LABELS, NET, Project


def test_one_item_per_model_and_shift_in_the_order_of_the_spec(project: Project) -> None:
    run = project.run("--collect-only", "-q")
    assert run.collected == NET
    assert run.code == 0


def test_the_tree_is_spec_then_model_then_cell(project: Project) -> None:
    run = project.run("--collect-only")
    run.result.stdout.fnmatch_lines(["*<SpecFile small.yaml>", "*<ModelNode net>", "*<CellItem clean>"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--robust-spec", "specs/small.yaml"],
        ["--robust-spec=specs/small.yaml"],
        ["--robust-spec=specs/small.yaml", "--robust-spec", "specs/../specs/small.yaml"],
        ["specs/small.yaml"],
        ["--robust-spec=specs/small.yaml", "specs/small.yaml"],
    ],
)
def test_a_spec_is_collected_once_however_it_is_named(project: Project, arguments: list[str]) -> None:
    run = project.run(*arguments, "--collect-only", "-q", spec=False)
    assert run.collected == NET


def test_the_option_in_two_words_runs_with_workers(project: Project) -> None:
    run = project.run("--robust-spec", "specs/small.yaml", "-n2", "--robust-limit=20", spec=False, process=True)
    assert run.outcomes == {"passed": len(NET)}


def test_a_named_spec_leaves_testpaths_alone_and_positional_arguments_come_too(project: Project) -> None:
    project.pytester.makepyfile(**{"tests/test_other": "def test_other(): pass"})
    project.pytester.makefile(".toml", pyproject="[tool.pytest]\ntestpaths = ['tests']\n")
    assert project.run("--collect-only", "-q", spec=False).collected == ["tests/test_other.py::test_other"]
    assert project.run("--collect-only", "-q").collected == NET
    both = project.run("tests", "--collect-only", "-q").collected
    assert both == ["tests/test_other.py::test_other", *NET]


def test_addopts_may_name_the_spec(project: Project) -> None:
    project.pytester.makefile(".toml", pyproject="[tool.pytest]\naddopts = ['--robust-spec', 'specs/small.yaml']\n")
    assert project.run("--collect-only", "-q", spec=False).collected == NET


def test_verbose_output_shows_node_ids_that_select(project: Project) -> None:
    lines = project.run("-v").text.splitlines()
    assert [line.split(" ")[0] for line in lines if line.startswith("specs/small.yaml::")] == NET


def test_a_node_id_inside_the_spec_narrows_it(project: Project) -> None:
    assert project.run("specs/small.yaml::net::clean", "--collect-only", "-q").collected == NET[:1]
    assert project.run("specs/small.yaml::net", "--collect-only", "-q").collected == NET
    assert project.run(NET[3], "--collect-only", "-q", spec=False).collected == [NET[3]]


def test_specs_are_found_in_folders_by_pattern_only(project: Project) -> None:
    assert project.run("--collect-only", "-q", spec=False).collected == []
    (project.path / "specs" / "release.robust.yaml").write_bytes((project.path / "specs/small.yaml").read_bytes())
    found = project.run("--collect-only", "-q", spec=False).collected
    assert found == [name.replace("small", "release.robust") for name in NET]
    project.pytester.makefile(".toml", pyproject="[tool.pytest]\nrobust_files = ['specs/s*.yaml']\n")
    assert project.run("--collect-only", "-q", spec=False).collected == NET


def test_other_yaml_is_never_touched(project: Project) -> None:
    (project.path / "compose.yaml").write_text("services: {}\n")
    run = project.run("compose.yaml", "--collect-only", "-q", spec=False)
    assert run.code == 4
    assert run.collected == []


def test_a_missing_spec_is_a_usage_error_that_names_it(project: Project) -> None:
    run = project.run("--robust-spec=specs/none.yaml", spec=False)
    assert run.code == 4
    assert run.line("ERROR").endswith(f"--robust-spec: there is no file {Path(project.path, 'specs/none.yaml')}")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-k", "net and contrast"], ["imagenet-c.contrast-1", "imagenet-c.contrast-3"]),
        (["-k", "noise-3"], ["imagenet-c.gaussian_noise-3"]),
        (["-m", "robust(suite='scaling')"], ["scaling.down_up-0.5", "scaling.down_up-2"]),
        (["-m", "robust(severity=1)"], ["imagenet-c.gaussian_noise-1", "imagenet-c.contrast-1"]),
        (["-m", "robust(severity='0.5')"], ["scaling.down_up-0.5"]),
        (["-m", "robust(model='net') and not robust(suite='scaling')"], LABELS[:5]),
        (["-m", "robust"], LABELS),
        (["--deselect", "specs/small.yaml::net::clean"], LABELS[1:]),
        (["--deselect", "specs/small.yaml::net"], []),
    ],
)
def test_selection_works_as_for_any_test(project: Project, arguments: list[str], expected: list[str]) -> None:
    run = project.run("--collect-only", "-q", *arguments)
    assert [name.split("::")[-1] for name in run.collected] == expected


def test_every_mistake_of_a_spec_is_reported_at_once_with_its_place(project: Project) -> None:
    project.edit("min_accuracy: 0.5", "min_acuracy: 0.5")
    project.edit("corruptions: [gaussian_noise, contrast]", "corruptions: [gausian_noise]")
    project.edit("source: npz", "source: npzz")
    run = project.run()
    assert run.code == 2
    found = [line for line in run.text.splitlines() if line.startswith("specs/small.yaml:")]
    assert [line.split(": ")[0] for line in found] == [
        "specs/small.yaml:2:19",
        "specs/small.yaml:6:39",
        "specs/small.yaml:9:6",
    ]
    assert "did you mean 'npz'" in found[0]
    assert "did you mean 'gaussian_noise'" in found[1]
    assert "did you mean 'min_accuracy'" in found[2]
    assert "Traceback" not in run.text


def test_collecting_opens_no_image_no_model_and_no_runtime(project: Project) -> None:
    (project.path / "data.npz").unlink()
    (project.path / "net.onnx").unlink()
    project.edit("../data.npz", "'${NOT_SET_ANYWHERE}/data.npz'")
    project.pytester.makeconftest(
        """
        import sys

        def pytest_collection_finish(session):
            heavy = {"torch", "onnxruntime", "onnx", "PIL", "cv2", "scipy"} & set(sys.modules)
            print("heavy:", sorted(heavy))
        """
    )
    run = project.run("--collect-only", "-q", process=True)
    assert run.collected == NET
    assert run.line("heavy:") == "heavy: []"


def test_a_run_without_a_spec_imports_nothing_heavy(project: Project) -> None:
    project.pytester.makepyfile(
        """
        import sys

        def test_nothing_is_imported():
            heavy = {"numpy", "yaml", "pydantic", "rich", "pytest_robust.collect", "pytest_robust.controller"}
            assert not heavy & set(sys.modules)
        """
    )
    run = project.run(spec=False, process=True)
    assert run.outcomes == {"passed": 1}


def test_the_garbage_collector_is_on_again_after_collection(project: Project) -> None:
    project.pytester.makeconftest(
        """
        import gc

        import pytest

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_collection(session):
            result = yield
            print("collector on:", gc.isenabled(), "kept:", gc.get_freeze_count() > 1000)
            return result

        def pytest_itemcollected(item):
            assert not gc.isenabled()
        """
    )
    run = project.run("--collect-only", "-q", process=True)
    assert run.collected == NET
    assert run.line("collector on") == "collector on: True kept: True"
