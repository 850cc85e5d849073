"""`pytest-robust merge`: the reports of a gate that was run in shards, as one, proven complete."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from pytest_robust.report.merging import Shards

NAME = "merge"
HELP = "put the reports of shards together, and prove them complete"
DESCRIPTION = """\
Put the reports of a gate that was run in parts together, as `pytest --robust-shard=I/N`
writes them: every cell that the specs declare must have been measured, with one version of
the spec and of the libraries, one model file and the same samples. Cells that are missing, or
were measured twice with different results, are named, and then nothing is written.

Aggregates (mce, trend, compare, ...) stand on cells of several shards, so they are judged
here. That takes the specs and their goldens: run it in a checkout of the commit that was
measured. An aggregate that cannot be judged is named, and counts as not run."""
EPILOG = """\
exit codes: 0 complete and nothing failed
            1 incomplete, contradictory, a case failed, a spec has mistakes, an update was
              refused, or a waiver excuses nothing
            2 a report cannot be read, or the merged one not written

examples:
  pytest --robust-spec=specs/net.yaml --robust-shard=1/3 --robust-report=shard-1.json
  pytest-robust merge shard-*.json --out report.json
  pytest-robust merge shard-*.json --out report.json --out report.md
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("shards", nargs="+", metavar="SHARD.json", type=Path, help="the report of a part")
    parser.add_argument(
        "--out",
        action="append",
        required=True,
        type=Path,
        metavar="PATH",
        help="the merged report, .json (with .npz beside it) or .md; repeatable",
    )
    parser.add_argument("--golden", type=Path, metavar="DIR", help="golden folder, in place of the specs' own")


def run(asked: argparse.Namespace) -> int:
    """Check, judge the aggregates, write."""
    from pytest_robust.errors import RobustError
    from pytest_robust.report.counted import counted
    from pytest_robust.report.github import append_summary
    from pytest_robust.report.markdown import markdown
    from pytest_robust.report.merging import Shards
    from pytest_robust.report.notes import cell_notes, dropped
    from pytest_robust.report.place import check_place
    from pytest_robust.report.reading import read_report
    from pytest_robust.report.structure import write_json
    from pytest_robust.report.table import rows, verdict_text
    from pytest_robust.whole_file import replace

    for path in asked.out:
        if path.suffix not in {".json", ".md"}:
            raise RobustError(f"--out {path}: the suffix chooses the format; use .json or .md")
    inputs = list(dict.fromkeys(path.resolve() for path in asked.shards))
    if taken := [path for path in asked.out if path.resolve() in inputs]:
        raise RobustError(f"--out {taken[0]} is one of the reports to merge; choose another name")
    for path in asked.out:
        check_place(path)
    shards = Shards([read_report(path) for path in dict.fromkeys(asked.shards)])
    problems = list(shards.problems())
    for problem in problems:
        print(f"not merged: {problem}", file=sys.stderr)
    if problems:
        return 1
    judged: list[dict[str, Any]] = []
    unjudged = list(_judge(shards, asked.golden, judged))
    merged = shards.put_together(judged)
    for path in asked.out:
        if path.suffix == ".json":
            write_json(path, merged, shards.measurements, shards.samples)
        else:
            replace(path, markdown(merged).encode(), "report")
    append_summary(merged)
    for row in rows(merged["cells"], merged["run"]["failed"]):
        print(f"{row.spec}::{row.model}: {verdict_text(row.verdicts)}")
    for found in merged["aggregates"]:
        print(f"{found['id']}: {found['verdict']}, {'; '.join(found['reasons'])}")
    for note in (*dropped(merged["run"]), *(f"note on {note}" for note in cell_notes(merged["cells"]))):
        print(note)
    for name, headline in merged["run"]["failed"].items():
        print(f"FAILED {name} - {headline}")
    wrong = [*unjudged, *(text for name in ("errors", "refused", "unused_waivers") for text in merged["run"][name])]
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    sizes = [counted(shards.reports, "report"), *(counted(merged[f"{noun}s"], noun) for noun in ("cell", "aggregate"))]
    print(f"{', '.join(sizes)} merged")
    return 1 if wrong or merged["run"]["failed"] else 0


def _judge(shards: Shards, golden: Path | None, judged: list[dict[str, Any]]) -> Iterator[str]:
    """Judge the aggregates of all specs into `judged`; yield a sentence for each that cannot be."""
    from pytest_robust.errors import RobustError

    for spec, declared in shards.specs.items():
        if not declared["aggregates"]:
            continue
        try:
            judged += _judge_spec(shards, spec, golden)
        except RobustError as error:
            yield f"not judged: {', '.join(declared['aggregates'])}: {error}"


def _judge_spec(shards: Shards, spec: str, golden: Path | None) -> list[dict[str, Any]]:
    """Judge the aggregates of one spec by the plan in this checkout.

    Raises:
        RobustError: the spec is not there, was changed, or cannot be collected.
    """
    from pytest_robust.bench import Bench
    from pytest_robust.cli.specs import find_spec
    from pytest_robust.errors import RobustError
    from pytest_robust.in_process import collect
    from pytest_robust.report.merging import Replay
    from pytest_robust.settings import Settings

    report = next(report for report in shards.reports if spec in report.run["specs"])
    path, run = find_spec(report, spec), report.run
    profile = run["specs"][spec]["profile"]
    options = [f"--robust-profile={profile}"] if profile else []
    options += [f"--robust-golden={golden.absolute()}"] if golden else []
    models = run["specs"][spec]["keys"]
    options += [f"--robust-model={name}={made['path']}" for name, made in run["candidates"].items() if name in models]
    found = collect([path], *options)
    if found.mistakes:
        raise RobustError("; ".join(" ".join(mistake.split()) for mistake in found.mistakes))
    plan = next(plan for plan in found.plans.values() if plan.path.resolve() == path.resolve())
    bench = Bench(Settings(), Replay(shards))
    return [bench.judge_aggregate(plan, spec, aggregate) for aggregate in plan.aggregates]
