"""Work on several things at once, each in a lane of its own, with what comes of it in order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from contextlib import AbstractContextManager

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


def shares(total: int, most: int, unit: int, lanes: int) -> Iterator[range]:
    """Cut `total` things so that every lane gets equally many, in whole units, and the lanes keep out of step.

    Of lanes in step all would shift, and wait for the interpreter, while none shows a model anything. So each but the
    first begins with less than a whole part, another share of it each, and ends with the rest.

    Args:
        total: how many things.
        most: how many a part may hold; less than a unit counts as a unit.
        unit: what is not cut, but at the end.
        lanes: how many lanes take the next part each time they are free.
    """
    units = -(-total // unit)
    rounds = -(-units // (max(1, most // unit) * lanes))
    parts = min(units, rounds * lanes)
    sizes = [units // parts + (part < units % parts) for part in range(parts)]
    heads = [-(-size * (lanes - lane) // lanes) for lane, size in enumerate(sizes[:lanes])]
    tails = [size - head for size, head in zip(sizes, heads, strict=False) if size > head]
    start = 0
    for size in (*heads, *sizes[lanes:], *reversed(tails)):
        yield range(start * unit, min(total, (start + size) * unit))
        start += size


def one_thread_of_blas() -> AbstractContextManager[object]:
    """Keeps NumPy's BLAS from starting threads of its own, in the whole process, until its caller's thread leaves it.

    A product of matrices that is divided among cores which are busy elsewhere takes three times as long as on one.
    """
    limit: AbstractContextManager[object] = _blas().limit(limits=1)
    return limit


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


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
