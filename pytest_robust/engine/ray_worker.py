"""The process on a node of a Ray cluster: it keeps what it opens, and measures slices."""

from __future__ import annotations

import os
import shutil
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING

from filelock import FileLock

from pytest_robust.engine.cache import Cache
from pytest_robust.engine.device_class import Place, known_place
from pytest_robust.engine.opened import Opened
from pytest_robust.engine.parts import Part, Taken
from pytest_robust.engine.passes import Take, at_once_for, out_of_memory, run_pass
from pytest_robust.engine.ray_task import Contents, Greeting, versions
from pytest_robust.engine.store import Failure
from pytest_robust.errors import RobustError
from pytest_robust.models.providers import cuda_class, parse_device
from pytest_robust.registry import default_registry
from pytest_robust.scratch import hold, run_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_robust.data import Dataset
    from pytest_robust.engine.ray_task import Sent, Task
    from pytest_robust.models import Model
    from pytest_robust.settings import Settings
    from pytest_robust.spec.plan import ModelPlan, PathText
    from pytest_robust.views.base import Derived

_VIEWS = 4
"""How many views a worker keeps open: slices of a few passes come by turns."""


class Worker:
    """A Ray actor.

    Args:
        settings: the run's options, with this worker's share of cores.
        run: the run's name; the workers of a node share its folder there.
        shifts: the user's own, as `ray_task.packed` gives them.
    """

    def __init__(self, settings: Settings, run: str, shifts: bytes) -> None:
        self._settings = settings
        self._shifts = shifts
        self._folder = run_folder(run)
        self._release: Callable[[], None] = hold(self._folder, f"ray-{os.getpid()}")
        self._opened = Opened(settings, Cache(self._folder / "cache", settings.cache_size, lasting=False))
        self._views: dict[str, Derived | None] = {}
        self._written: dict[str, str] = {}

    def greet(self) -> Greeting:
        """Get ready, and say who is."""
        import ray

        node, problem = ray.util.get_node_ip_address(), None
        try:
            self._register()
        except Exception as error:  # whatever a module that a shift needs raises, where it is not installed
            problem = f"a shift of your own cannot be used on the node {node}: {type(error).__name__}: {error}"
        return Greeting(node, versions(), (self._place(integer=False), self._place(integer=True)), problem)

    def run(self, task: Task) -> Part:
        """Measure one slice; what goes wrong is part of the result."""
        try:
            return self._translated(self._run(task))
        except RobustError as error:
            failure = Failure(str(error))
        except MemoryError as error:
            failure = out_of_memory(error)
        except Exception as error:  # a defect, ours or of a user's own shift: shown whole, in every cell of the pass
            failure = Failure(f"{type(error).__name__}: {error}", traceback.format_exc())
        return Part({want.id: failure for want in task.wanted})

    def close(self) -> None:
        """Release everything, and leave nothing on the node; its other workers are done too."""
        self._opened.close()
        self._release()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, task: Task) -> Part:
        first = task.wanted[0]
        derived, dataset = self._data(task)
        canvases = self._opened.canvases(first.cell, derived, task.positions)
        on_gpu = parse_device(self._settings.device)[0] == "cuda"
        at_once = min(task.batch, at_once_for(canvases.shape, self._settings.batch_size, on_gpu))
        takes, refused = [], {}
        for want in task.wanted:
            try:
                takes.append(Take(want.id, self._model(want.cell.model, dataset, task, at_once), want.cell.scored))
            except RobustError as error:
                refused[want.id] = Failure(str(error))
        if not takes:
            return Part(refused)
        part = run_pass(
            first.cell.shift,
            first.seed,
            canvases,
            derived,
            takes,
            task.batch,
            at_once,
            self._settings.threads,
            lambda names: None,
            lambda done, total: None,
        )
        return replace(part, found={**refused, **part.found})

    def _data(self, task: Task) -> tuple[Derived | None, Dataset]:
        """The samples, which must be those that pytest's machine sees."""
        first = task.wanted[0]
        try:
            if task.key not in self._views:
                while len(self._views) >= _VIEWS:
                    del self._views[next(iter(self._views))]
                self._views[task.key] = self._opened.derived(first.cell, first.seed)
            derived = self._views[task.key]
            dataset = derived.dataset if derived else self._opened.dataset(first.cell.shift.dataset)
        except RobustError as error:
            raise RobustError(f"{error} {self._elsewhere('does not see what pytest sees')}") from error
        if dataset.samples.digest != task.samples:
            plan = first.cell.shift.dataset
            raise RobustError(
                f"{plan.mark}: the images of {plan.path.text if plan.path else plan.source} differ "
                f"{self._elsewhere('sees others than pytest')}"
            )
        return derived, dataset

    def _elsewhere(self, what: str) -> str:
        import ray

        return (
            f"(the node {ray.util.get_node_ip_address()} {what}: images do not travel, so every node must have them "
            "under the same path, as on a shared file system)"
        )

    def _model(self, plan: ModelPlan, dataset: Dataset, task: Task, at_once: int) -> Model:
        enhancer = plan.enhancer
        local = replace(
            plan,
            path=self._local(plan.path, task.files),
            enhancer=replace(enhancer, path=self._local(enhancer.path, task.files)) if enhancer else None,
        )
        return self._opened.model(local, dataset, at_once)

    def _local(self, path: PathText, files: Mapping[str, Sent]) -> PathText:
        """A model file on this node, written by the first worker that needs it."""
        sent = files[path.text]
        folder = self._folder / "models" / sent.sha256
        folder.parent.mkdir(exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.is_dir():
                import ray

                contents: Contents = ray.get(sent.contents)
                _write(contents, folder)
        self._written[str(folder / sent.name)] = path.text
        return replace(path, text=str(folder / sent.name))

    def _translated(self, part: Part) -> Part:
        """A model's sentences name the file that the user knows."""

        def known(text: str) -> str:
            for here, there in self._written.items():
                text = text.replace(here, there)
            return text

        found: dict[str, Taken | Failure] = {}
        for name, one in part.found.items():
            if isinstance(one, Failure):
                found[name] = replace(one, sentence=known(one.sentence))
            else:
                found[name] = replace(one, doubt=known(one.doubt)) if one.doubt else one
        return replace(part, found=found)

    def _register(self) -> None:
        from ray import cloudpickle

        for one in cloudpickle.loads(self._shifts):
            default_registry().add(cloudpickle.loads(one))

    def _place(self, *, integer: bool) -> Place | None:
        if parse_device(self._settings.device)[0] != "cuda":
            return known_place(self._settings.device, integer)
        import torch

        return Place(cuda_class(0)) if torch.cuda.is_available() else None


def _write(contents: Contents, folder: Path) -> None:
    """Put the files in their places in one step."""
    temporary = folder.with_suffix(".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    for name, data in contents.items():
        path = temporary / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data.tofile(path)
    temporary.replace(folder)
