"""The table at the end of a run: every figure and every name whole, however narrow the terminal."""

from __future__ import annotations

import pytest

from pytest_robust.report.table import Row
from pytest_robust.report.terminal import draw


def rows(models: int, entries: int) -> list[Row]:
    return [
        Row(
            "s.yaml", f"model-{i}", 0.9, {f"entry-{k}": (i + k) / 100 for k in range(entries)}, 0.01, {"PASS": 3}, 0, {}
        )
        for i in range(models)
    ]


@pytest.mark.parametrize(("models", "entries"), [(20, 14), (2, 14), (40, 3), (1, 1), (3, 40)])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_table_is_drawn_in_pieces_that_fit(models: int, entries: int, width: int) -> None:
    text = draw(rows(models, entries), width, color=False)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    words = text.split()
    for name in (*(f"model-{i}" for i in range(models)), *(f"entry-{k}" for k in range(entries))):
        assert name in words
    for i in range(models):
        for k in range(entries):
            assert f"{i + k}.00" in words
    assert words.count("-1.00") == models


def test_a_table_that_fits_is_one() -> None:
    assert draw(rows(20, 4), 80, color=False).count("accuracy %") == 1
