"""What a pass does about pairs that another worker died of: it blames them, and runs the doubtful ones alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_robust.engine.store import RunStore
    from pytest_robust.engine.wanted import Wanted


def bury(store: RunStore, worker: str, pairs: Sequence[Wanted], key: Callable[[Wanted], str]) -> None:
    """Give pairs of a pass that killed other workers their failure, instead of dying of them too.

    Args:
        store: of the run.
        worker: who makes the pass.
        pairs: all of it.
        key: of a pair within the run.
    """
    mine = {key(want) for want in pairs}
    for running in store.others(worker):
        if any(pair["key"] in mine for pair in running):
            store.blame(running)


def apart(store: RunStore, pending: Sequence[Wanted], key: Callable[[Wanted], str]) -> list[list[Wanted]]:
    """What to run together: pairs of which one killed a worker run last and one by one, so that it tells which.

    Args:
        store: of the run.
        pending: what is still to be run of a pass.
        key: of a pair within the run.
    """
    suspects = [want for want in pending if store.suspects(key(want))]
    others = [want for want in pending if want not in suspects]
    return [*([others] if others else []), *([one] for one in suspects)]
