"""The user's project of `tests.plugin.project` in a plain folder, so that a whole module of tests can share one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pytest_robust.in_process import run_pytest
from tests.plugin.project import Project, Run


class Stand:
    """As much of a pytester as `Project` needs."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def makefile(self, ext: str, **files: str) -> None:
        for name, text in files.items():
            (self.path / f"{name}{ext}").write_text(text)

    def runpytest_inprocess(self, *args: str) -> pytest.RunResult:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.path)
            code, text = run_pytest(args)
        return pytest.RunResult(code, text.splitlines(), [], 0.0)


class Folder(Project):
    """A `Project` in any folder."""

    def __init__(self, path: Path, *, new: bool = True) -> None:
        if new:
            super().__init__(Stand(path))  # type: ignore[arg-type]
        else:
            self.pytester, self.path = Stand(path), path  # type: ignore[assignment]

    def copy(self, path: Path) -> Folder:
        """The same project elsewhere, as a checkout on another machine."""
        shutil.copytree(self.path, path, dirs_exist_ok=True)
        return Folder(path, new=False)

    def report(self, name: str, *args: str) -> Run:
        """Run and write the report `name`."""
        return self.run(f"--robust-report={name}", *args)

    def json(self, name: str) -> dict[str, Any]:
        """A report's JSON."""
        found: dict[str, Any] = json.loads((self.path / name).read_text())
        return found
