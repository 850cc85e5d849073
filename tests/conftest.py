"""What all tests share."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images and models: $PYTEST_ROBUST_DATA, or shared/data beside the checkout."""
    named = os.environ.get("PYTEST_ROBUST_DATA")
    folder = Path(named) if named else CHECKOUT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real images and models: {folder} is not a folder; set PYTEST_ROBUST_DATA to one")
    return folder


@pytest.fixture(scope="session", autouse=True)
def built_in() -> dict[Any, Any]:
    """The shifts of the process's registry before any test."""
    from pytest_robust.registry import default_registry

    return dict(default_registry()._shifts)


@pytest.fixture(autouse=True)
def own_shifts_end_with_their_test(built_in: dict[Any, Any]) -> Iterator[None]:
    """A run inside the test's process, or a fixture's, adds the shifts of its conftest to the process's registry."""
    from pytest_robust.registry import default_registry

    yield
    registry = default_registry()
    registry._shifts.clear()
    registry._shifts.update(built_in)
