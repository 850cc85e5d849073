"""Several reports of one gate, run in shards, as one report; and the proof that together they are the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_robust.errors import RobustError
from pytest_robust.report.outcomes import by_outcome
from pytest_robust.report.structure import structure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_robust.measurement import Measurement, Samples
    from pytest_robust.report.reading import StoredReport
    from pytest_robust.spec.plan import CellPlan

_SHOWN = 10
_SAME_RUN = ("spec_sha256", "specs", "seed")
_CHANGE_NO_RESULT = ("python", "pytest")


@dataclass(frozen=True, slots=True, eq=False)
class Shards:
    """Reports whose cells are put together; of a cell that several hold, the first counts."""

    reports: Sequence[StoredReport]

    @property
    def cells(self) -> dict[str, dict[str, Any]]:
        """Records by id."""
        return {cell["id"]: cell for report in reversed(self.reports) for cell in report.structure["cells"]}

    @property
    def measurements(self) -> dict[str, Measurement]:
        """Of measured cells, by id."""
        return {name: made for report in reversed(self.reports) for name, made in report.measurements.items()}

    @property
    def samples(self) -> dict[str, Samples]:
        """By digest."""
        return {digest: found for report in self.reports for digest, found in report.samples.items()}

    @property
    def specs(self) -> dict[str, dict[str, Any]]:
        """What the specs declare, by their names in ids."""
        return {name: spec for report in self.reports for name, spec in report.run["specs"].items()}

    @property
    def planned(self) -> list[str]:
        """Every id that the specs declare, in the order of a run."""
        return [name for spec in self.specs for name in self._declared(spec)]

    def problems(self) -> Iterator[str]:
        """Why these reports are not one run, one sentence each; none if they are."""
        unlike = list(self._unlike())
        yield from unlike
        if unlike:
            return
        yield from self._twice()
        yield from self._missing()
        yield from self._models()
        yield from self._samples()

    def _unlike(self) -> Iterator[str]:
        for report in self.reports:
            if report.run["smoke"]:
                yield f"{report.path} is of a smoke run, which proves nothing; run it without --robust-limit"
        first = self.reports[0]
        for report in self.reports[1:]:
            if report.run["profile"] != first.run["profile"]:
                profiles = f"{first.run['profile'] or 'none'} and {report.run['profile'] or 'none'}"
                yield f"{first.path} and {report.path} were run with different profiles: {profiles}"
            if not _agree(_candidates(first), _candidates(report)):
                yield f"{first.path} and {report.path} judge different candidates"
            yield from _other_versions(first, report)
        marks = {report.run["shard"].partition("/")[2]: report for report in self.reports if report.run["shard"]}
        if len(marks) > 1:
            shown = " and ".join(f"{report.path} is shard {report.run['shard']}" for report in marks.values())
            yield f"the shards are of different divisions: {shown}"
        for name in self.specs:
            holders = [report for report in self.reports if name in report.run["specs"]]
            for report in holders[1:]:
                if any(report.run[key][name] != holders[0].run[key][name] for key in _SAME_RUN):
                    yield f"{holders[0].path} and {report.path} were run with different versions of {name}"

    def _twice(self) -> Iterator[str]:
        holders: dict[str, StoredReport] = {}
        for report in self.reports:
            for cell in report.structure["cells"]:
                other = holders.setdefault(cell["id"], report)
                if other is not report and not _same(other, report, cell["id"]):
                    yield f"{cell['id']} was measured twice, with different results: {other.path} and {report.path}"

    def _missing(self) -> Iterator[str]:
        aggregates = {name for spec in self.specs.values() for name in spec["aggregates"]}
        there = self.cells
        missing = [name for name in self.planned if name not in there and name not in aggregates]
        if missing:
            absent = self._absent()
            reason = f"; there is no report of shard {_shown(absent)}" if absent else ""
            yield f"{len(missing)} of {len(self.planned)} were not measured: {_shown(missing)}{reason}"

    def _absent(self) -> list[str]:
        """The shards that no report is of."""
        marks = [report.run["shard"] for report in self.reports if report.run["shard"]]
        count = marks[0].partition("/")[2] if marks else "0"
        return [mark for number in range(int(count)) if (mark := f"{number + 1}/{count}") not in marks]

    def _models(self) -> Iterator[str]:
        files: dict[tuple[str, str], set[str]] = {}
        for cell in self.cells.values():
            if cell["model_sha256"]:
                files.setdefault((cell["spec"], cell["model"]), set()).add(cell["model_sha256"])
        for (spec, model), hashes in files.items():
            if len(hashes) > 1:
                shown = ", ".join(sorted(digest[:12] for digest in hashes))
                yield f"the cells of {spec}::{model} come from {len(hashes)} model files (sha256 {shown})"

    def _samples(self) -> Iterator[str]:
        groups: dict[tuple[str, int], dict[str, str]] = {}
        for report in self.reports:
            for cell in report.structure["cells"]:
                if cell["samples_digest"]:
                    number = self.specs[cell["spec"]]["datasets"][report.key(cell)]
                    groups.setdefault((cell["spec"], number), {}).setdefault(cell["samples_digest"], cell["id"])
        for digests in groups.values():
            if len(digests) > 1:
                shown = ", ".join(f"{name} ({digest[:12]})" for digest, name in digests.items())
                yield f"the shards were measured on different samples of one data set: {shown}"

    def put_together(self, aggregates: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The one report.

        Args:
            aggregates: reports of the aggregates that were judged, as a run's items make them.
        """
        runs = [report.run for report in self.reports]
        names = dict.fromkeys(name for run in runs for name in run["versions"])
        outcomes = by_outcome(aggregates)
        for kind, told in outcomes.items():
            told |= {name: text for run in runs for name, text in run[kind].items() if name in self.cells}
        merged = structure(
            started=min(run["started"] for run in runs),
            duration_s=sum(run["duration_s"] for run in runs),
            smoke=False,
            profile=runs[0]["profile"],
            shard=None,
            interrupted=None,
            plans=[self._plan(name) for name in self.specs],
            cells=list(self.cells.values()),
            aggregates=[report["record"] for report in aggregates],
            measurements=self.measurements,
            **outcomes,
            refused=list(dict.fromkeys(text for run in runs for text in run.get("refused", ()))),
            errors=list(dict.fromkeys(text for run in runs for text in run.get("errors", ()))),
        )
        merged["run"]["versions"] = {
            name: ", ".join(sorted({run["versions"][name] for run in runs if run["versions"].get(name)}))
            for name in names
        }
        return merged

    def _declared(self, name: str) -> list[str]:
        spec = self.specs[name]
        cells = [f"{name}::{model}::{key}" for model, keys in spec["keys"].items() for key in keys]
        return [*cells, *spec["aggregates"]]

    def _plan(self, name: str) -> dict[str, Any]:
        run = next(report.run for report in self.reports if name in report.run["specs"])
        models = run["specs"][name]["keys"]
        return {
            **run["specs"][name],
            "spec": name,
            "sha256": run["spec_sha256"][name],
            "seed": run["seed"][name],
            "golden_from_spec": run["specs"][name]["golden"],
            "planned": self._declared(name),
            "candidates": {model: found["path"] for model, found in run["candidates"].items() if model in models},
        }


class Replay:
    """Gives the measurements of one spec out of reports, in the place of an engine."""

    def __init__(self, shards: Shards) -> None:
        self._cells, self._measurements, self._samples = shards.cells, shards.measurements, shards.samples

    def measure(self, cell: CellPlan, spec: str) -> Measurement:
        """What a shard measured.

        Raises:
            RobustError: the cell ended in ERROR there.
        """
        name = f"{spec}::{cell.id}"
        if name not in self._measurements:
            reasons = self._cells[name]["reasons"] if name in self._cells else ["it is in none of the reports"]
            raise RobustError(f"{name} was not measured: {'; '.join(reasons)}")
        return self._measurements[name]

    def samples(self, measurement: Measurement) -> Samples:
        """The samples that the arrays of a measurement follow."""
        return self._samples[measurement.samples]

    def close(self) -> None:
        """Nothing is held."""


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"


def _candidates(report: StoredReport) -> dict[str, str | None]:
    return {name: found["sha256"] for name, found in report.run["candidates"].items()}


def _agree(first: Mapping[str, str | None], second: Mapping[str, str | None]) -> bool:
    """Whether two reports judge the same candidates, as far as both have measured them."""
    return first.keys() == second.keys() and all(
        file == second[name] or None in (file, second[name]) for name, file in first.items()
    )


def _other_versions(first: StoredReport, second: StoredReport) -> Iterator[str]:
    """What both were measured with in different versions, where that can change a result."""
    theirs = second.run["versions"]
    for name, version in first.run["versions"].items():
        if name not in _CHANGE_NO_RESULT and version and theirs.get(name) and theirs[name] != version:
            yield (
                f"{first.path} and {second.path} were measured with different versions of {name}: {version} and "
                f"{theirs[name]}; run all shards in one environment"
            )


def _same(one: StoredReport, other: StoredReport, name: str) -> bool:
    first, second = one.measurements.get(name), other.measurements.get(name)
    if first is None or second is None:
        return first is second
    facts = [
        (made.samples, made.predicted.tobytes(), made.canvas_digest, made.provenance.model_sha256)
        for made in (first, second)
    ]
    return facts[0] == facts[1]
