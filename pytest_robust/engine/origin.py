"""What a cell's adversarial images are made by: its attack, and the models that have a say in them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_robust.engine.keys import described_model
from pytest_robust.models.files import model_digest

if TYPE_CHECKING:
    from pytest_robust.spec.plan import AttackPlan, CellPlan, ModelPlan

_SHOWN_BY = ("size_rule",)
"""Parameters that say how the images are shown, and not how they are made."""


def attack_of(cell: CellPlan) -> AttackPlan:
    """The attack of a cell that has one."""
    assert cell.shift.attack is not None, f"{cell.id} is no attack"
    return cell.shift.attack


def made_by(cell: CellPlan, seed: int) -> dict[str, Any]:
    """Everything that a cell's images are made by, beside the source and the samples.

    Args:
        cell: of the attack.
        seed: the spec's.
    """
    shift, jointly = cell.shift, attack_of(cell).jointly
    made: dict[str, Any] = {key: value for key, value in shift.parameters.items() if key not in _SHOWN_BY}
    if jointly:
        made["models"] = sorted(model.name for model in jointly)
    return {**made, "seed": seed, "geometry": asdict(cell.source.geometry), "version": shift.version}


def jointly_digest(cell: CellPlan, but: ModelPlan | None = None) -> str:
    """One digest of the models that must have a sample right for it to be attacked; empty where there are none.

    Args:
        cell: of the attack.
        but: a model that is left out.
    """
    models = [[model_digest(one), described_model(one)] for one in attack_of(cell).jointly if one != but]
    return hashlib.sha256(json.dumps(sorted(models)).encode()).hexdigest() if models else ""
