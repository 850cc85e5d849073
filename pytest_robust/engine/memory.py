"""What a run takes from earlier runs, and leaves for later ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_robust.measurement import Measurement, Samples

if TYPE_CHECKING:
    from pytest_robust.engine.cache import Cache
    from pytest_robust.engine.contents import Contents
    from pytest_robust.engine.store import RunStore
    from pytest_robust.engine.wanted import Wanted


class Memory:
    """Carries measurements between the cache, under content keys, and the store of the run."""

    def __init__(self, cache: Cache, contents: Contents, store: RunStore) -> None:
        self._cache = cache
        self._contents = contents
        self._store = store

    def recall(self, want: Wanted, run_key: str) -> bool:
        """Take a cell from the cache into the run, where no trimming can reach it; False if it is not there."""
        key = self._contents.key(want)
        found = self._cache.get("cells", key) if key else None
        if found is None:
            return False
        measurement = Measurement.from_plain(found)
        if not self._store.has_samples(measurement.samples):
            samples = self._cache.get("samples", measurement.samples)
            if samples is None:
                return False
            self._store.put_samples(Samples.from_plain(samples))
        self._store.put(run_key, replace(measurement, cached=True))
        return True

    def keep(self, want: Wanted, made: Measurement) -> list[str]:
        """Put a measurement into the cache; what went wrong with it there, in sentences."""
        self._contents.learn(want, made)
        key = self._contents.key(want)
        if key is None or not self._contents.agrees(want, made):
            return []
        kept = self._cache.has("samples", made.samples) or self._cache.put(
            "samples", made.samples, self._store.samples(made.samples).to_plain()
        )
        kept = kept and self._cache.put("cells", key, made.to_plain())
        notes = [] if kept else [f"this measurement is not kept for later runs: {self._cache.problem}"]
        if self._cache.damaged & {("cells", key), ("samples", made.samples)}:
            notes.append("the cache held this measurement damaged, so it was made anew")
        return notes
