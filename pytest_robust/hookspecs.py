"""Hooks that a user's conftest may implement."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_robust.shifts.registry import Registry


def pytest_robust_register(registry: Registry) -> None:
    """Add shifts of your own; called before a spec is read.

    A shift added under the suite ``mine`` is asked for by ``{suite: mine}`` in a spec.
    """
