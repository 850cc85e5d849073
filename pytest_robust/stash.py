"""What the plugin's parts leave for each other on pytest's own objects."""

from __future__ import annotations

from typing import Any

import pytest

REPORT = pytest.StashKey[dict[str, Any]]()
"""On an item: what it found, in plain values; travels to the controller as `report.robust`."""
