"""Robustness regression testing for image classifiers, as a pytest plugin.

The plugin is `pytest_robust.plugin`. The functions here are the same machinery for notebooks; they are imported
when they are first used, because a pytest run that names no spec imports this package too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_robust.shifts.api import apply_shift, list_shifts

__all__ = ["apply_shift", "list_shifts"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pytest_robust.shifts import api

    return getattr(api, name)
