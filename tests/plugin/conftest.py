"""A user's project for every test of the plugin."""

import cv2  # noqa: F401
import PIL.Image
import pytest
import scipy.special  # noqa: F401

# pytester forgets what a run in this process imported, and extension modules do not survive a second import:
# import here, once, all that a run imports.
import pytest_robust.bench
import pytest_robust.collect
import pytest_robust.controller
import pytest_robust.models.runtime
from pytest_robust.settings import CI_VARIABLES
from tests.plugin.project import Project


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of the tests' own are not in CI unless a test says so."""
    for name in (*CI_VARIABLES, "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
        monkeypatch.delenv(name, raising=False)


pytest_robust.models.runtime.load_runtime()
PIL.Image.init()


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    return Project(pytester)


@pytest.fixture
def attacked(project: Project) -> Project:
    """Two models under a white-box attack of 8 grey levels; `other` has some of the images wrong."""
    from tests.plugin.attacked import SPEC

    project.model("other", 10)
    project.spec(SPEC % "")
    return project


@pytest.fixture
def crafting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by `source shift` whenever a run in this process crafts; `WRITES_DOWN` does the same in others."""
    from pytest_robust.engine.crafting import Crafting

    made, names = Crafting._attacker, []

    def writing_down(self, want, shape):
        names.append(f"{want.cell.source.name} {want.cell.shift.shift}")
        return made(self, want, shape)

    monkeypatch.setattr(Crafting, "_attacker", writing_down)
    return names
