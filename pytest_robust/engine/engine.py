"""The engine: items ask for measurements; what is stored is returned, what is not is computed.

A pass computes one shift for every wanted model at once, under a lock that all workers of the host share. A
worker whose pass is being made elsewhere makes another wanted one meanwhile, and waits only if there is none.
"""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from filelock import Timeout

from pytest_robust.data import Dataset, open_dataset
from pytest_robust.engine import keys
from pytest_robust.engine.canvases import Canvases, open_canvases, stream_canvases
from pytest_robust.engine.passes import Take, batch_size_for, run_pass
from pytest_robust.engine.store import Failure, MeasurementError, RunStore, process_died
from pytest_robust.errors import RobustError
from pytest_robust.models import Model, open_model
from pytest_robust.shifts.base import Derived, ViewInputs
from pytest_robust.shifts.registry import default_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from pytest_robust.measurement import Measurement, Samples
    from pytest_robust.settings import Settings
    from pytest_robust.spec.plan import CellPlan, DatasetPlan, ModelPlan

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")

_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Wanted:
    """A cell that this run may be asked for, with the seed of its spec."""

    cell: CellPlan
    seed: int
    spec: str

    @property
    def id(self) -> str:
        """The cell's id, unique over all specs of the run."""
        return f"{self.spec}::{self.cell.id}"


class Engine:
    """Measures cells in this process, sharing passes with the other workers of the host.

    Args:
        wanted: every cell that the selected items may ask for, in the order of the items.
        settings: the run's options.
        store: where this run's measurements are kept.
        worker: this process's name among the workers.
        progress: told (shift label, done, total) while a pass runs.
    """

    def __init__(
        self,
        wanted: Iterable[Wanted],
        settings: Settings,
        store: RunStore,
        worker: str = "main",
        progress: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self.settings = settings
        self.store = store
        self._worker = worker
        self._progress = progress or (lambda label, done, total: None)
        self._wanted: dict[str, Wanted] = {}
        self._passes: dict[str, list[Wanted]] = {}
        for want in wanted:
            if want.id not in self._wanted:
                self._wanted[want.id] = want
                self._passes.setdefault(keys.pass_key(want.cell, want.seed), []).append(want)
        self._datasets: dict[DatasetPlan, Dataset] = {}
        self._canvases: dict[str, Canvases] = {}
        self._models: dict[tuple[ModelPlan, int | None, int | None, int], Model] = {}
        self._broken: dict[Hashable, RobustError] = {}
        self._samples: dict[str, Samples] = {}
        self._finished: set[str] = set()
        self._keys: dict[str, str] = {}

    def measure(self, cell: CellPlan, spec: str) -> Measurement:
        """The measurement of one wanted cell.

        Raises:
            MeasurementError: the pair could not be measured; the sentence says why.
        """
        want = self._wanted[f"{spec}::{cell.id}"]
        key = keys.pass_key(want.cell, want.seed)
        while (result := self.store.get(self._key(want))) is None:
            if not self._make(key) and not any(self._make(other) for other in self._open_passes(key)):
                time.sleep(_POLL_SECONDS)
        if isinstance(result, Failure):
            raise MeasurementError(result)
        return result

    def samples(self, measurement: Measurement) -> Samples:
        """The samples that the arrays of a measurement of this run follow."""
        digest = measurement.samples
        if digest not in self._samples:
            self._samples[digest] = self.store.samples(digest)
        return self._samples[digest]

    def close(self) -> None:
        """Release every session."""
        for model in self._models.values():
            model.close()
        self._models.clear()

    def _key(self, want: Wanted) -> str:
        """The cell's content key, which every batch asks for."""
        if want.id not in self._keys:
            self._keys[want.id] = keys.cell_key(want.cell, want.seed, self.settings)
        return self._keys[want.id]

    def _open_passes(self, but: str) -> list[str]:
        return [key for key in self._passes if key != but and key not in self._finished]

    def _make(self, key: str) -> bool:
        """Make one pass for all its models; False if another process is making it."""
        lock = self.store.lock(key)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        try:
            self._bury(key)
            pending = [want for want in self._passes[key] if not self.store.has(self._key(want))]
            if pending:
                self.store.count_pass(key)
                self._run(pending)
            self._finished.add(key)
        finally:
            lock.release()
        return True

    def _bury(self, key: str) -> None:
        """Give a pair of this pass that killed another worker its failure, instead of dying of it too."""
        if dead := self.store.died_in(self._worker):
            for want in self._passes[key]:
                if self._key(want) in dead and not self.store.has(self._key(want)):
                    self.store.put(self._key(want), process_died(want.cell.model.name, want.cell.key))

    def _run(self, pending: Sequence[Wanted]) -> None:
        def finish(name: str, result: Measurement | Failure) -> None:
            self.store.put(self._key(self._wanted[name]), result)

        first = pending[0]
        try:
            self._running(first)
            derived = self._derived(first)
            canvases = self._canvases_of(first.cell, derived)
            takes = self._open_models(pending, canvases, finish)
            if not takes:
                return
            self.store.put_samples(canvases.dataset.samples)
            results = run_pass(
                first.cell.shift,
                first.seed,
                canvases,
                derived,
                takes,
                batch_size_for(canvases.shape, self.settings.batch_size),
                lambda name: self._running(self._wanted[name]),
                lambda done, total: self._progress(first.cell.key, done, total),
            )
            for name, result in results:
                finish(name, result)
        except RobustError as error:
            self._fail_rest(pending, Failure(str(error)))
        except Exception as error:  # a defect, ours or of a user's own shift: shown whole, in every cell of the pass
            self._fail_rest(pending, Failure(f"{type(error).__name__}: {error}", traceback.format_exc()))
        finally:
            self.store.mark_running(self._worker, None)

    def _fail_rest(self, pending: Sequence[Wanted], failure: Failure) -> None:
        for want in pending:
            if not self.store.has(self._key(want)):
                self.store.put(self._key(want), failure)

    def _running(self, want: Wanted) -> None:
        self.store.mark_running(
            self._worker, {"key": self._key(want), "model": want.cell.model.name, "shift": want.cell.key}
        )

    def _open_models(
        self, pending: Sequence[Wanted], canvases: Canvases, finish: Callable[[str, Measurement | Failure], None]
    ) -> list[Take]:
        takes = []
        for want in pending:
            self._running(want)
            try:
                takes.append(Take(want.id, self._model(want.cell.model, canvases)))
            except RobustError as error:
                finish(want.id, Failure(str(error)))
        return takes

    def _model(self, plan: ModelPlan, canvases: Canvases) -> Model:
        dataset = canvases.dataset
        largest = int(dataset.samples.labels.max()) if dataset.classes is None else None
        batch = min(batch_size_for(canvases.shape, self.settings.batch_size), len(dataset.samples.ids))
        return self._once(
            self._models,
            (plan, dataset.classes, largest, batch),
            lambda: open_model(
                plan,
                device=self.settings.device,
                classes=dataset.classes,
                max_label=largest,
                threads=self.settings.threads,
                batch_size=batch,
            ),
        )

    def _dataset(self, plan: DatasetPlan) -> Dataset:
        return self._once(self._datasets, plan, lambda: open_dataset(plan, limit=self.settings.limit))

    def _once(self, found: dict[K, V], key: K, make: Callable[[], V]) -> V:
        """Make a value once; what could not be made fails with the same sentence ever after, and at once.

        Raises:
            RobustError: as `make` did the first time.
        """
        if error := self._broken.get(key):
            raise error
        if key not in found:
            try:
                found[key] = make()
            except RobustError as error:
                self._broken[key] = error
                raise
        return found[key]

    def _derived(self, want: Wanted) -> Derived | None:
        """The samples of a view, None for a pixel shift."""
        shift = want.cell.shift
        view = default_registry().view(shift)
        if view is None:
            return None
        inputs = ViewInputs(shift, keys.geometry_of(want.cell), want.seed, self.settings.limit, self._dataset)
        return view.derive(inputs)

    def _canvases_of(self, cell: CellPlan, derived: Derived | None) -> Canvases:
        if derived is not None:
            return stream_canvases(derived.dataset, keys.geometry_of(cell), self.settings.threads)
        key = keys.canvas_key(cell, self.settings)
        return self._once(
            self._canvases,
            key,
            lambda: open_canvases(
                self._dataset(cell.shift.dataset),
                keys.geometry_of(cell),
                self.store.folder / "canvases" / f"{key}.npy",
                self.store.lock(f"canvas-{key}"),
                self.settings.threads,
            ),
        )
