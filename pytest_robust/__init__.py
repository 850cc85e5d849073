"""Robustness regression testing for image classifiers, as a pytest plugin.

The plugin is `pytest_robust.plugin`. The functions here are the same machinery for notebooks; they are imported
when they are first used, because a pytest run that names no spec imports this package too.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_robust.api import apply_shift, list_shifts
    from pytest_robust.errors import RobustError
    from pytest_robust.evaluation import evaluate

__all__ = ["RobustError", "apply_shift", "evaluate", "list_shifts"]

_HOMES = {
    "RobustError": "pytest_robust.errors",
    "apply_shift": "pytest_robust.api",
    "evaluate": "pytest_robust.evaluation",
    "list_shifts": "pytest_robust.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
