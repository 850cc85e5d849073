"""Crafts adversarial images: once per source and attack, kept by content, for every model that they are shown to."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.data.mapped import Spool
from pytest_robust.engine.cache import remove, used
from pytest_robust.engine.consumed import consumed
from pytest_robust.engine.device_class import hardware, known_place
from pytest_robust.engine.keys import described_model
from pytest_robust.engine.making import Making
from pytest_robust.engine.origin import attack_of, jointly_digest, made_by
from pytest_robust.engine.passes import at_once_for
from pytest_robust.engine.versions import software
from pytest_robust.models.files import model_digest, read_files
from pytest_robust.models.portions import Portions
from pytest_robust.views.attack_entry import LEVELS, canonical
from pytest_robust.views.pack_files import load_pack, write_pack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_robust.engine.attacker import Attacker
    from pytest_robust.engine.cache import Cache
    from pytest_robust.engine.canvases import Canvases
    from pytest_robust.engine.opened import Opened
    from pytest_robust.engine.wanted import Wanted
    from pytest_robust.measurement import Measurement
    from pytest_robust.settings import Settings
    from pytest_robust.spec.plan import CellPlan, ModelPlan
    from pytest_robust.views.packs import Pack

_KIND = "packs"

_CHECKED = 32
"""On how many clean images a source's twin is held against the source, where there are as many."""


class Crafting:
    """Finds, or makes, what an attack makes of a data set.

    Args:
        cache: where crafted images are kept, for the run or for longer.
        opened: data sets, canvases and models.
        settings: the run's options.
        clean: what a model makes of the clean images of a cell.

    Attributes:
        seconds: spent on crafting by this process.
    """

    def __init__(
        self,
        cache: Cache,
        opened: Opened,
        settings: Settings,
        clean: Callable[[Wanted, ModelPlan], Measurement],
    ) -> None:
        self._cache = cache
        self._opened = opened
        self._settings = settings
        self._clean = clean
        self._last: tuple[str, Pack] | None = None
        self._checked: set[ModelPlan] = set()
        self._notes: dict[str, list[str]] = {}
        self.seconds = 0.0

    def __call__(self, want: Wanted) -> tuple[Pack, str | None]:
        """What a cell's attack made of the samples, and the sha256 of the pack file where it was read from one.

        Two processes never craft the same thing: one crafts and the others wait for it.

        Raises:
            RobustError: the source cannot be attacked so, or the pack is not of these samples, source and attack.
        """
        cell = want.cell
        if attack_of(cell).pack is not None:
            return consumed(cell, want.seed, self._opened.dataset(cell.shift.dataset).samples)
        key = self._key(cell, want.seed)
        if self._last is None or self._last[0] != key:
            self._last = key, self._found(want, key)
        pack = self._last[1]
        # the same content may have been crafted under another name of its source
        return (pack if pack.source == cell.source.name else replace(pack, source=cell.source.name)), None

    def notes(self, want: Wanted) -> tuple[str, ...]:
        """What a reader of a result must know of how this process came by the images; never part of a pack."""
        attack = want.cell.shift.attack
        if not self._notes or attack is None or attack.pack is not None:
            return ()
        return tuple(self._notes.get(self._key(want.cell, want.seed), ()))

    def _found(self, want: Wanted, key: str) -> Pack:
        path = self._cache.path(_KIND, key)
        try:
            self._cache.make(_KIND)
            lock = self._cache.lock(_KIND, key)
            lock.acquire()
        except OSError:  # no right to write there: nobody to share with
            return self._crafted(want, key, None)
        try:
            kept = self._kept(path, key)
            if kept is None:
                kept = self._crafted(want, key, path.parent)
                self._keep(path, kept)
            return kept
        finally:
            lock.release()

    def _kept(self, path: Path, key: str) -> Pack | None:
        """What an earlier pass or run has crafted; a damaged entry is removed, to be made again."""
        try:
            with path.open("rb") as stream:
                used(path)
                return load_pack(stream)
        except OSError:
            return None
        except ValueError:
            remove(path)
            self._notes[key] = ["the cache held the images of this attack damaged, so they were crafted anew"]
            return None

    def _keep(self, path: Path, pack: Pack) -> None:
        self._cache.trim(int(np.prod(pack.canvases.shape)))
        try:
            write_pack(path, pack)
        except OSError as error:
            self._cache.problem = f"{path.parent} cannot be written: {error.strerror or error}"

    def _key(self, cell: CellPlan, seed: int) -> str:
        """One key per content: images, source, attack, seed, which samples are attacked, and what computes where."""
        settings, integer = self._settings, any(file and file.integer for file in read_files(cell.source))
        place = known_place(settings.device, integer)
        models = [cell.source, *attack_of(cell).jointly]
        dataset = self._opened.dataset(cell.shift.dataset)
        parts = [
            [dataset.samples.digest, dataset.classes],
            [[model_digest(one), described_model(one)] for one in models],
            canonical(made_by(cell, seed)),
            cell.shift.version,
            software(),
            [place.device_class if place else [settings.device, hardware(settings.device)]],
            [settings.cuda, settings.batch_size],
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _crafted(self, want: Wanted, key: str, folder: Path | None) -> Pack:
        """Craft all of it; the images are gathered in a file on the disk of `folder`."""
        cell, attack = want.cell, attack_of(want.cell)
        source, samples = cell.source, self._opened.dataset(cell.shift.dataset).samples
        predicted = self._clean(want, source).predicted
        right = np.asarray(predicted == samples.labels)
        tried = right.copy()
        for model in attack.jointly:
            tried &= self._clean(want, model).predicted == samples.labels
        started = time.perf_counter()
        notes = []
        if not tried.any():
            who = "the models have no clean image right jointly" if right.any() else f"{source.name} has none right"
            notes.append(f"no sample is attacked: {who}")
        parameters = made_by(cell, want.seed)
        if 0 < parameters.get("epsilon", 0) * LEVELS < 1 - 1e-6:
            notes.append(
                f"the epsilon {parameters['epsilon']:g} is under one grey level, 1/255, so no image is changed"
            )
        canvases = self._opened.canvases(replace(cell, model=source), None)
        with Spool(canvases.shape, folder) as spool:
            made = Making(samples, spool, targeted="targeted" in cell.shift.parameters)
            if tried.any():
                self._notes.setdefault(key, []).extend(self._attack(want, canvases, predicted, right, tried, made))
            self.seconds += time.perf_counter() - started
            return made.pack(
                notes,
                parameters,
                source=source.name,
                source_sha256=model_digest(source),
                source_reading=described_model(source),
                jointly=jointly_digest(cell),
            )

    def _attack(
        self,
        want: Wanted,
        canvases: Canvases,
        predicted: NDArray[np.uint16],
        right: NDArray[np.bool_],
        tried: NDArray[np.bool_],
        made: Making,
    ) -> tuple[str, ...]:
        """Attack some samples of those that the source has right; what a reader must know of it."""
        attacker, source = self._attacker(want, canvases.shape), want.cell.source
        if attacker.by_gradient and source not in self._checked:
            some = _spread(np.flatnonzero(right))
            attacker.check(_at(canvases, some), predicted[some])
            self._checked.add(source)
        rows = np.flatnonzero(tried)
        portions = Portions(min(attack_of(want.cell).batch or _batch(canvases.shape), len(rows)))

        def work(here: slice) -> None:
            at = rows[here]
            images = _at(canvases, at)
            made.take(at, images, *attacker(images, at, predicted[at]))

        portions(len(rows), work)
        return portions.note("crafting")

    def _attacker(self, want: Wanted, shape: tuple[int, int, int]) -> Attacker:
        from pytest_robust.engine.attacker import Attacker

        source, dataset = want.cell.source, self._opened.dataset(want.cell.shift.dataset)
        on_gpu = known_place(self._settings.device, integer=False) is None
        model = self._opened.model(source, dataset, at_once_for(shape, self._settings.batch_size, on_gpu))
        return Attacker(want.cell, model, dataset, want.seed, self._settings.threads)


def _at(canvases: Canvases, positions: NDArray[np.intp]) -> NDArray[np.uint8]:
    return np.concatenate([canvases.at(range(i, i + 1)) for i in positions.tolist()])


def _spread(positions: NDArray[np.intp]) -> NDArray[np.intp]:
    """Some of them, at equal distances: neighbours are often of one class."""
    places = np.linspace(0, len(positions) - 1, min(len(positions), _CHECKED)).round().astype(np.intp)
    return positions[places]


def _batch(shape: Sequence[int]) -> int:
    """Images crafted at once: what a network keeps for their gradients is a hundred times as large."""
    return max(1, min(128, (8 << 20) // (4 * int(np.prod(shape)))))
