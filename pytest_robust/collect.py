"""The tree pytest sees: spec file, model, cell. An item measures, is judged, and reports what it found."""

from __future__ import annotations

import abc
import os
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# pytest's own way to tell a report's first line from its body: summaries, JUnit and annotations take the former
from _pytest._code.code import ReprEntryNative, ReprExceptionInfo, ReprFileLocation, ReprTraceback

from pytest_robust.errors import RobustError
from pytest_robust.registry import Registry, default_registry
from pytest_robust.report.foresight import foresight
from pytest_robust.report.outcomes import outcome, told
from pytest_robust.settings import Settings
from pytest_robust.sharding import declared, report_idle, shares
from pytest_robust.spec.build import AbsentError, load_plan
from pytest_robust.spec.plan import AggregatePlan, CellPlan, Plan, severity_text
from pytest_robust.stash import PLANS, REPORT, WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from _pytest._code.code import ExceptionInfo

    from pytest_robust.bench import Bench

_ABSENT = pytest.StashKey[dict[tuple[str, str], dict[str, str]]]()
"""By kind and name what options ask for, and per spec that lacks it a sentence."""

_BENCH = pytest.StashKey["Bench"]()


class VerdictError(Exception):
    """A verdict that fails the item; the text is what the user reads, numbers first."""


class SpecFile(pytest.File):
    """One spec; its children are models, and `_all` for aggregates over several models."""

    plan: Plan

    def __init__(self, **kwargs: Any) -> None:
        config, path = kwargs["parent"].config, kwargs["path"]
        self.display = _display(path, config)
        self.mark = pytest.mark.robust  # looked up once: pytest checks the name against the ini file each time
        if not path.is_relative_to(config.rootpath):
            # pytest would name every file outside its root folder "", and so all of them alike
            kwargs["nodeid"] = self.display
        super().__init__(**kwargs)

    def collect(self) -> Iterator[pytest.Collector]:
        """Read the spec and make a node per model.

        Raises:
            CollectError: everything wrong in the spec, one line each.
        """
        try:
            settings = Settings.from_config(self.config)
        except pytest.UsageError as error:
            raise self.CollectError(str(error)) from None
        registry = Registry(default_registry())  # a conftest's shifts are for the specs below it
        try:
            self.ihook.pytest_robust_register(registry=registry)
            load = partial(load_plan, self.path, registry.catalog(), display=self.display, golden=settings.golden)
            profile, candidates = settings.profile, settings.candidates
            try:
                self.plan = load(profile=profile, candidates=candidates)
            except AbsentError as error:
                lacking = self.config.stash.setdefault(_ABSENT, {})
                for what, sentence in error.absent.items():
                    lacking.setdefault(what, {})[self.display] = sentence
                profile = None if ("profile", profile) in error.absent else profile
                candidates = {name: at for name, at in candidates.items() if ("model", name) not in error.absent}
                self.plan = load(profile=profile, candidates=candidates)
            # a golden folder that is named for a run belongs to what this run measures
            whole = load(candidates=candidates) if profile and settings.golden is None else self.plan
        except RobustError as error:
            raise self.CollectError(str(error)) from None
        self.config.stash.setdefault(PLANS, {})[self.display] = self.plan
        self.config.stash.setdefault(WHOLE, {})[self.display] = whole
        cells: dict[str, list[CellPlan]] = {model.name: [] for model in self.plan.models}
        for cell in self.plan.cells:
            cells[cell.model.name].append(cell)
        aggregates: dict[str, list[AggregatePlan]] = {}
        for aggregate in self.plan.aggregates:
            aggregates.setdefault(aggregate.owner, []).append(aggregate)
        for name in [*cells, *(owner for owner in aggregates if owner not in cells)]:
            yield ModelNode.from_parent(
                self, name=name, spec=self, cells=cells.get(name, ()), aggregates=aggregates.get(name, ())
            )


class ModelNode(pytest.Collector):
    """One model of a spec; its children are its cells and aggregates."""

    def __init__(
        self,
        *,
        spec: SpecFile,
        cells: Iterable[CellPlan],
        aggregates: Iterable[AggregatePlan],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._spec = spec
        self._cells = cells
        self._aggregates = aggregates

    def collect(self) -> Iterator[pytest.Item]:
        """One item per cell, then one per aggregate."""
        for cell in self._cells:
            yield CellItem.from_parent(self, name=cell.key, spec=self._spec, cell=cell)
        for aggregate in self._aggregates:
            yield AggregateItem.from_parent(self, name=aggregate.name, spec=self._spec, aggregate=aggregate)


class RobustItem(pytest.Item):
    """What cells and aggregates share: how they run, fail and report."""

    spec: SpecFile
    line: int

    @abc.abstractmethod
    def judge(self, bench: Bench) -> dict[str, Any]:
        """Measure and judge; what is returned travels on the report."""

    @abc.abstractmethod
    def needed(self) -> Sequence[CellPlan]:
        """The cells whose measurements the item asks for."""

    def runtest(self) -> None:
        """Judge the item and fail, pass or be excused as the verdict says."""
        bench = bench_of(self.session)
        report = self.judge(bench)
        report["line"] = self.line
        self.stash[REPORT] = bench.attach_plans(report)
        self.user_properties.extend(bench.properties(report))
        if not report["fails"]:
            return
        if outcome(report) != "failed":
            pytest.xfail(told(report))
        raise VerdictError(report["text"])

    def repr_failure(self, excinfo: ExceptionInfo[BaseException], style: Any = None) -> Any:
        """A verdict or a user's mistake is a sentence; anything else is a defect and shows its traceback."""
        if not isinstance(excinfo.value, VerdictError | RobustError):
            return super().repr_failure(excinfo, style)
        text = str(excinfo.value)
        crash = ReprFileLocation(str(self.path), self.line, text.partition("\n")[0])
        return ReprExceptionInfo(ReprTraceback([ReprEntryNative([f"{text}\n"])], None, "native"), crash)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The spec's line that asks for this item, and its name in headings.

        Not the end of the node id, in which pytest's -v would write every dot as a double colon.
        """
        return self.path, self.line - 1, f"{self.parent.name if self.parent else ''} x {self.name}"


class CellItem(RobustItem):
    """One model x shift pair."""

    def __init__(self, *, spec: SpecFile, cell: CellPlan, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spec = spec
        self.cell = cell
        self.line = cell.shift.mark.line if cell.shift.suite != "clean" else cell.model.mark.line
        shift = cell.shift
        # -m compares with the literal in its expression, which can be an int or a string but no float
        severity = shift.severity if isinstance(shift.severity, int | None) else severity_text(shift.severity)
        self.add_marker(
            spec.mark(
                spec=spec.plan.name,
                model=cell.model.name,
                entry=shift.entry,
                suite=shift.suite,
                shift=shift.shift,
                severity=severity,
            )
        )

    def judge(self, bench: Bench) -> dict[str, Any]:
        """Measure the pair and judge it by its own evidence alone."""
        return bench.judge_cell(self.spec.plan, self.spec.display, self.cell)

    def needed(self) -> Sequence[CellPlan]:
        """The cell, and clean where a row limits the drop from it."""
        if all(row.max_drop is None for row in self.cell.thresholds):
            return (self.cell,)
        return (self.cell, self.spec.plan.cell[self.cell.model.name, "clean"])


class AggregateItem(RobustItem):
    """A value over several cells."""

    def __init__(self, *, spec: SpecFile, aggregate: AggregatePlan, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spec = spec
        self.aggregate = aggregate
        self.line = aggregate.mark.line
        self.add_marker(spec.mark(spec=spec.plan.name, model=aggregate.owner, aggregate=aggregate.kind))

    def judge(self, bench: Bench) -> dict[str, Any]:
        """Pull the members and judge the value."""
        return bench.judge_aggregate(self.spec.plan, self.spec.display, self.aggregate)

    def needed(self) -> Sequence[CellPlan]:
        """The members."""
        return self.aggregate.members


def bench_of(session: pytest.Session) -> Bench:
    """The process's bench, made before the first item runs."""
    return session.stash[_BENCH]


def refuse_absent(session: pytest.Session) -> None:
    """Fail the collection of specs where an option names what none of them has."""
    stash = session.config.stash
    for lacking in stash.get(_ABSENT, {}).values():
        if lacking.keys() == stash[PLANS].keys():
            for spec, sentence in lacking.items():
                report = pytest.CollectReport(nodeid=spec, outcome="failed", longrepr=sentence, result=[], robust=spec)
                session.ihook.pytest_collectreport(report=report)
            # pytest stops here by itself, xdist would run what was not meant
            session.items.clear()


def keep_share(session: pytest.Session) -> None:
    """Deselect what other shards run, and aggregates, which stand on the cells of several."""
    config = session.config
    shard = Settings.from_config(config).shard
    if shard is None or PLANS not in config.stash:
        return
    share = shares(config.stash[PLANS], shard)
    others = [
        item
        for item in session.items
        if isinstance(item, AggregateItem)
        or (isinstance(item, CellItem) and item.cell.key not in share[item.spec.display])
    ]
    if others:
        config.hook.pytest_deselected(items=others)
        left = set(others)
        session.items[:] = [item for item in session.items if item not in left]


def outlook(config: pytest.Config) -> list[str]:
    """What the thresholds of the collected specs can see, one line each."""
    settings, plans = Settings.from_config(config), config.stash.get(PLANS, {})
    # a smoke run judges floors alone
    return [] if settings.smoke else [f"robust: {line}" for plan in plans.values() for line in foresight(plan)]


def select(session: pytest.Session) -> None:
    """Tell the bench every cell that the selected items may ask for."""
    items = [item for item in session.items if isinstance(item, RobustItem)]
    if session.config.option.collectonly:
        return
    if not items:
        report_idle(session.config)
        return
    from pytest_robust.bench import Bench
    from pytest_robust.engine.cache import Cache
    from pytest_robust.engine.engine import Engine
    from pytest_robust.engine.store import RunStore
    from pytest_robust.engine.wanted import Wanted
    from pytest_robust.progress import progress_for
    from pytest_robust.scratch import PREFIX, hold, own, run_folder

    worker_input = getattr(session.config, "workerinput", None)
    if worker_input:
        folder, worker = run_folder(worker_input["robust_run"]), worker_input["workerid"]
        session.config.add_cleanup(hold(folder, worker))
    else:
        folder, worker = Path(tempfile.mkdtemp(prefix=PREFIX)), "main"
        session.config.add_cleanup(own(folder, worker))
    wanted = [Wanted(cell, item.spec.plan.seed, item.spec.display) for item in items for cell in item.needed()]
    settings = Settings.from_config(session.config)
    lasting = settings.cache_folder(session.config)
    cache = Cache(lasting or folder / "cache", settings.cache_size, lasting=lasting is not None)
    progress = progress_for(session.config)
    if settings.engine == "local":
        engine = Engine(wanted, settings, RunStore(folder), cache, worker, progress)
    else:
        from pytest_robust.engine.ray_engine import RayEngine

        engine = RayEngine(wanted, settings, RunStore(folder), cache, settings.ray_address, progress)
    plans = declared(session.config, settings)
    if worker_input and plans:
        plans[0]["outlook"] = outlook(session.config)
    bench = Bench(settings, engine, plans, engine.passes, cache)
    session.config.add_cleanup(bench.close)
    session.stash[_BENCH] = bench


def _display(path: Path, config: pytest.Config) -> str:
    """A spec as node ids name it: relative to the root folder."""
    return Path(os.path.relpath(path, config.rootpath)).as_posix()
