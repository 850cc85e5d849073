"""A project for the reports."""

import pytest

from tests.cli.conftest import at_home, recorded  # noqa: F401
from tests.folder import Folder


@pytest.fixture
def project(recorded: Folder, tmp_path_factory: pytest.TempPathFactory) -> Folder:  # noqa: F811
    """A copy of the recorded project, whose model file is the worse one."""
    return recorded.copy(tmp_path_factory.mktemp("project"))
