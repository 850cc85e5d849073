"""What the plugin's parts leave for each other on pytest's own objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_robust.spec.plan import Plan

PLANS = pytest.StashKey[dict[str, "Plan"]]()
"""On the configuration: every spec that was collected, by its name in ids."""

WHOLE = pytest.StashKey[dict[str, "Plan"]]()
"""Likewise without the profile that this run applies: what the goldens hold."""

IDLE = pytest.StashKey[list[dict[str, Any]]]()
"""On the configuration: what `planned` says of every spec, where this run is a shard without a case to run."""

REPORT = pytest.StashKey[dict[str, Any]]()
"""On an item: what it found, in plain values; travels to the controller as `report.robust`."""
