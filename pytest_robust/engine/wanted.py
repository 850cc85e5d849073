"""What a run may be asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_robust.spec.plan import CellPlan, ShiftPlan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_robust.spec.plan import ModelPlan


@dataclass(frozen=True, slots=True)
class Wanted:
    """A cell that this run may be asked for, with the seed of its spec.

    `per_class` tells clean over a part of the spec's images from clean over all of them.
    """

    cell: CellPlan
    seed: int
    spec: str
    per_class: int | None = None

    @property
    def id(self) -> str:
        """The cell's id, unique over all specs of the run."""
        part = "" if self.per_class is None else f" of {self.per_class} per class"
        return f"{self.spec}::{self.cell.id}{part}"


def with_clean(wanted: Iterable[Wanted]) -> Iterator[Wanted]:
    """Every cell, and before an attack's the clean cells that its crafting and its record stand on."""
    for want in wanted:
        attack = want.cell.shift.attack
        if attack is not None:
            crafted = () if attack.pack else (want.cell.source, *attack.jointly)
            for model in (*crafted, want.cell.model):
                yield clean_of(want, model)
        yield want


def clean_of(want: Wanted, model: ModelPlan) -> Wanted:
    """The clean cell of a model over the data set of another cell."""
    shift = want.cell.shift
    clean = ShiftPlan("clean", "clean", "clean", None, 1, shift.dataset, shift.dataset.mark)
    per_class = shift.attack.per_class if shift.attack else None
    return replace(want, cell=CellPlan(model, clean, (), scored=want.cell.scored), per_class=per_class)
