"""Work in lanes: all of it, in order, several things at once, none left behind."""

from __future__ import annotations

import os
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from pytest_robust.engine.lanes import in_lanes, lanes_on_cpu, lanes_on_gpu, one_thread_of_blas, shares


@given(st.lists(st.none() | st.integers(), max_size=40), st.integers(1, 5))
def test_gives_what_comes_of_every_item_in_order(items: list[int | None], lanes: int) -> None:
    assert list(in_lanes(lambda item: (item,), items, lanes)) == [(item,) for item in items]


def test_the_order_is_kept_where_later_items_are_faster() -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.05 if item == 0 else 0)
        return item

    assert list(in_lanes(slow_first, range(6), 3)) == list(range(6))


def test_all_lanes_work_at_once() -> None:
    together = threading.Barrier(3, timeout=10)

    def meet(_: int) -> int:
        return together.wait()

    assert sorted(in_lanes(meet, range(3), 3)) == [0, 1, 2]


def test_lanes_go_on_while_the_consumer_holds_a_result_but_not_far_ahead() -> None:
    begun: list[int] = []
    third = threading.Event()

    def note(item: int) -> int:
        begun.append(item)
        if item == 2:
            third.set()
        return item

    taking = in_lanes(note, range(100), 2)
    assert next(taking) == 0
    assert third.wait(10), "a lane waits for the consumer"
    taking.close()
    assert len(begun) <= 4


def test_an_error_comes_in_its_place() -> None:
    def broken(item: int) -> int:
        if item == 1:
            raise ValueError("broken image")
        return item

    taking = in_lanes(broken, range(4), 2)
    assert next(taking) == 0
    with pytest.raises(ValueError, match="broken image"):
        next(taking)


def test_leaves_no_thread_behind_when_the_consumer_stops() -> None:
    before = threading.active_count()
    taking = in_lanes(abs, range(1000), 3)
    next(taking)
    taking.close()
    assert threading.active_count() == before


@given(st.integers(1, 300))
def test_lanes_take_no_more_cores_than_there_are(threads: int) -> None:
    lanes, each = lanes_on_cpu(threads)
    assert lanes * each <= threads
    assert lanes * (each + 1) > threads, "a core too many is idle in every lane"
    assert 2 <= lanes_on_gpu(threads) <= max(2, threads)


def test_a_core_is_a_lane_while_they_are_few() -> None:
    assert [lanes_on_cpu(cores) for cores in (1, 2, 8, 64)] == [(1, 1), (2, 1), (8, 1), (16, 4)]


@given(st.integers(1, 5000), st.integers(1, 300), st.integers(1, 70), st.integers(1, 16))
def test_every_lane_gets_an_equal_share(total: int, most: int, unit: int, lanes: int) -> None:
    parts = list(shares(total, most, unit, lanes))
    assert [place for part in parts for place in part] == list(range(total))
    assert all(0 < len(part) <= max(most, unit) for part in parts)
    assert all(len(part) % unit == 0 for part in parts[:-1])
    done = [0] * lanes
    for part in parts:  # the lane that is free first takes the next part
        done[done.index(min(done))] += -(-len(part) // unit)
    assert max(done) - min(done) <= 1, "a lane is idle while another has two units to do"


def test_lanes_keep_out_of_step() -> None:
    def sizes(*asked: int) -> list[int]:
        return [len(part) for part in shares(*asked)]

    assert sizes(100, 8, 2, 2) == [8, 4, *[8] * 6, *[6] * 6, 4]
    assert sizes(96, 8, 2, 4) == [8, 6, 4, 2, *[8] * 8, 6, 4, 2]
    assert sizes(5, 8, 2, 2) == [4, 1]
    assert sizes(1000, 64, 64, 2) == [*[64] * 15, 40], "a unit is not cut"
    assert sizes(100, 8, 1, 1) == [8] * 9 + [7] * 4


def test_blas_works_on_one_thread_meanwhile() -> None:
    def threads() -> int:
        (numbers,) = [one["num_threads"] for one in threadpool_info() if f"{os.sep}numpy" in one["filepath"]]
        return int(numbers)

    with threadpool_limits(limits=3, user_api="blas"):
        with one_thread_of_blas():
            assert list(in_lanes(lambda _: threads(), range(3), 2)) == [1, 1, 1]
        assert threads() == 3
