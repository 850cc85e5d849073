"""`pytest_robust.evaluate`: a whole run from Python, which leaves nothing behind."""

import contextlib
import faulthandler
import io
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import jsonschema
import pytest

import pytest_robust
from pytest_robust.report.schema import report_schema
from tests.cli.conftest import at_home, recorded  # noqa: F401
from tests.folder import Folder
from tests.plugin.project import NET


@pytest.fixture
def project(recorded: Folder, tmp_path: Path) -> Folder:  # noqa: F811
    folder = recorded.copy(tmp_path)
    folder.model("net")
    return folder


def test_the_report_is_that_of_the_command_line(project: Folder) -> None:
    report = pytest_robust.evaluate(project.path / "specs/small.yaml")
    jsonschema.validate({**report, "npz_sha256": "0" * 64}, report_schema())
    written = project.json("same.json")
    keys = ("id", "n", "correct", "verdict", "canvas_digest", "flips", "golden", "reasons")
    assert [[cell[key] for key in keys] for cell in report["cells"]] == [
        [cell[key] for key in keys] for cell in written["cells"]
    ]
    assert report["run"]["complete"] is True
    assert report["run"]["failed"] == {}


def test_options_reach_the_run(project: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.path)
    project.model("worse", bias=12)
    report = pytest_robust.evaluate(
        "specs/small.yaml", models={"net": "worse.onnx"}, select="clean", device="cpu", batch_size=7
    )
    assert [cell["id"] for cell in report["cells"]] == NET[:1]
    assert report["cells"][0]["verdict"] == "REGRESSED"
    assert list(report["run"]["failed"]) == NET[:1]
    assert report["run"]["candidates"]["net"]["path"].endswith("worse.onnx")
    assert pytest_robust.evaluate("specs/small.yaml", limit=9, select="clean")["cells"][0]["n"] == 9
    nowhere = pytest_robust.evaluate("specs/small.yaml", golden="nowhere", select="clean")
    assert nowhere["cells"][0]["verdict"] == "NO_GOLDEN"


def test_a_profile_and_workers(project: Folder) -> None:
    text = (project.path / "specs/small.yaml").read_text()
    project.spec(text + "profiles:\n  quick: {severities: [1]}\n")
    report = pytest_robust.evaluate(project.path / "specs/small.yaml", profile="quick", workers=2)
    assert report["run"]["profile"] == "quick"
    assert [cell["verdict"] for cell in report["cells"]] == ["PASS"] * len(report["run"]["planned"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"select": "nothing_like_it"}, "select='nothing_like_it' matches no case of "),
        ({"device": "gpu"}, "the device is auto, cpu, cuda or cuda:N"),
        ({"profile": "quick"}, "has no profile 'quick'"),
        ({"models": {"nett": "x.onnx"}}, "did you mean 'net'"),
        ({"limit": 0}, "a whole number of at least 1"),
        ({"select": "(("}, "Wrong expression"),
    ],
)
def test_what_cannot_be_is_a_robust_error(project: Folder, options: dict[str, object], sentence: str) -> None:
    with pytest.raises(pytest_robust.RobustError, match=re.escape(sentence)) as raised:
        pytest_robust.evaluate(project.path / "specs/small.yaml", **options)  # type: ignore[arg-type]
    assert "Traceback" not in str(raised.value)


def test_mistakes_in_the_spec_are_raised_all_at_once(project: Folder) -> None:
    project.edit("min_accuracy: 0.5", "min_acuracy: 0.5")
    project.edit("source: npz", "source: npzz")
    with pytest.raises(pytest_robust.RobustError) as raised:
        pytest_robust.evaluate(project.path / "specs/small.yaml")
    lines = str(raised.value).splitlines()
    assert [line.split(": ")[0].rpartition("/")[2] for line in lines] == ["small.yaml:2:19", "small.yaml:9:6"]
    with pytest.raises(pytest_robust.RobustError, match="there is no file"):
        pytest_robust.evaluate(project.path / "none.yaml")


def test_nothing_is_printed_and_nothing_stays_behind(
    project: Folder, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.path / "conftest.py").write_text(
        "import os, sys\nsys.path.insert(0, '/of/the/conftest')\nos.environ['PYTEST_MINE'] = '1'\n"
        "os.chdir('/')\nprint('noise')\n"
    )
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only")
    before = (
        dict(os.environ),
        list(sys.path),
        {name: module for name, module in sys.modules.items() if "conftest" in name},
        Path.cwd(),
        list(warnings.filters),
        faulthandler.is_enabled(),
        sorted(path.name for path in project.path.iterdir()),
    )
    report = pytest_robust.evaluate(project.path / "specs/small.yaml", select="clean")
    assert report["cells"]
    assert capfd.readouterr() == ("", "")
    assert before == (
        dict(os.environ),
        list(sys.path),
        {name: module for name, module in sys.modules.items() if "conftest" in name},
        Path.cwd(),
        list(warnings.filters),
        faulthandler.is_enabled(),
        sorted(path.name for path in project.path.iterdir() if path.name != "__pycache__"),
    )


def test_a_conftest_that_breaks_leaves_the_current_folder_alone(project: Folder) -> None:
    (project.path / "conftest.py").write_text("import os\nos.chdir('/')\nraise ValueError('mine')\n")
    here = Path.cwd()
    with pytest.raises(pytest_robust.RobustError, match="mine"):
        pytest_robust.evaluate(project.path / "specs/small.yaml")
    assert Path.cwd() == here


def test_verbose_lets_pytest_speak(project: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    pytest_robust.evaluate(project.path / "specs/small.yaml", select="clean", verbose=True)
    assert "net: 1 PASS" in capsys.readouterr().out


def test_the_ini_file_of_the_project_adds_no_options_and_no_reports(project: Folder) -> None:
    (project.path / "pyproject.toml").write_text(
        "[tool.pytest]\naddopts = ['--collect-only']\nrobust_report = ['ini.json']\nstrict = true\n"
    )
    assert pytest_robust.evaluate(project.path / "specs/small.yaml", select="clean")["cells"]
    assert not (project.path / "ini.json").exists()


def test_summaries_and_annotations_are_left_to_the_run_around(project: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path / "summary.md"))
    pytest_robust.evaluate(project.path / "specs/small.yaml", select="clean", golden="nowhere")
    assert not (project.path / "summary.md").exists()
    assert os.environ["GITHUB_ACTIONS"] == "true"


def test_it_works_where_output_is_no_file_as_in_a_notebook(project: Folder) -> None:
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        first = pytest_robust.evaluate(project.path / "specs/small.yaml", select="clean")
        second = pytest_robust.evaluate(project.path / "specs/small.yaml", select="contrast")
    assert (out.getvalue(), err.getvalue()) == ("", "")
    assert [len(report["cells"]) for report in (first, second)] == [1, 2]


def test_it_runs_in_a_script_without_the_plugins_being_loaded_by_themselves(project: Folder) -> None:
    code = (
        "import json, pytest_robust; "
        "print(json.dumps(pytest_robust.evaluate('specs/small.yaml', select='clean')['run']['failed']))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=project.path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {}


def test_importing_the_package_imports_nothing_of_it() -> None:
    code = "import sys, pytest_robust; print(sorted(name for name in sys.modules if name.startswith('pytest_robust.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
