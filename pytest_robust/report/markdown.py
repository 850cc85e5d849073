"""The report as markdown that fits a pull-request comment: failures first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_robust.report.table import Row, change, headings, percent, verdict_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def markdown(
    report: Mapping[str, Any], table: Sequence[Row], headlines: Mapping[str, str], failed: Sequence[str]
) -> str:
    """Draw a report.

    Args:
        report: the structure that the JSON report holds.
        table: its cells, summarised.
        headlines: first line of the judgement by id.
        failed: ids whose case failed, in order.
    """
    run = report["run"]
    state = "FAILED" if failed else "incomplete" if not run["complete"] else "passed"
    lines = [f"## Robustness: {state}", ""]
    if run["smoke"]:
        lines += ["**SMOKE**: a few images only; this proves nothing.", ""]
    names = headings(table)
    heads = ["model", "clean", *names, "vs golden", "verdicts"]
    lines += [_row(heads), _row(["---", *["---:"] * (len(names) + 2), "---"])]
    for row in table:
        lines.append(
            _row(
                [
                    row.model,
                    percent(row.clean),
                    *(percent(row.entries.get(name)) for name in names),
                    change(row.worst),
                    verdict_text(row.verdicts),
                ]
            )
        )
    if failed:
        lines += ["", f"### {len(failed)} failed", ""]
        lines += [f"- `{name}`: {_escape(headlines[name])}" for name in failed]
    if run["not_run"]:
        lines += ["", f"{len(run['not_run'])} of {len(run['planned'])} planned cases were not run."]
    lines += [
        "",
        f"{run['device']}, onnxruntime {run['versions'].get('onnxruntime', '-')}, {run['duration_s']:.0f} s",
    ]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_escape(cell) for cell in cells) + " |"


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
