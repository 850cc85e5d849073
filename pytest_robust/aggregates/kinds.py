"""The kinds of aggregates by the key that a spec asks for them with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_robust.aggregates import clever, errors, fingerprints, ladders, pairs, samples, studies

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_robust.aggregates.values import Measured, Value
    from pytest_robust.spec.plan import AggregateKind, AggregatePlan

KINDS: Mapping[AggregateKind, Callable[[AggregatePlan, Measured, float], Value]] = {
    "mce": errors.mce,
    "mean_error": errors.mean,
    "ice": errors.ice,
    "group_means": errors.group_means,
    "trend": ladders.trend,
    "monotone": ladders.monotone,
    "worst_class": samples.worst,
    "phase_reliance": samples.phase_reliance,
    "scores": samples.scores,
    "compare": pairs.compare,
    "error_reduction": pairs.error_reduction,
    "uniqueness": fingerprints.uniqueness,
    "transfer": studies.transfer,
    "pareto": studies.pareto,
    "clever": clever.clever,
}
"""Each takes the aggregate, its members' results and the gate's alpha.

They raise ValueError where a value makes no sense, as without a needed cell.
"""
