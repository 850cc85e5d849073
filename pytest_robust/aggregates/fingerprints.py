"""How well a fingerprint tells copies of its owner from other models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_robust.aggregates.values import Measured, Value, limits, weighted
from pytest_robust.verdict.wording import percent

if TYPE_CHECKING:
    from pytest_robust.spec.plan import AggregatePlan


def uniqueness(plan: AggregatePlan, measured: Measured, _: float) -> Value:
    """The fingerprint's robustness less its transferability, in [-1, 1] (arXiv 2105.07078).

    Robustness is the mean match rate over copies of the owner, transferability that over unrelated models.
    """
    sides = {key: [cell for cell in plan.members if cell.model.name in _names(plan, key)] for key in _SIDES}
    means = {key: sum(1 - measured[cell.id].error for cell in cells) / len(cells) for key, cells in sides.items()}
    value = means["copies"] - means["unrelated"]
    # worse is a copy that is lost, or another model that is taken for the owner
    weights = {cell.id: sign / len(sides[key]) for key, sign in _SIDES.items() for cell in sides[key]}
    label = f"uniqueness of {plan.options['entry']}"
    said = f"copies match {percent(means['copies'])}, unrelated models {percent(means['unrelated'])}"
    rates = (f"{cell.model.name} {percent(1 - measured[cell.id].error)}" for cell in plan.members)
    return Value(
        value,
        label,
        limits(plan, label, value),
        (f"{said}: {', '.join(rates)}",),
        plan.members,
        weighted(lambda before, now: weights),
        larger_is_worse=False,
    )


_SIDES = {"copies": 1, "unrelated": -1}


def _names(plan: AggregatePlan, key: str) -> list[str]:
    names = plan.options[key]
    assert isinstance(names, list), "the spec writes a list of models"
    return [str(name) for name in names]
