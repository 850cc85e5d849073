"""Markdown that fits a comment, failures first, whatever the run."""

import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pytest_robust.report.markdown import COMMENT_BYTES, markdown
from tests.folder import Folder


def large(
    failures: int, headline: str = "accuracy 61.20% < floor 63.00%", models: int = 1, model: str = "m"
) -> dict[str, Any]:
    """A report of many failed cells, as far as markdown reads it."""
    cells = [
        {
            "id": f"s.yaml::{model}{number % models if models > 1 else ''}::imagenet-c.fog-{number}",
            "spec": "s.yaml",
            "model": f"{model}{number % models if models > 1 else ''}",
            "suite": "imagenet-c",
            "accuracy": 0.5,
            "flips": None,
            "verdict": "BELOW_FLOOR",
            "level": "block",
            "reasons": [headline],
            "notes": [],
        }
        for number in range(failures)
    ]
    names = [cell["id"] for cell in cells]
    run = {
        "specs": {},
        "failed": dict.fromkeys(names, headline),
        "waived": {},
        "expected": {},
        "refused": [],
        "errors": [],
        "unused_waivers": [],
        "planned": names,
        "not_run": [],
        "complete": True,
        "smoke": False,
        "shard": None,
        "device": "cpu",
        "versions": {"onnxruntime": "1.31.1"},
        "duration_s": 1.0,
    }
    return {"run": run, "cells": cells, "aggregates": []}


@pytest.mark.parametrize(("failures", "models"), [(0, 1), (3, 1), (3000, 1), (3000, 1500)])
def test_it_fits_a_comment_and_counts_what_it_leaves_out(failures: int, models: int) -> None:
    text = markdown(large(failures, models=models))
    assert 0 < len(text.encode()) <= COMMENT_BYTES
    shown = sum(line.startswith("- `s.yaml") for line in text.splitlines())
    if failures < 100:
        assert shown == failures
        assert "more" not in text
    else:
        assert f"- ... and {failures - shown} more" in text
        assert shown > 200
    rows = [line for line in text.splitlines() if line.startswith("| m")]
    left = int(found[1]) if (found := re.search(r"^\.\.\. and (\d+) more models?$", text, re.MULTILINE)) else 0
    assert len(rows[1:]) + left == min(failures, models)
    assert len(rows) > 1 or not failures, "the table keeps its room"


def test_failures_stand_before_everything_else(project: Folder) -> None:
    project.report("out.md")
    lines = (project.path / "out.md").read_text().splitlines()
    assert lines[0] == "## Robustness: FAILED"
    assert lines[2] == "### 7 failed"
    assert lines[4].startswith("- `specs/small.yaml::net::clean`: -")
    assert lines.index("### 7 failed") < next(n for n, line in enumerate(lines) if line.startswith("| model"))


def test_what_passed_and_wants_to_be_looked_at_is_listed(project: Folder) -> None:
    project.edit("max_regression: 0.02, max_negative_flips: 0.05}", "max_regression: 0.02, level: warn}")
    project.report("out.md", "-k", "clean")
    text = (project.path / "out.md").read_text()
    assert text.startswith("## Robustness: incomplete\n")
    assert "### 1 to look at\n\n- `specs/small.yaml::net::clean`: REGRESSED, -" in text
    assert "6 of 7 planned cases were not run." in text


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=200))
@example("the model <img src=x onerror=y> <!-- is &lt;unset&gt;")
@example("a | b | c | d | e | f")
@example("# heading\n\n- item\n\n<div>")
def test_no_text_breaks_out_of_its_line(headline: str) -> None:
    """Parsed by a markdown parser: one heading, one list of the failed, one table of one row; no HTML."""
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = parser.parse(markdown(large(2, headline)))
    kinds = [token.type for token in tokens]
    assert kinds.count("bullet_list_open") == kinds.count("table_open") == 1
    assert kinds.count("list_item_open") == 2
    assert kinds.count("heading_open") == 2
    assert "html_block" not in kinds
    table = [token.content for token in tokens if token.type == "inline" and token.content.startswith("imagenet-c")]
    assert table == ["imagenet-c"]
    piped = parser.parse(markdown(large(1, "x", model="a|b<i>")))
    assert [token.content for token in piped if token.type == "inline"].count("a|b&lt;i>") == 1
    inner = [child.type for token in tokens for child in token.children or ()]
    assert "html_inline" not in inner
