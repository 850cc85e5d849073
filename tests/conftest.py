"""What all tests share."""

import os
from collections.abc import Iterator
from pathlib import Path

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


@pytest.fixture(autouse=True)
def own_shifts_end_with_their_test() -> Iterator[None]:
    """A run inside the test's process adds the shifts of its conftest to the process's registry."""
    from pytest_robust.registry import default_registry

    registry = default_registry()
    before = dict(registry._shifts)
    yield
    registry._shifts.clear()
    registry._shifts.update(before)
