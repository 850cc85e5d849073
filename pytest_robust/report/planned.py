"""What a report must know of a spec: enough to tell what is missing, and to apply it elsewhere without the plan."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pytest_robust.registry import default_registry

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pytest_robust.spec.plan import AggregatePlan, CellPlan, DatasetPlan, Plan, ShiftPlan, Waiver


def planned(plan: Plan, spec: str, whole: Plan, share: Collection[str] | None = None) -> dict[str, Any]:
    """A plan in plain values.

    Args:
        plan: the resolved spec.
        spec: how ids name it.
        whole: the spec whose golden this is: without the profile that the run applies.
        share: labels of the shifts that are this shard's part; None is all of them, and the aggregates.

    Returns:
        ``name``, how goldens name the spec; ``planned``, the ids that this run is to measure and judge;
        ``golden`` as an absolute path and as `golden_from_spec`, relative to the spec's folder; ``keys`` of the cells
        by model; ``golden_keys``, those that its golden is to hold; ``other_samples``, whether a profile's `limit`
        chooses others than the golden's;
        ``tests``, the ids of the cells of each model with a `max_regression` against the latest golden;
        ``datasets``, a number per shift that shifts over the same samples share; ``dropped``, the aggregates that the
        profile leaves no cells for; ``waivers``, the cases that each may excuse.
    """
    datasets: dict[DatasetPlan | str, int] = {}
    numbers = {shift.label: datasets.setdefault(_samples_of(shift), len(datasets)) for shift in plan.shifts}
    models = [model.name for model in plan.models]
    keys: dict[str, list[str]] = {name: [] for name in models}
    tests: dict[str, list[str]] = {name: [] for name in models}
    for cell in plan.cells:
        keys[cell.model.name].append(cell.key)
        if any(row.max_regression is not None and "latest" in row.against for row in cell.thresholds):
            tests[cell.model.name].append(f"{spec}::{cell.id}")
    return {
        "spec": spec,
        "name": plan.owner,
        "sha256": plan.sha256,
        "seed": plan.seed,
        "golden": str(plan.golden) if plan.golden else None,
        "golden_from_spec": _from_spec(plan),
        "planned": [
            *(f"{spec}::{cell.id}" for cell in plan.cells if share is None or cell.key in share),
            *(f"{spec}::{aggregate.id}" for aggregate in plan.aggregates if share is None),
        ],
        "keys": keys,
        "golden_keys": {name: [cell.key for cell in whole.cells if cell.model.name == name] for name in models},
        "other_samples": any(shift.dataset not in {one.dataset for one in whole.shifts} for shift in plan.shifts),
        "tests": tests,
        "datasets": numbers,
        "aggregates": [f"{spec}::{aggregate.id}" for aggregate in plan.aggregates],
        "dropped": [f"{spec}::{name}" for name in plan.dropped],
        "waivers": _waivers(plan, spec),
        "profile": plan.profile,
        "path": str(plan.path),
        "quiet": plan.gate.inconclusive == "pass",
        "candidates": {model.name: str(model.path.resolve()) for model in plan.models if model.candidate},
    }


def profile_refusal(spec: str, declared: Mapping[str, Any]) -> str | None:
    """Why a run under a profile may not become the golden of a spec; None if it may.

    Args:
        spec: how ids name it.
        declared: what `planned` says of it.
    """
    if not declared["other_samples"]:
        return None
    return (
        f"the profile {declared['profile']} chose other samples than the goldens of {spec} hold; run without it, or "
        "give it goldens of its own with --robust-golden"
    )


def _waivers(plan: Plan, spec: str) -> list[dict[str, Any]]:
    cases: dict[Waiver, list[str]] = {}
    declared: list[CellPlan | AggregatePlan] = [*plan.cells, *plan.aggregates]
    for case in declared:
        if case.waiver is not None:
            cases.setdefault(case.waiver, []).append(f"{spec}::{case.id}")
    return [
        {"place": str(waiver.mark), "owner": waiver.owner, "cases": names}
        for waiver, names in sorted(cases.items(), key=lambda entry: entry[0].mark)
    ]


def _samples_of(shift: ShiftPlan) -> DatasetPlan | str:
    """What two shifts must share to be measured on the same samples; a view may have samples of its own."""
    own = default_registry().view(shift) is not None or shift.dataset.source == "cutouts"
    return shift.label if own else shift.dataset


def _from_spec(plan: Plan) -> str | None:
    if plan.golden is None:
        return None
    try:
        return os.path.relpath(plan.golden, plan.path.absolute().parent).replace(os.sep, "/")
    except ValueError:  # another drive than the spec's
        return str(plan.golden)
