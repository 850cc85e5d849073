"""`pytest-robust accept`: take what a run in CI measured as the new golden."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from pytest_robust.golden import GoldenFile, Proposal
    from pytest_robust.report.reading import StoredReport

NAME = "accept"
HELP = "record what a report measured as the goldens of its specs"
DESCRIPTION = """\
Record what a run elsewhere measured, in CI or on a GPU that you do not have, as the goldens
of its specs. Run it in a checkout of the commit that was measured, then review the change
with git diff and commit it.

The report is a pair of files, report.json and report.npz; both must be there. The rules are
those of `pytest --robust-update`: a new model file needs every cell of the model, a golden
never mixes two model files. Nothing is written, with the reason printed, from a smoke run, a
run that was interrupted, a run with candidates (--robust-model), a report with cells that
ended in ERROR, a changed spec, or while a CI service's variable is set. All models are
checked, and all files stored under other names, before the first golden is replaced, so that
one refusal or a full disk keeps every golden as it was."""
EPILOG = """\
exit codes: 0 recorded or already up to date, 1 refused,
            2 the report cannot be read, or a golden not be read or written

examples:
  pytest-robust accept report.json --reason "v2: half the size"
  pytest-robust accept report.json --reason "retrained" --model resnet --model resnet-int8
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("report", metavar="REPORT.json", type=Path, help="what --robust-report wrote")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why the goldens change; stored with them")
    parser.add_argument(
        "--model",
        dest="models",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="only these models (default: all that were run)",
    )
    parser.add_argument("--golden", type=Path, metavar="DIR", help="golden folder, in place of the spec's own")


def run(asked: argparse.Namespace) -> int:
    """Check everything, then write."""
    from pytest_robust.errors import RobustError
    from pytest_robust.golden import Step, write_all
    from pytest_robust.report.changes import change_lines
    from pytest_robust.report.reading import read_report

    if not asked.reason.strip():
        raise RobustError("--reason is empty; say in a few words why the goldens change")
    report = read_report(asked.report)
    pairs = _chosen(report, asked.models)
    refusals = list(_refusals(report, pairs))
    proposals = []
    if not refusals:
        for spec, model in pairs:
            folder, golden, proposal = _propose(report, spec, model, asked.reason, asked.golden)
            refusals += proposal.refusals
            proposals.append((model, folder, golden, proposal))
    if refusals:
        for refusal in refusals:
            print(f"not accepted: {refusal}", file=sys.stderr)
        return 1
    steps = [Step(folder, proposal.golden, golden) for _, folder, golden, proposal in proposals]
    for (model, folder, _, proposal), written in zip(proposals, write_all(steps), strict=True):
        for line in change_lines(proposal, model, folder, bool(written)):
            print(line)
    for note in _notes(report, pairs):
        print(note)
    return 0


def _chosen(report: StoredReport, names: list[str]) -> list[tuple[str, str]]:
    """The models to accept, each with its spec.

    Raises:
        RobustError: the report has none of that name, or none at all.
    """
    from pytest_robust.errors import RobustError
    from pytest_robust.spec.problems import did_you_mean

    there = list(dict.fromkeys((cell["spec"], cell["model"]) for cell in report.structure["cells"]))
    known = list(dict.fromkeys(model for _, model in there))
    for name in names:
        if name not in known:
            raise RobustError(f"{report.path} has no model '{name}'{did_you_mean(name, known)}")
    if not there:
        raise RobustError(f"{report.path} holds no cell; nothing was measured")
    return [pair for pair in there if not names or pair[1] in names]


def _refusals(report: StoredReport, pairs: list[tuple[str, str]]) -> Iterator[str]:
    from pytest_robust.report.counted import counted
    from pytest_robust.report.planned import profile_refusal
    from pytest_robust.settings import ci_variable

    run = report.run
    if variable := ci_variable():
        yield f"goldens are not written in CI ({variable} is set); run this on a machine of your own"
    if run["smoke"]:
        yield "it was a smoke run, on a few images only; run it without --robust-limit"
    if run["interrupted"]:
        yield run["interrupted"]
    for spec in dict.fromkeys(spec for spec, _ in pairs):
        if refusal := profile_refusal(spec, run["specs"][spec]):
            yield refusal
    for model in dict.fromkeys(model for _, model in pairs):
        if model in run["candidates"]:
            yield (
                f"{model} was a candidate ({run['candidates'][model]['path']}), and a golden belongs to the spec's own "
                "model; give the model this file in the spec, then run it"
            )
    for spec, model in pairs:
        broken = [
            cell["id"]
            for cell in report.structure["cells"]
            if (cell["spec"], cell["model"]) == (spec, model) and cell["id"] not in report.measurements
        ]
        fallen = [
            made.provenance.device
            for name, made in report.measurements.items()
            if name.startswith(f"{spec}::{model}::") and made.provenance.fell_back
        ]
        if fallen:
            yield f"{model} fell back to {fallen[0]}; run it on the device that was meant, or with --robust-device=cpu"
        if broken:
            more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
            again = "run them again" if len(broken) > 1 else "run it again"
            yield f"{counted(broken, 'cell')} of {model} ended in ERROR ({', '.join(broken[:3])}{more}); {again}"


def _propose(
    report: StoredReport, spec: str, model: str, reason: str, override: Path | None
) -> tuple[Path, GoldenFile | None, Proposal]:
    import datetime

    from pytest_robust.cli.specs import golden_folder
    from pytest_robust.golden import Entry, propose, read

    folder = golden_folder(report, spec, override)
    declared = report.run["specs"][spec]
    # as in a run: in a folder that is named for this once, the file's name is all that goldens of the spec share
    name = declared["name"] if override is None else declared["name"].rpartition("/")[2]
    golden = read(folder, model, spec=name)
    entries = {}
    for cell in report.structure["cells"]:
        if (cell["spec"], cell["model"]) == (spec, model):
            measurement = report.measurements[cell["id"]]
            entries[report.key(cell)] = Entry(measurement, report.samples[measurement.samples])
    proposal = propose(
        golden,
        spec=name,
        model=model,
        entries=entries,
        planned=declared["golden_keys"][model],
        mode="all",
        reason=reason.strip(),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )
    return folder, golden, proposal


def _notes(report: StoredReport, pairs: list[tuple[str, str]]) -> Iterator[str]:
    """What a new golden does not mend."""
    from pytest_robust.report.counted import counted

    below = [
        cell["id"]
        for cell in report.structure["cells"]
        if (cell["spec"], cell["model"]) in pairs and cell["verdict"] == "BELOW_FLOOR" and cell["level"] == "block"
    ]
    if below:
        stay = "stay" if len(below) > 1 else "stays"
        yield f"{counted(below, 'cell')} {stay} below a floor, which no golden changes: {', '.join(below[:3])}"
