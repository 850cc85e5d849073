"""Work on several things at once, each in a lane of its own, with what comes of it in order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

T = TypeVar("T")
R = TypeVar("R")

_MOST = 16
"""Each lane holds a batch and what a network makes of it; from here on operators share the cores too."""

_MOST_ON_GPU = 4
"""One on the GPU, one that shifts there, and two for what is made on the host."""


def lanes_on_cpu(threads: int) -> tuple[int, int]:
    """How many lanes some cores are divided into, and the cores of each."""
    lanes = min(threads, _MOST)
    return lanes, threads // lanes


def lanes_on_gpu(threads: int) -> int:
    """How many lanes feed a GPU: two at least, so that one makes the next batch while the last one is shown."""
    return min(max(2, threads), _MOST_ON_GPU)


def in_lanes(work: Callable[[T], R], items: Iterable[T], lanes: int) -> Generator[R, None, None]:
    """What `work` makes of every item, in the order of the items.

    What it raises reaches the consumer in the item's place. One item more than lanes is under way or waits, so that no
    lane is idle while the consumer turns to it; where the consumer stops early, those under way are finished and
    dropped.
    """
    rest = iter(items)
    with ThreadPoolExecutor(lanes) as pool:
        coming = deque(pool.submit(work, item) for item in islice(rest, lanes + 1))
        try:
            while coming:
                made = coming.popleft().result()
                coming.extend(pool.submit(work, item) for item in islice(rest, 1))
                yield made
        finally:
            for one in coming:
                one.cancel()
