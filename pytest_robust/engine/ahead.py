"""Making the next thing while the last one is used."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

T = TypeVar("T")


def ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """The items, each made by a thread of its own while the consumer works on the one before.

    What `items` raises reaches the consumer in its place. One item waits at most; where the consumer stops early,
    the one under way is finished and dropped.
    """
    end = object()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield item  # type: ignore[misc]  # next() gives what `items` holds, or the end
