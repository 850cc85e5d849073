"""A user's project for the commands, and commands that run in this process."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_robust.cli import main
from pytest_robust.settings import CI_VARIABLES
from tests.folder import Folder

Said = tuple[int, str, str]


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands of the tests' own are not in CI unless a test says so."""
    for name in (*CI_VARIABLES, "PYTEST_ADDOPTS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Run a command in a folder: exit code, stdout, stderr. No error of a user's ever shows a traceback."""

    def call(folder: Path, *arguments: str) -> Said:
        monkeypatch.chdir(folder)
        capfd.readouterr()
        code = main(arguments)
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return call


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A project with goldens and `same.json`, and `worse.json` of a worse model file; tests copy it to change it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (*CI_VARIABLES, "GITHUB_STEP_SUMMARY"):
            patch.delenv(name, raising=False)
        folder = Folder(tmp_path_factory.mktemp("recorded"))
        assert folder.run("--robust-update", "--robust-reason=first").code == 0
        assert folder.report("same.json").code == 0
        folder.model("net", bias=12)
        assert folder.report("worse.json").code == 1
    return folder


@pytest.fixture
def project(recorded: Folder, tmp_path: Path) -> Folder:
    """A copy of the recorded project: a checkout of one's own."""
    return recorded.copy(tmp_path)
