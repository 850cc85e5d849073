"""Crafts adversarial images: once per source and attack, kept by content, for every model that they are shown to."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.engine.cache import remove
from pytest_robust.engine.device_class import hardware, known_place
from pytest_robust.engine.entries import write
from pytest_robust.engine.keys import described_model
from pytest_robust.engine.making import Making
from pytest_robust.engine.passes import at_once_for
from pytest_robust.engine.versions import software
from pytest_robust.errors import RobustError
from pytest_robust.models.files import model_digest, read_files
from pytest_robust.views.attack_entry import LEVELS, canonical
from pytest_robust.views.packs import Pack, read_pack

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
    from pytest_robust.spec.plan import AttackPlan, CellPlan, ModelPlan

_KIND = "packs"
_SHOWN_BY = ("size_rule",)
"""Parameters that say how the images are shown, and not how they are made."""

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
        self.seconds = 0.0

    def __call__(self, want: Wanted) -> tuple[Pack, str | None]:
        """What a cell's attack made of the samples, and the sha256 of the pack file where it was read from one.

        Two processes never craft the same thing: one crafts and the others wait for it.

        Raises:
            RobustError: the source cannot be attacked so, or the pack is not of these samples, source and attack.
        """
        cell = want.cell
        if attack_of(cell).pack is not None:
            return self._consumed(cell, want.seed)
        key = self._key(cell, want.seed)
        if self._last is None or self._last[0] != key:
            self._last = key, self._found(want, key)
        pack = self._last[1]
        # the same content may have been crafted under another name of its source
        return (pack if pack.source == cell.source.name else replace(pack, source=cell.source.name)), None

    def damage(self, want: Wanted) -> tuple[str, ...]:
        """What a reader of a result must know of images that came from the cache."""
        cell = want.cell
        if not any(kind == _KIND for kind, _ in self._cache.damaged) or attack_of(cell).pack is not None:
            return ()
        if (_KIND, self._key(cell, want.seed)) not in self._cache.damaged:
            return ()
        return ("the cache held the images of this attack damaged, so they were crafted anew",)

    def _found(self, want: Wanted, key: str) -> Pack:
        path = self._cache.path(_KIND, key)
        try:
            self._cache.make(_KIND)
            lock = self._cache.lock(_KIND, key)
            lock.acquire()
        except OSError:  # no right to write there: nobody to share with
            return self._crafted(want)
        try:
            kept = self._kept(path, key)
            if kept is None:
                kept = self._crafted(want)
                self._keep(path, kept.to_bytes())
            return kept
        finally:
            lock.release()

    def _kept(self, path: Path, key: str) -> Pack | None:
        """What an earlier pass or run has crafted; a damaged entry is removed, to be made again."""
        try:
            digest, _, body = path.read_bytes().partition(b"\n")
        except OSError:
            return None
        if digest == hashlib.sha256(body).hexdigest().encode():
            path.touch()
            return Pack.from_bytes(body)
        self._cache.damaged.add((_KIND, key))
        remove(path)
        return None

    def _keep(self, path: Path, body: bytes) -> None:
        self._cache.trim(len(body))
        try:
            write(path, hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        except OSError as error:
            self._cache.problem = f"{path.parent} cannot be written: {error.strerror or error}"

    def _key(self, cell: CellPlan, seed: int) -> str:
        """One key per content: images, source, attack, seed, which samples are attacked, and what computes where."""
        settings, integer = self._settings, any(file and file.integer for file in read_files(cell.source))
        place = known_place(settings.device, integer)
        models = [cell.source, *attack_of(cell).jointly]
        parts = [
            self._opened.dataset(cell.shift.dataset).samples.digest,
            [[model_digest(one), described_model(one)] for one in models],
            canonical(_made_by(cell, seed)),
            cell.shift.version,
            software(),
            [place.device_class if place else [settings.device, hardware(settings.device)]],
            [settings.cuda, settings.batch_size],
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _consumed(self, cell: CellPlan, seed: int) -> tuple[Pack, str]:
        """A pack of the user's, for the samples of this run.

        Raises:
            RobustError: it is of other samples, another source or another attack.
        """
        path = pack_file(cell)
        pack, digest = read_pack(path)
        where = f"{cell.shift.mark}: the pack {path.name}"
        wanted, made = json.loads(canonical(_made_by(cell, seed))), dict(pack.parameters)
        for name in sorted(wanted.keys() | made.keys()):
            if wanted.get(name) != made.get(name):
                raise RobustError(
                    f"{where} was crafted with {name} {made.get(name)} where the entry has {wanted.get(name)}; craft "
                    "it anew, or correct the entry"
                )
        sha256 = model_digest(cell.source)
        if pack.source_sha256 != sha256:
            raise RobustError(
                f"{where} was crafted on a model of sha256 {pack.source_sha256[:12]} ({pack.source}) and "
                f"{cell.source.name} has {sha256[:12]}; craft it anew, or name the source that it is of"
            )
        if pack.source_reading != described_model(cell.source):
            raise RobustError(
                f"{where} was crafted on {pack.source} with another geometry, preprocess or output than "
                f"{cell.source.name} has in this spec; craft it anew, or put them back"
            )
        if pack.jointly != jointly_digest(cell):
            raise RobustError(
                f"{where} was crafted on what other files of {', '.join(wanted['models'])}, or the same ones with "
                "another preprocess or output, have right; craft it anew"
            )
        samples = self._opened.dataset(cell.shift.dataset).samples
        places = {name: place for place, name in enumerate(pack.ids)}
        lacking = next((name for name in samples.ids if name not in places), None)
        if lacking is not None:
            raise RobustError(f"{where} lacks the sample {lacking}; craft it anew on the data set of this spec")
        pack = pack.rows([places[name] for name in samples.ids])
        if differing := np.flatnonzero(pack.labels != samples.labels).tolist():
            name = samples.ids[differing[0]]
            raise RobustError(f"{where} has another label for the sample {name}; craft it anew on this data set")
        return replace(pack, source=cell.source.name), digest

    def _crafted(self, want: Wanted) -> Pack:
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
        made_by = _made_by(cell, want.seed)
        if 0 < made_by.get("epsilon", 0) * LEVELS < 1 - 1e-6:
            notes.append(f"the epsilon {made_by['epsilon']:g} is under one grey level, 1/255, so no image is changed")
        canvases = self._opened.canvases(replace(cell, model=source), None)
        made = Making(len(samples.ids), tried, canvases.shape, targeted="targeted" in cell.shift.parameters)
        rows = np.flatnonzero(tried)
        batch = attack.batch or _batch(canvases.shape)
        attacker = self._attacker(want, canvases.shape) if len(rows) else None
        if attacker and attacker.by_gradient and source not in self._checked:
            some = _spread(np.flatnonzero(right))
            attacker.check(_at(canvases, some), predicted[some])
            self._checked.add(source)
        for start in range(0, len(rows), batch):
            assert attacker is not None, "there is something to attack"
            at = rows[start : start + batch]
            images = _at(canvases, at)
            made.take(slice(start, start + len(at)), at, images, *attacker(images, at, predicted[at]))
        self.seconds += time.perf_counter() - started
        return made.pack(
            samples,
            notes,
            made_by,
            source=source.name,
            source_sha256=model_digest(source),
            source_reading=described_model(source),
            jointly=jointly_digest(cell),
        )

    def _attacker(self, want: Wanted, shape: tuple[int, int, int]) -> Attacker:
        from pytest_robust.engine.attacker import Attacker

        source, dataset = want.cell.source, self._opened.dataset(want.cell.shift.dataset)
        on_gpu = known_place(self._settings.device, integer=False) is None
        model = self._opened.model(source, dataset, at_once_for(shape, self._settings.batch_size, on_gpu))
        return Attacker(want.cell, model, dataset, want.seed, self._settings.threads)


def attack_of(cell: CellPlan) -> AttackPlan:
    """The attack of a cell that has one."""
    assert cell.shift.attack is not None, f"{cell.id} is no attack"
    return cell.shift.attack


def jointly_digest(cell: CellPlan, but: ModelPlan | None = None) -> str:
    """One digest of the models that must have a sample right for it to be attacked; empty where there are none.

    Args:
        cell: of the attack.
        but: a model that is left out.
    """
    models = [[model_digest(one), described_model(one)] for one in attack_of(cell).jointly if one != but]
    return hashlib.sha256(json.dumps(sorted(models)).encode()).hexdigest() if models else ""


def pack_file(cell: CellPlan) -> Path:
    """Where the pack of a cell lies.

    Raises:
        RobustError: an environment variable of its path is not set.
    """
    text = attack_of(cell).pack
    assert text is not None, "the cell is crafted"
    path = text.resolve()
    return path / pack_name(cell) if path.is_dir() else path


def pack_name(cell: CellPlan) -> str:
    """The file of a cell's pack in a folder of packs: ``adversarial.pgd_linf.from_net-0.03.npz``."""
    shift = cell.shift
    own = shift if attack_of(cell).source else replace(shift, shift=f"{shift.shift}.from_{cell.source.name}")
    return f"{own.label}.npz"


def _made_by(cell: CellPlan, seed: int) -> dict[str, Any]:
    """Everything that a cell's images are made by, beside the source and the samples."""
    shift, jointly = cell.shift, attack_of(cell).jointly
    made: dict[str, Any] = {key: value for key, value in shift.parameters.items() if key not in _SHOWN_BY}
    if jointly:
        made["models"] = sorted(model.name for model in jointly)
    return {**made, "seed": seed, "geometry": asdict(cell.source.geometry), "version": shift.version}


def _at(canvases: Canvases, positions: NDArray[np.intp]) -> NDArray[np.uint8]:
    return np.concatenate([canvases.at(range(i, i + 1)) for i in positions.tolist()])


def _spread(positions: NDArray[np.intp]) -> NDArray[np.intp]:
    """Some of them, at equal distances: neighbours are often of one class."""
    places = np.linspace(0, len(positions) - 1, min(len(positions), _CHECKED)).round().astype(np.intp)
    return positions[places]


def _batch(shape: Sequence[int]) -> int:
    """Images crafted at once: what a network keeps for their gradients is a hundred times as large."""
    return max(1, min(128, (8 << 20) // (4 * int(np.prod(shape)))))
