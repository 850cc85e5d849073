"""The next item is made while the last one is used."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pytest_robust.engine.ahead import ahead


def test_gives_every_item_in_order():
    assert list(ahead(iter(range(100)))) == list(range(100))
    assert list(ahead(iter(()))) == []


def test_none_is_an_item_like_any_other():
    assert list(ahead(iter([None, 0, None]))) == [None, 0, None]


def test_the_next_item_is_made_while_the_consumer_holds_one():
    made = [threading.Event() for _ in range(3)]

    def items() -> Iterator[int]:
        for index, event in enumerate(made):
            event.set()
            yield index

    for index in ahead(items()):
        if index + 1 < len(made):
            assert made[index + 1].wait(10), "the next item waits for the consumer"


def test_makes_at_most_one_item_more_than_was_taken():
    made = []

    def items() -> Iterator[int]:
        for index in range(10):
            made.append(index)
            yield index

    taking = ahead(items())
    for expected in (0, 1, 2):
        assert next(taking) == expected
    taking.close()
    assert len(made) <= 4


def test_an_error_comes_in_its_place():
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken image")

    taking = ahead(items())
    assert next(taking) == 1
    with pytest.raises(ValueError, match="broken image"):
        next(taking)


def test_leaves_no_thread_behind_when_the_consumer_stops():
    before = threading.active_count()
    taking = ahead(iter(range(1000)))
    next(taking)
    taking.close()
    assert threading.active_count() == before
