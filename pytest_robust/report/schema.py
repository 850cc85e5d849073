"""The JSON Schema of the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def report_schema() -> dict[str, Any]:
    """The committed schema (draft 2020-12) of what `--robust-report=x.json` writes."""
    schema: dict[str, Any] = json.loads(Path(__file__).with_name("report.schema.json").read_text())
    return schema
