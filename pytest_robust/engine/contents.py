"""What a measurement is made of, as one digest: equal keys, equal measurements.

Names and places never enter a key, what they stand for does: bytes of models, images, labels and textures, numbers of
the spec, versions of what computes. A key is asked for before anything is loaded, so all of it is read from files, or
remembered of files that did not change.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from dataclasses import fields, is_dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_robust.data.names import existing_file
from pytest_robust.engine.consumed import pack_file
from pytest_robust.engine.device_class import Place, hardware, known_place
from pytest_robust.engine.keys import pass_key
from pytest_robust.engine.versions import software
from pytest_robust.errors import RobustError
from pytest_robust.measurement import digest_of
from pytest_robust.models.files import ModelFile, joined_digest, read_model
from pytest_robust.registry import default_registry
from pytest_robust.shifts import textures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_robust.data import Dataset
    from pytest_robust.engine.cache import Cache
    from pytest_robust.engine.digests import Digests
    from pytest_robust.engine.wanted import Wanted
    from pytest_robust.measurement import Measurement
    from pytest_robust.settings import Settings
    from pytest_robust.spec.plan import CellPlan, DatasetPlan, ModelPlan, PathText, ShiftPlan
    from pytest_robust.views.base import Derived

FORMAT = 2
"""Raised whenever the same content gives another measurement, or a measurement is stored otherwise."""

_OF_MODEL = ("name", "path", "mark", "sha256", "enhancer", "candidate")
_OF_SHIFT = ("entry", "mark", "dataset", "stored", "main", "textures", "attack")
_OF_DATASET = ("mark", "path", "labels")
"""Fields that are names and places, or enter a key by their content."""


class Contents:
    """Content keys of the cells of one run.

    Args:
        settings: the run's options.
        cache: remembers what was found out about models.
        digests: of files.
        open_dataset: opens a data set of the spec under the run's limit.
        derive: the samples of a view, None for a pixel shift.
        place: where models with integer kernels, or without, run if not on this machine; None where only a session can
            tell.
    """

    def __init__(
        self,
        settings: Settings,
        cache: Cache,
        digests: Digests,
        open_dataset: Callable[[DatasetPlan], Dataset],
        derive: Callable[[Wanted], Derived | None],
        place: Callable[[bool], Place | None] | None = None,
    ) -> None:
        self._settings = settings
        self._cache = cache
        self._digests = digests
        self._open = open_dataset
        self._derive = derive
        self._elsewhere = place
        self._models: dict[ModelPlan, tuple[str, bool]] = {}
        self._data: dict[str, str] = {}
        self._known: dict[bool, Place | None] = {}

    def key(self, want: Wanted) -> str | None:
        """The content key of a cell; None where nothing outlives the run, or where something cannot be read or known.

        What cannot be read is said by the run, which comes to it next.
        """
        if not self._cache.lasting:
            return None
        try:
            model, integer = self._model(want.cell.model)
            place = self._place(model, integer)
            if place is None:
                return None
            shift = want.cell.shift
            return _digest(
                FORMAT,
                self._software,
                [model, _fields(want.cell.model, _OF_MODEL), want.cell.scored],
                [self._data_of(want), _fields(shift, _OF_SHIFT), self._code(shift), want.seed],
                [place, self._settings.cuda, self._settings.batch_size],
            )
        except RobustError:
            return None

    def learn(self, want: Wanted, made: Measurement) -> None:
        """Remember where a model ran that might have run elsewhere; a fall-back can pass, so it is not remembered."""
        if not self._cache.lasting or made.provenance.fell_back:
            return
        model, integer = self._model(want.cell.model)
        if self._hardware is not None and self._known_place(integer) is None:
            self._cache.put("places", _digest(self._hardware, model), {"device_class": made.provenance.device_class})

    def agrees(self, want: Wanted, made: Measurement) -> bool:
        """Whether a measurement is of what the key says: a file may change, and a device fail, during the run."""
        model, integer = self._model(want.cell.model)
        ran = Place(made.provenance.device_class, made.provenance.fell_back)
        return made.provenance.model_sha256 == model and ran == self._place(model, integer)

    def _place(self, model: str, integer: bool) -> Place | None:
        place = self._known_place(integer)
        if place is not None or self._hardware is None:
            return place
        known = self._cache.get("places", _digest(self._hardware, model))
        return None if known is None else Place(known["device_class"])

    def _known_place(self, integer: bool) -> Place | None:
        if integer not in self._known:
            device = self._settings.device
            self._known[integer] = self._elsewhere(integer) if self._elsewhere else known_place(device, integer)
        return self._known[integer]

    @cached_property
    def _hardware(self) -> list[str] | None:
        return None if self._elsewhere else hardware(self._settings.device)

    @cached_property
    def _software(self) -> list[str]:
        return software()

    def _model(self, plan: ModelPlan) -> tuple[str, bool]:
        """The model's digest, as `models.model_digest` gives it, and whether it has integer kernels."""
        if plan not in self._models:
            model = self._file(plan.path, None if plan.candidate else plan.sha256)
            enhancer = self._file(plan.enhancer.path, plan.enhancer.sha256) if plan.enhancer else None
            integer = model.integer or (enhancer is not None and enhancer.integer)
            self._models[plan] = joined_digest(model, enhancer), integer
        return self._models[plan]

    def _file(self, text: PathText, pin: str | None) -> ModelFile:
        """`read_model` without reading the file, where one of its content was read before."""
        path = text.resolve()
        (sha256,) = self._hex([path])
        known = self._cache.get("models", sha256)
        if known is None:
            read = read_model(text)
            names = [one.relative_to(path.parent).as_posix() for one in read.sidecars]
            known = {"sidecars": names, "integer": read.integer}
            self._cache.put("models", sha256, known)
        sidecars = tuple(path.parent / name for name in known["sidecars"])
        if sidecars:
            sha256 = digest_of([one.encode() for one in (sha256, *self._hex(sidecars))])
        if pin is not None and pin.strip().lower() != sha256:
            return read_model(text, pin)
        return ModelFile(path, text.mark, sha256, sidecars, known["integer"])

    def _data_of(self, want: Wanted) -> str:
        """Everything that a cell's images, labels and groups are made of, but for the shift's own numbers."""
        key = pass_key(want.cell, want.seed)
        if key not in self._data:
            shift = want.cell.shift
            if shift.stored is not None:
                derived = self._derive(want)
                assert derived is not None, "a published set is a view"
                found = [_samples(derived.dataset), derived.parameters, derived.source, derived.kept, derived.notes]
            else:
                folder = None if shift.textures is None else textures.digest_of(str(shift.textures.resolve()))
                found = [self._dataset(shift.dataset), self._classes(shift.main), folder, self._attack(want.cell)]
            self._data[key] = _digest(found)
        return self._data[key]

    def _attack(self, cell: CellPlan) -> Any:
        """What the images of an attack are crafted on; its source's name stands in the measurement."""
        attack = cell.shift.attack
        if attack is None:
            return None
        models = [[*self._model(one), _fields(one, _OF_MODEL)] for one in (cell.source, *attack.jointly)]
        return [cell.source.name, models, attack.pack and self._hex([pack_file(cell)])]

    def _dataset(self, plan: DatasetPlan) -> Any:
        if plan.source == "npz":  # the file says all, and need not be read
            return [self._hex([existing_file(plan, "path")]), _fields(plan, _OF_DATASET), self._settings.limit]
        return _samples(self._open(plan))

    def _classes(self, plan: DatasetPlan | None) -> Any:
        """The models' classes, which are all that a natural shift takes from the spec's own data set."""
        if plan is None or plan.source == "npz":
            return plan and plan.classes
        dataset = self._open(plan)
        return [dataset.classes, dataset.class_names]

    def _code(self, shift: ShiftPlan) -> list[str]:
        """Digests of the files that define a shift of the user's own: a version is easily forgotten."""
        registry = default_registry()
        if view := registry.view(shift):
            return self._hex(sorted(_sources((view.derive,))))
        found = registry.pixel_shift(shift.suite, shift.shift)
        return self._hex(sorted(_sources((found.resolve, found.apply))))

    def _hex(self, paths: Iterable[Path]) -> list[str]:
        return [one.hex() for one in self._digests(list(paths))]


def _samples(dataset: Dataset) -> Any:
    return [
        dataset.samples.digest,
        dataset.classes,
        dataset.class_names,
        {name: list(values) for name, values in dataset.groups.items()},
        dataset.notes,
    ]


def _sources(functions: Iterable[Callable[..., Any]]) -> set[Path]:
    """The files that functions are written in, but for those of this package, whose version stands for them."""
    found = set()
    for function in functions:
        while isinstance(function, partial):
            function = function.func
        code = getattr(inspect.unwrap(function), "__code__", None)
        if code is not None and not (getattr(function, "__module__", None) or "").startswith(f"{_PACKAGE}."):
            found.add(Path(code.co_filename))
    return {path for path in found if path.is_file()}


_PACKAGE = __name__.partition(".")[0]


def _fields(value: Any, without: tuple[str, ...]) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value) if field.name not in without}


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, default=_plain, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Values of the plan by their fields; a path has no place in a key, its content has."""
    if is_dataclass(value) and not isinstance(value, type):
        return _fields(value, ("mark",))
    if isinstance(value, Path):
        raise TypeError(f"{value} is a path and cannot be part of a content key")
    return dict(value)
