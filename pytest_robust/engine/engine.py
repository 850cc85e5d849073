"""The engine: items ask for measurements; what is stored is returned, what is not is computed.

A pass computes one shift for every wanted model at once, under a lock that all workers of the host share. A
worker whose pass is being made elsewhere makes another wanted one meanwhile, and waits only if there is none.
Under the same lock a cell is first looked for in the cache of earlier runs.
"""

from __future__ import annotations

import time
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING

from filelock import Timeout

from pytest_robust.engine import keys
from pytest_robust.engine.attacked import of_attack
from pytest_robust.engine.contents import Contents
from pytest_robust.engine.crafting import Crafting
from pytest_robust.engine.deaths import apart, bury
from pytest_robust.engine.device_class import known_place
from pytest_robust.engine.memory import Memory
from pytest_robust.engine.opened import Opened
from pytest_robust.engine.parts import damage, join
from pytest_robust.engine.passes import Take, at_once_for, batch_size_for, out_of_memory, run_pass
from pytest_robust.engine.store import Failure, MeasurementError, RunStore
from pytest_robust.engine.wanted import clean_of, with_clean
from pytest_robust.errors import RobustError
from pytest_robust.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_robust.data import Dataset
    from pytest_robust.engine.cache import Cache
    from pytest_robust.engine.device_class import Place
    from pytest_robust.engine.wanted import Wanted
    from pytest_robust.measurement import Samples
    from pytest_robust.settings import Settings
    from pytest_robust.spec.plan import CellPlan, ModelPlan
    from pytest_robust.views.base import Derived
    from pytest_robust.views.packs import Pack

_POLL_SECONDS = 0.02


class Engine:
    """Measures cells in this process, sharing passes with the other workers of the host.

    Args:
        wanted: every cell that the selected items may ask for, in the order of the items.
        settings: the run's options.
        store: where this run's results are kept.
        cache: where measurements, canvases and digests of files are kept for later runs.
        worker: this process's name among the workers.
        progress: told (shift label, done, total) while a pass runs.
        place: see `Contents`.
    """

    def __init__(
        self,
        wanted: Iterable[Wanted],
        settings: Settings,
        store: RunStore,
        cache: Cache,
        worker: str = "main",
        progress: Callable[[str, int, int], None] | None = None,
        place: Callable[[bool], Place | None] | None = None,
    ) -> None:
        self.settings = settings
        self.store = store
        self.cache = cache
        self._worker = worker
        self._progress = progress or (lambda label, done, total: None)
        self._wanted: dict[str, Wanted] = {}
        self._passes: dict[str, list[Wanted]] = {}
        for want in with_clean(wanted):
            if want.id not in self._wanted:
                self._wanted[want.id] = want
                self._passes.setdefault(keys.pass_key(want.cell, want.seed), []).append(want)
        self._samples: dict[str, Samples] = {}
        self._finished: set[str] = set()
        self._keys: dict[str, str] = {}
        self._made: list[str] = []
        self._opened = Opened(settings, cache)
        contents = Contents(settings, cache, self._opened.digests, self._opened.dataset, self._derived, place)
        self._memory = Memory(cache, contents, store)
        self._crafting = Crafting(cache, self._opened, settings, self._clean)

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

    def craft(self, want: Wanted) -> tuple[Pack, tuple[str, ...]]:
        """What the attack of a wanted cell makes of the samples, and what to say of that; nobody else is shown it.

        Raises:
            RobustError: its source cannot be attacked so.
        """
        pack, _ = self._crafting(want)
        return pack, (*pack.notes, *self._crafting.notes(want))

    def passes(self) -> list[str]:
        """The passes that this process has made since it was asked last."""
        made, self._made = self._made, []
        return made

    def close(self) -> None:
        """Release every session, and bring the cache back to its size."""
        self._opened.close()
        self.cache.trim()

    def _key(self, want: Wanted) -> str:
        """The cell's key within the run, which every batch asks for."""
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
            bury(self.store, self._worker, self._passes[key], self._key)
            unknown = [want for want in self._passes[key] if not self.store.has(self._key(want))]
            if pending := [want for want in unknown if not self._memory.recall(want, self._key(want))]:
                for together in apart(self.store, pending, self._key):
                    self._run(together)
            self._finished.add(key)
        finally:
            lock.release()
        return True

    def _run(self, pending: Sequence[Wanted]) -> None:
        first = pending[0]
        try:
            self._running(first)
            crafting = -self._crafting.seconds
            derived = self._derived(first)
            crafting += self._crafting.seconds
            canvases = self._opened.canvases(first.cell, derived)
            dataset, shape = canvases.dataset, canvases.shape
            on_gpu = known_place(self.settings.device, integer=False) is None
            batch = batch_size_for(shape, self.settings.batch_size, on_gpu)
            at_once = at_once_for(shape, self.settings.batch_size, on_gpu)
            takes = self._open_models(pending, dataset, at_once)
            if not takes:
                return
            self.store.put_samples(dataset.samples)
            part = run_pass(
                first.cell.shift,
                first.seed,
                canvases,
                derived,
                takes,
                batch,
                at_once,
                self.settings.threads,
                lambda names: self._running(*(self._wanted[name] for name in sorted(names))),
                lambda done, total: self._progress(first.cell.key, done, total),
            )
            self._made.append(keys.pass_key(first.cell, first.seed))
            for take in takes:
                want = self._wanted[take.name]
                result = join(take.name, [part], first.cell.shift, dataset, shape, derived)
                if isinstance(result, Measurement) and derived is not None and derived.pack is not None:
                    result = of_attack(want, result, derived.pack, self._clean, take.model, canvases, crafting)
                self._finish(want, result, [*damage([part]), *self._crafting.notes(want)])
        except RobustError as error:
            self._fail_rest(pending, Failure(str(error)))
        except MemoryError as error:
            self._fail_rest(pending, out_of_memory(error))
        except Exception as error:  # a defect, ours or of a user's own shift: shown whole, in every cell of the pass
            self._fail_rest(pending, Failure(f"{type(error).__name__}: {error}", traceback.format_exc()))
        finally:
            self.store.mark_running(self._worker, ())

    def _finish(self, want: Wanted, result: Measurement | Failure, notes: Sequence[str] = ()) -> None:
        if isinstance(result, Measurement):
            result = replace(result, notes=(*result.notes, *self._memory.keep(want, result), *notes))
        self.store.put(self._key(want), result)

    def _fail_rest(self, pending: Sequence[Wanted], failure: Failure) -> None:
        for want in pending:
            if not self.store.has(self._key(want)):
                self.store.put(self._key(want), failure)

    def _running(self, *wanted: Wanted) -> None:
        self.store.mark_running(
            self._worker,
            [{"key": self._key(want), "model": want.cell.model.name, "shift": want.cell.key} for want in wanted],
        )

    def _open_models(self, pending: Sequence[Wanted], dataset: Dataset, batch: int) -> list[Take]:
        takes = []
        for want in pending:
            self._running(want)
            try:
                takes.append(Take(want.id, self._opened.model(want.cell.model, dataset, batch), want.cell.scored))
            except RobustError as error:
                self._finish(want, Failure(str(error)))
        return takes

    def _derived(self, want: Wanted) -> Derived | None:
        return self._opened.derived(want.cell, want.seed, lambda: self._crafting(want))

    def _clean(self, want: Wanted, model: ModelPlan) -> Measurement:
        """What a model makes of the clean images, for a pass over its lock; a clean pass waits for no other.

        Raises:
            MeasurementError: it could not be measured.
        """
        clean = clean_of(want, model)
        result = self._awaited(clean)
        self._running(want)
        if isinstance(result, Failure):
            raise MeasurementError(result)
        return result

    def _awaited(self, want: Wanted) -> Measurement | Failure:
        """The result of a cell, made here unless another process is making it."""
        key = keys.pass_key(want.cell, want.seed)
        while (result := self.store.get(self._key(want))) is None:
            if not self._make(key):
                time.sleep(_POLL_SECONDS)
        return result
