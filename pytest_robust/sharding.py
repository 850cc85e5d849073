"""Which part of a run is whose: whole shifts, dealt out in turn.

The parts follow from the specs alone, so that machines which know nothing of each other agree on them. A shift at one
severity goes to one shard with all its models, also where several specs have it, because it is made once for all of
them. Dealing in plan order, not by hash, keeps the shards within one shift of each other in size, and spreads the
severities of a slow shift.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_robust.engine.keys import column_key
from pytest_robust.report.planned import planned
from pytest_robust.settings import Settings
from pytest_robust.stash import IDLE, PLANS, WHOLE

if TYPE_CHECKING:
    import pytest

    from pytest_robust.settings import Shard
    from pytest_robust.spec.plan import Plan


def shares(plans: dict[str, Plan], shard: Shard) -> dict[str, frozenset[str]]:
    """The labels of the shifts that a shard runs, by spec.

    Args:
        plans: every collected spec by its name in ids, in any order.
        shard: the part that is asked for.
    """
    numbers: dict[str, int] = {}
    found = {}
    for spec, plan in sorted(plans.items()):
        of = {shift.label: column_key(shift, plan.seed) for shift in plan.shifts}
        for key in of.values():
            numbers.setdefault(key, len(numbers))
        found[spec] = frozenset(label for label, key in of.items() if numbers[key] % shard.count == shard.index - 1)
    return found


def declared(config: pytest.Config, settings: Settings) -> list[dict[str, Any]]:
    """What `planned` says of every collected spec, and so of this run's share of it."""
    plans, whole = config.stash[PLANS], config.stash[WHOLE]
    share = shares(plans, settings.shard) if settings.shard else {}
    return [planned(plan, name, whole[name], share.get(name)) for name, plan in plans.items()]


def report_idle(config: pytest.Config) -> None:
    """Leave for the report of a shard without a case what it is a part of, which otherwise travels with a case."""
    settings = Settings.from_config(config)
    if settings.shard is None or PLANS not in config.stash:
        return
    plans = declared(config, settings)
    if hasattr(config, "workeroutput"):
        config.workeroutput["robust_idle"] = plans
    else:
        config.stash[IDLE] = plans
