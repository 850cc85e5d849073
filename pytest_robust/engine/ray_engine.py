"""The engine that measures on a Ray cluster: the same passes, cut into slices, under the same store and cache.

Items still pull. The first that asks sets everything going, in the order of the items and a bounded number of slices
at a time; whoever asks later finds the result, or waits for it.
"""

from __future__ import annotations

import os
import traceback
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_robust.engine import keys
from pytest_robust.engine.canvases import first_shape
from pytest_robust.engine.engine import Engine
from pytest_robust.engine.parts import Part, damage, join
from pytest_robust.engine.passes import batch_size_for
from pytest_robust.engine.ray_pool import Pool
from pytest_robust.engine.ray_task import Sent, Task, resolved
from pytest_robust.engine.slices import slices
from pytest_robust.engine.store import Failure, MeasurementError, process_died
from pytest_robust.errors import RobustError
from pytest_robust.models.files import read_files

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from pytest_robust.data import Dataset
    from pytest_robust.engine.cache import Cache
    from pytest_robust.engine.store import RunStore
    from pytest_robust.engine.wanted import Wanted
    from pytest_robust.measurement import Measurement
    from pytest_robust.settings import Settings
    from pytest_robust.spec.plan import CellPlan, ModelPlan
    from pytest_robust.views.base import Derived

_DEATHS = 3
"""A pair of which that many workers died is not tried again."""


@dataclass(slots=True)
class _Open:
    """A pass under way: its samples, where they are cut, and by cell and start of a slice what was found."""

    label: str
    dataset: Dataset
    shape: tuple[int, int, int]
    derived: Derived | None
    slices: Sequence[range]
    found: dict[str, dict[int, Part]] = field(default_factory=dict)
    done: set[range] = field(default_factory=set)


class RayEngine(Engine):
    """Measures cells on a Ray cluster.

    Args:
        wanted: as for `Engine`.
        settings: the run's options.
        store: where this run's results are kept.
        cache: where measurements are kept for later runs.
        address: of the cluster; None starts one on this machine.
        progress: told (shift label, done, total) as slices come in.
    """

    def __init__(
        self,
        wanted: Iterable[Wanted],
        settings: Settings,
        store: RunStore,
        cache: Cache,
        address: str | None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self._pool = Pool(address, settings, os.urandom(16).hex())
        place = None if address is None else self._pool.place
        super().__init__(wanted, settings, store, cache, progress=progress, place=place)
        self._tasks = self._all_tasks()
        self._again: deque[Task] = deque()
        self._open: dict[str, _Open] = {}

    def measure(self, cell: CellPlan, spec: str) -> Measurement:
        """The measurement of one wanted cell.

        Raises:
            MeasurementError: the pair could not be measured; the sentence says why.
            RobustError: the cluster cannot be used.
        """
        if cell.shift.attack is not None:  # crafted and shown here, by the one process that knows the clean cells
            return super().measure(cell, spec)
        result = self._awaited(self._wanted[f"{spec}::{cell.id}"])
        if isinstance(result, Failure):
            raise MeasurementError(result)
        return result

    def _awaited(self, want: Wanted) -> Measurement | Failure:
        while (result := self.store.get(self._key(want))) is None:
            self._submit()
            if self.store.has(self._key(want)):
                continue
            if self._pool.idle:
                raise RuntimeError(f"{want.id} was lost: no task that would measure it is left")
            for task, part in self._pool.wait():
                self._take_or_fail(task, part)
        return result

    def close(self) -> None:
        """End the workers, and Ray where it was started here."""
        self._tasks.close()
        self._pool.close()
        super().close()

    def _submit(self) -> None:
        """Keep the workers busy."""
        while not self._pool.full:
            task = self._again.popleft() if self._again else next(self._tasks, None)
            if task is None:
                return
            if unknown := tuple(want for want in task.wanted if not self.store.has(self._key(want))):
                self._pool.submit(replace(task, wanted=unknown))

    def _all_tasks(self) -> Generator[Task]:
        for key, wanted in self._passes.items():
            if wanted[0].cell.shift.attack is not None:
                continue
            unknown = [want for want in wanted if not self.store.has(self._key(want))]
            pending = [want for want in unknown if not self._memory.recall(want, self._key(want))]
            if not pending:
                continue
            try:
                yield from self._cut(key, pending)
            except RobustError as error:
                self._fail_rest(pending, Failure(str(error)))
            except Exception as error:  # a defect: shown whole, in every cell of the pass
                self._fail_rest(pending, Failure(f"{type(error).__name__}: {error}", traceback.format_exc()))

    def _cut(self, key: str, pending: Sequence[Wanted]) -> Generator[Task]:
        """The tasks of one pass."""
        files: dict[str, Sent] = {}
        ready = []
        for want in pending:
            try:
                files |= self._sent(want.cell.model)
                ready.append(replace(want, cell=resolved(want.cell)))
            except RobustError as error:
                self._finish(want, Failure(str(error)))
        if not ready:
            return
        cell = pending[0].cell
        derived = self._derived(pending[0])
        dataset = derived.dataset if derived else self._opened.dataset(cell.shift.dataset)
        shape = first_shape(dataset, keys.geometry_of(cell))
        batch = batch_size_for(shape, self.settings.batch_size, self._pool.on_gpu)
        cut = slices(len(dataset.samples.ids), batch, shape)
        self.store.put_samples(dataset.samples)
        self._open[key] = _Open(cell.key, dataset, shape, derived, cut, {want.id: {} for want in ready})
        self._made.append(key)
        for positions in cut:
            yield Task(key, tuple(ready), positions, batch, dataset.samples.digest, files)

    def _sent(self, plan: ModelPlan) -> dict[str, Sent]:
        """A model and its enhancer in the object store, by the paths that `resolved` gives them."""
        texts = [plan.path, *([plan.enhancer.path] if plan.enhancer else [])]
        files = [file for file in read_files(plan) if file]
        return {resolved(text).text: self._pool.send(file) for text, file in zip(texts, files, strict=True)}

    def _take_or_fail(self, task: Task, part: Part | None) -> None:
        try:
            self._take(task, part)
        except Exception as error:  # a defect: shown whole, in every cell of the task
            failure = Failure(f"{type(error).__name__}: {error}", traceback.format_exc())
            self._fail_rest([self._wanted[want.id] for want in task.wanted], failure)

    def _take(self, task: Task, part: Part | None) -> None:
        """Keep what was found, and finish the cells of which this was the last slice."""
        if part is None:
            self._after_death(task)
            return
        state = self._open.get(task.key)
        if state is None:  # all its cells are finished already
            return
        for want in (self._wanted[one.id] for one in task.wanted):
            found = state.found[want.id]
            found[task.positions.start] = part
            if len(found) == len(state.slices) and not self.store.has(self._key(want)):
                parts = [found[start] for start in sorted(found)]
                result = join(want.id, parts, want.cell.shift, state.dataset, state.shape, state.derived)
                self._finish(want, result, damage(parts))
                found.clear()
        state.done.add(task.positions)
        self._progress(state.label, sum(map(len, state.done)), len(state.dataset.samples.ids))
        if all(self.store.has(self._key(want)) for want in self._passes[task.key]):
            del self._open[task.key]

    def _after_death(self, task: Task) -> None:
        """Try again elsewhere, each model by itself, so that the one that kills is found out."""
        deaths = task.deaths + 1
        if deaths < _DEATHS:
            self._again.extend(replace(task, wanted=(want,), deaths=deaths) for want in task.wanted)
            return
        for want in (self._wanted[one.id] for one in task.wanted):
            self._finish(want, process_died(want.cell.model.name, want.cell.key))
