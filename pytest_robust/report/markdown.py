"""The report as markdown that fits a pull-request comment: mistakes and failures first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_robust.report import attacked, chosen, frontier
from pytest_robust.report.counted import counted
from pytest_robust.report.notes import cell_notes, dropped
from pytest_robust.report.table import change, headings, percent, rows, scores_text, verdict_text
from pytest_robust.report.transfer import legend_of, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMMENT_BYTES = 60_000
"""GitHub refuses comments over 65,536 characters."""

_LONGEST = 600
_COLUMNS = 12


def markdown(report: Mapping[str, Any], room: int = COMMENT_BYTES) -> str:
    """Draw a report.

    Args:
        report: the structure that the JSON report holds.
        room: bytes of UTF-8 that it may have; what does not fit is counted instead of shown.
    """
    run = report["run"]
    failed = run["failed"]
    bad = run["errors"] or failed or run["refused"] or run["unused_waivers"]
    state = "FAILED" if bad else "incomplete" if not run["complete"] else "passed"
    head = [f"## Robustness: {state}", ""]
    if run["smoke"]:
        head += ["**SMOKE**: a few images only; this proves nothing.", ""]
    if run["shard"]:
        head += [f"Shard {run['shard']}; aggregates are judged by `pytest-robust merge`.", ""]
    head += [line for sentence in run["refused"] for line in (_text(sentence), "")]
    tail = [line for sentence in run["unused_waivers"] for line in ("", _text(sentence))]
    if run["not_run"]:
        tail += ["", f"{len(run['not_run'])} of {len(run['planned'])} planned cases were not run."]
    device = run["device"] or "nothing measured"
    tail += ["", f"{device}, onnxruntime {run['versions'].get('onnxruntime') or '-'}, {run['duration_s']:.0f} s"]
    left = room - _size(head) - _size(tail) - 800  # the counts of what is left out
    # the table stands below the failures, and has its room before them: thousands of them say less than its rows
    table, unused = _table(report, left // 2)
    left -= left // 2 - unused
    errors = run["errors"]
    mistakes, left = _section("mistake" + "s" * (len(errors) != 1), [f"- {_text(found)}" for found in errors], left)
    failures, left = _section("failed", [_item(*entry) for entry in failed.items()], left)
    looked_at = [cell for cell in report["cells"] if _is_noted(cell, run)]
    others = (cell for cell in report["cells"] if not _is_noted(cell, run))
    further = [_item(*entry) for entry in run["waived"].items()]
    aggregates = [
        _item(found["id"], f"{found['verdict']}, {'; '.join(_reasons(found))}") for found in report["aggregates"]
    ]
    summary = rows(report["cells"], failed)
    scores = [_item(f"{row.spec}::{row.model}", scores_text(row.scores)) for row in summary if row.scores]
    lines = [*head, *mistakes, *failures, *table]
    for title, found in (
        ("to look at", [_item(cell["id"], _noted(cell)) for cell in looked_at]),
        ("waived", further),
        ("expected to fail", [_item(*entry) for entry in run["expected"].items()]),
        ("aggregate" + "s" * (len(aggregates) != 1), aggregates),
        ("scored", scores),
        ("noted", [f"- {_text(note)}" for note in (*dropped(run), *cell_notes(others))]),
    ):
        section, left = _section(title, found, left)
        lines += section
    for found in report["aggregates"]:
        if "matrix" in found:
            section, left = _grid(found["id"], *table_of(found["matrix"]), legend_of(found["matrix"]), left)
            lines += section
        if study := found.get("pareto"):
            section, left = _grid(found["id"], *frontier.table_of(study), frontier.legend_of(study), left)
            lines += section
    if attacks := [cell for cell in report["cells"] if cell.get("attack")]:
        heads, shown = attacked.table_of(attacks)
        above = [attacked.LEGEND, "", *_heads(heads)]
        section, left = _section("attack" + "s" * (len(attacks) != 1), [_row(line) for line in shown], left, above)
        lines += section
    for model, shifts in chosen.by_model(report["cells"]).items():
        section, left = _grid(model, chosen.HEADS, shifts, chosen.LEGEND, left)
        lines += section
    text = "\n".join([*lines, *tail]) + "\n"
    return text if len(text.encode()) <= room else ""


def _section(title: str, items: Sequence[str], room: int, above: Sequence[str] = ()) -> tuple[list[str], int]:
    """A heading, what stands above the items, as many of them as there is room for, and the room that is left."""
    lines = [f"### {len(items)} {title}", "", *above]
    if not items or (above and room < _size(lines)):
        return [], room
    room -= _size(lines)
    for shown, item in enumerate(items):
        if room < _size([item]):
            return [*lines, f"- ... and {len(items) - shown} more", ""], room
        lines.append(item)
        room -= _size([item])
    return [*lines, ""], room


def _grid(
    name: str, heads: Sequence[str], rows: Sequence[Sequence[str]], legend: str, room: int
) -> tuple[list[str], int]:
    """A table of its own, whole or not at all."""
    lines = [f"### `{name}`", "", *_heads(heads), *map(_row, rows), "", legend, ""]
    return (lines, room - _size(lines)) if _size(lines) <= room else ([], room)


def _table(report: Mapping[str, Any], room: int) -> tuple[list[str], int]:
    table = rows(report["cells"], report["run"]["failed"])
    if not table:
        return [], room
    names = headings(table)
    several = len({row.spec for row in table}) > 1
    shown = names[:_COLUMNS]
    heads = ["model", "clean", *shown, *(["..."] if len(names) > len(shown) else []), "vs golden", "verdicts"]
    lines = [_row(heads), _row(["---", *["---:"] * (len(heads) - 2), "---"])]
    room -= _size(lines)
    for position, row in enumerate(table):
        line = _row(
            [
                f"{row.spec}::{row.model}" if several else row.model,
                percent(row.clean),
                *(percent(row.entries.get(name)) for name in shown),
                *([""] if len(names) > len(shown) else []),
                change(row.worst),
                verdict_text(row.verdicts),
            ]
        )
        if room < _size([line]):
            return [*lines, "", f"... and {counted(len(table) - position, 'more model')}", ""], room
        lines.append(line)
        room -= _size([line])
    return [*lines, ""], room


def _is_noted(cell: Mapping[str, Any], run: Mapping[str, Any]) -> bool:
    passed = all(cell["id"] not in run[outcome] for outcome in ("failed", "waived", "expected"))
    return passed and cell["verdict"] not in ("PASS", "UPDATED")


def _reasons(found: Mapping[str, Any]) -> Sequence[str]:
    """Why an aggregate has its verdict; the first reason alone where a table holds the others."""
    reasons: Sequence[str] = found["reasons"]
    return reasons[:1] if "matrix" in found or "pareto" in found else reasons


def _noted(cell: Mapping[str, Any]) -> str:
    return f"{cell['verdict']}, {'; '.join(cell['reasons'])}"


def _item(name: str, headline: str) -> str:
    return f"- `{name}`: {_text(headline)}"


def _heads(heads: Sequence[str]) -> list[str]:
    return [_row(heads), _row(["---", *["---:"] * (len(heads) - 1)])]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_text(cell) for cell in cells) + " |"


def _text(text: str) -> str:
    """On one line, without what markdown or HTML would take for their own; a mention or issue number stays text."""
    line = " ".join(text.split())
    line = line if len(line) <= _LONGEST else line[:_LONGEST] + " ..."
    return line.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def _size(lines: Sequence[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)
