"""`pytest-robust craft`: write the adversarial images of a spec, so that a gate shows them and crafts none."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    import argparse

    from pytest_robust.in_process import Kept
    from pytest_robust.spec.plan import CellPlan, Plan

NAME = "craft"
HELP = "write the adversarial images of a spec, for a gate that crafts none"
DESCRIPTION = """\
Craft the adversarial images that a spec asks for and write each source and severity as a
pack: a .npz of the crafted images with the samples' ids, labels and targets, digests of
the clean images, which attacks ONNX Runtime confirmed, their distortions and queries, the
attack's parameters and the source's sha256. What a run has crafted, and the project's cache
still holds, is taken from there, and what is crafted is kept there.

An entry with `pack: PATH`, the folder or one of its files, shows what the packs hold. It
crafts nothing and needs no torch, and the pack's digest stands in the golden. A pack is
refused for other samples, another source or another attack than it was made of."""
EPILOG = """\
A pack is named as the case it is for: adversarial.pgd_linf.from_net-0.03.npz

exit codes: 0 the packs are written, 1 the spec has mistakes,
            2 images or models cannot be used, a name is unknown, or there is no place to write to

examples:
  pytest-robust craft specs/attacks.yaml --out packs
  pytest-robust craft specs/attacks.yaml --entry adversarial --model net --out packs
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("spec", metavar="SPEC", type=Path, help="a .yaml file")
    parser.add_argument("--entry", metavar="NAME", help="only this entry's attacks (its name, or its suite)")
    parser.add_argument("--model", metavar="NAME", help="only what is crafted on this model")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR|FILE.npz", help="a folder, or a file where one pack is made"
    )


def run(asked: argparse.Namespace) -> int:
    """Collect the spec, craft, write."""
    from pytest_robust.cli.specs import collected
    from pytest_robust.in_process import Kept
    from pytest_robust.whole_file import check

    kept = Kept()
    plan = collected(asked.spec, kept)
    if plan is None:
        return 1
    cells = _selected(plan, asked.spec, asked.entry, asked.model)
    single = asked.out.suffix == ".npz"
    if single and len(cells) > 1:
        raise RobustError(
            f"--out {asked.out}: there are {len(cells)} packs to write, {', '.join(list(cells)[:3])}...; name a "
            "folder, or choose one by --entry and --model"
        )
    places = {pack: asked.out if single else asked.out / pack for pack in cells}
    for place in places.values():
        check(place, "pack")
    _craft(plan, kept, cells, places)
    return 0


def _selected(plan: Plan, spec: Path, entry: str | None, model: str | None) -> dict[str, CellPlan]:
    """One cell for each source and attack, by the name of its pack.

    Raises:
        RobustError: the spec has no such entry or model, or nothing to craft for them.
    """
    from pytest_robust.engine.consumed import pack_name
    from pytest_robust.spec.problems import did_you_mean

    cells = [cell for cell in plan.cells if cell.shift.attack is not None]
    entries = dict.fromkeys(cell.shift.entry for cell in cells)
    names = [one.name for one in plan.models]
    if not cells:
        raise RobustError(f"{spec} asks for no attack; give it an entry such as {{suite: adversarial, attack: pgd}}")
    if entry is not None and entry not in entries:
        raise RobustError(f"--entry {entry}: {spec.name} has no such entry of attacks{did_you_mean(entry, entries)}")
    if model is not None and model not in names:
        raise RobustError(f"--model {model}: {spec.name} has no such model{did_you_mean(model, names)}")
    chosen: dict[str, CellPlan] = {}
    for cell in cells:
        if entry in (None, cell.shift.entry) and model in (None, cell.source.name):
            other = chosen.setdefault(pack_name(cell), cell)
            if _made_of(cell, plan.seed) != _made_of(other, plan.seed):
                raise RobustError(
                    f"{cell.shift.mark}: its pack {pack_name(cell)} would take the place of another one, of "
                    f"{other.shift.mark}; give one of these entries a `name:` of its own"
                )
    if not chosen:
        raise RobustError(f"--model {model}: no attack of {spec.name} is crafted on it")
    return chosen


def _made_of(cell: CellPlan, seed: int) -> Any:
    """What a pack holds the images of a cell to, as far as a spec says it."""
    from pytest_robust.engine.origin import attack_of, made_by

    return made_by(cell, seed), attack_of(cell).jointly, cell.shift.dataset


def _craft(plan: Plan, kept: Kept, cells: dict[str, CellPlan], places: dict[str, Path]) -> None:
    from pytest_robust.engine.cache import Cache
    from pytest_robust.engine.engine import Engine
    from pytest_robust.engine.store import RunStore
    from pytest_robust.engine.wanted import Wanted
    from pytest_robust.views.pack_files import write_pack
    from pytest_robust.whole_file import telling

    wanted: dict[str, Wanted] = {}
    for pack, cell in cells.items():
        attack = replace(cell.shift.attack, pack=None) if cell.shift.attack else None
        crafted = replace(cell, shift=replace(cell.shift, attack=attack))
        wanted[pack] = Wanted(crafted, plan.seed, plan.name)
    assert kept.settings is not None, "the spec was collected"
    # a pack is for all samples, whatever the project's runs are told
    settings = replace(kept.settings, limit=None)
    with tempfile.TemporaryDirectory(prefix="pytest-robust-craft-") as folder:
        cache = Cache(kept.folder or Path(folder) / "cache", settings.cache_size, lasting=kept.folder is not None)
        engine = Engine(wanted.values(), settings, RunStore(Path(folder) / "run"), cache)
        try:
            for pack, want in wanted.items():
                made, notes = engine.craft(want)
                with telling(places[pack], "pack"):
                    write_pack(places[pack], made)
                tried, won = int(made.tried.sum()), int(made.success.sum())
                print(f"{places[pack]} written: {won} of {tried} attacked images confirmed, {len(made.ids)} samples")
                for note in notes:
                    print(f"  {note}")
        finally:
            engine.close()
