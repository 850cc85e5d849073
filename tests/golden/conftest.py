"""A golden on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_robust.golden import GoldenFile, write

from .build import golden


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, GoldenFile]:
    held = golden()
    write(tmp_path, held, expected=None)
    return tmp_path, held
