"""What a process opens once and keeps: data sets, canvases and models."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pytest_robust.data import Dataset, open_dataset
from pytest_robust.data.dataset import remembering
from pytest_robust.engine import keys
from pytest_robust.engine.canvases import Canvases, open_canvases, stream_canvases
from pytest_robust.engine.digests import Digests
from pytest_robust.engine.lanes import lanes_on_cpu
from pytest_robust.errors import RobustError
from pytest_robust.models import Model, open_model
from pytest_robust.registry import default_registry
from pytest_robust.views.base import Derived, ViewInputs

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from pytest_robust.engine.cache import Cache
    from pytest_robust.settings import Settings
    from pytest_robust.spec.plan import CellPlan, DatasetPlan, Geometry, ModelPlan
    from pytest_robust.views.packs import Pack

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")


class Opened:
    """Opens what cells need, each thing once.

    Args:
        settings: the run's options.
        cache: where canvases and digests of files are kept.
    """

    def __init__(self, settings: Settings, cache: Cache) -> None:
        self.digests = Digests(cache)
        self._settings = settings
        self._cache = cache
        self._datasets: dict[DatasetPlan, Dataset] = {}
        self._canvases: dict[tuple[DatasetPlan, Geometry, range | None], Canvases] = {}
        self._models: dict[tuple[ModelPlan, int | None, int | None, int], Model] = {}
        self._broken: dict[Hashable, RobustError] = {}

    def dataset(self, plan: DatasetPlan) -> Dataset:
        """A data set of the spec under the run's limit."""
        with remembering(self.digests):
            return self._once(self._datasets, plan, lambda: open_dataset(plan, limit=self._settings.limit))

    def derived(
        self, cell: CellPlan, seed: int, craft: Callable[[], tuple[Pack, str | None]] | None = None
    ) -> Derived | None:
        """The samples of a view, None for a pixel shift; `craft` as of `ViewInputs`."""
        view = default_registry().view(cell.shift)
        if view is None:
            return None
        inputs = ViewInputs(cell.shift, keys.geometry_of(cell), seed, self._settings.limit, self.dataset, craft)
        with remembering(self.digests):
            return view.derive(inputs)

    def canvases(self, cell: CellPlan, derived: Derived | None, positions: range | None = None) -> Canvases:
        """What a cell's shift is applied to, or those at some positions; those of a view are made for every pass."""
        geometry, threads = keys.geometry_of(cell), self._settings.threads
        if derived is not None:
            return stream_canvases(derived.dataset, geometry, positions)
        plan = cell.shift.dataset
        return self._once(
            self._canvases,
            (plan, geometry, positions),
            lambda: open_canvases(self.dataset(plan), geometry, self._cache, threads, positions),
        )

    def model(self, plan: ModelPlan, dataset: Dataset, batch: int) -> Model:
        """A model for the classes of a data set, the whole of it, shown `batch` images at a time."""
        largest = int(dataset.samples.labels.max()) if dataset.classes is None else None
        lanes, threads = lanes_on_cpu(self._settings.threads)
        size = min(batch, -(-len(dataset.samples.ids) // lanes))
        return self._once(
            self._models,
            (plan, dataset.classes, largest, size),
            lambda: open_model(
                plan,
                device=self._settings.device,
                cuda=self._settings.cuda,
                classes=dataset.classes,
                max_label=largest,
                threads=threads,
                batch_size=size,
            ),
        )

    def close(self) -> None:
        """Release every session."""
        for model in self._models.values():
            model.close()
        self._models.clear()

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
