"""Packs of the user's: where the one of a cell lies, and whether it is of this run's samples, source and attack."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.engine.keys import described_model
from pytest_robust.engine.origin import attack_of, jointly_digest, made_by
from pytest_robust.errors import RobustError
from pytest_robust.models.files import model_digest
from pytest_robust.views.attack_entry import canonical
from pytest_robust.views.pack_files import read_pack

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_robust.measurement import Samples
    from pytest_robust.spec.plan import CellPlan
    from pytest_robust.views.packs import Pack


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


def consumed(cell: CellPlan, seed: int, samples: Samples) -> tuple[Pack, str]:
    """A pack of the user's for the samples of this run, and the sha256 of its file.

    Args:
        cell: of the attack.
        seed: the spec's.
        samples: of the run; the pack may hold more.

    Raises:
        RobustError: it is no sound pack, or of other samples, another source or another attack.
    """
    path = pack_file(cell)
    try:
        pack, digest = read_pack(path)
    except RobustError as error:
        raise RobustError(f"{cell.shift.mark}: {error}") from error
    where = f"{cell.shift.mark}: the pack {path.name}"
    wanted, made = json.loads(canonical(made_by(cell, seed))), dict(pack.parameters)
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
    places = {name: place for place, name in enumerate(pack.ids)}
    lacking = next((name for name in samples.ids if name not in places), None)
    if lacking is not None:
        raise RobustError(f"{where} lacks the sample {lacking}; craft it anew on the data set of this spec")
    pack = pack.rows([places[name] for name in samples.ids])
    if differing := np.flatnonzero(pack.labels != samples.labels).tolist():
        name = samples.ids[differing[0]]
        raise RobustError(f"{where} has another label for the sample {name}; craft it anew on this data set")
    return replace(pack, source=cell.source.name), digest
