"""What a run may be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_robust.spec.plan import CellPlan


@dataclass(frozen=True, slots=True)
class Wanted:
    """A cell that this run may be asked for, with the seed of its spec."""

    cell: CellPlan
    seed: int
    spec: str

    @property
    def id(self) -> str:
        """The cell's id, unique over all specs of the run."""
        return f"{self.spec}::{self.cell.id}"
