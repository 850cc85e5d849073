"""The run's store: whole results or none, one pass at a time, and who died of what."""

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
from filelock import Timeout
from hypothesis import given
from hypothesis import strategies as st

from pytest_robust.engine.store import Failure, RunStore, process_died
from pytest_robust.measurement import Measurement, Provenance


def measurement(predicted: list[int]) -> Measurement:
    made = Provenance("a" * 64, "1.31.1", ("CPUExecutionProvider",), "cpu", "cpu", "{}", "{}", {"threads": 2})
    array = np.array(predicted, np.uint16)
    return Measurement("b" * 64, array, array % 3 == 0, 2, 1, "c" * 64, made, {"std": 0.1}, {"total": 0.5})


@given(st.lists(st.integers(0, 65535), max_size=40))
def test_a_measurement_comes_back_as_it_went_in(tmp_path_factory: pytest.TempPathFactory, labels: list[int]) -> None:
    store = RunStore(tmp_path_factory.mktemp("store"))
    put = measurement(labels)
    store.put("key", put)
    got = store.get("key")
    assert isinstance(got, Measurement)
    assert got.to_plain() == put.to_plain()
    assert got.predicted.dtype == np.uint16
    assert got.near_tie.dtype == np.bool_


def test_a_failure_comes_back_with_its_traceback(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.put("key", Failure("one sentence", "Traceback ..."))
    assert store.get("key") == Failure("one sentence", "Traceback ...")
    assert store.has("key")
    assert not store.has("other")
    assert store.get("other") is None


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_entry_is_a_failure_and_never_a_wrong_number(tmp_path: Path, damage: str) -> None:
    store = RunStore(tmp_path)
    store.put("key", measurement([1, 2, 3]))
    path = tmp_path / "cells" / "key"
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    path.write_bytes({"cut": content[:-9], "flip": content, "empty": b""}[damage])
    found = store.get("key")
    assert isinstance(found, Failure)
    assert "damaged" in found.sentence


PAIR = {"key": "pair", "model": "net", "shift": "fog-3"}


def die_holding(folder: Path) -> None:
    store = RunStore(folder)
    store.lock("pass").acquire()
    store.mark_running("gw7", [PAIR])
    os._exit(9)


def test_a_dead_workers_lock_is_free_and_its_mark_tells_what_it_ran(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=die_holding, args=(tmp_path,))
    process.start()
    process.join(60)
    assert process.exitcode == 9
    store = RunStore(tmp_path)
    with store.lock("pass").acquire(timeout=0):
        assert store.others("gw1") == [[PAIR]]
    assert store.others("gw7") == []
    assert store.running("gw7") == [PAIR]
    assert "net on fog-3" in process_died("net", "fog-3").sentence
    store.mark_running("gw7", ())
    assert store.running("gw7") == []


def test_one_pair_is_to_blame_and_of_several_each_is_suspect(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.blame([PAIR])
    assert store.get("pair") == process_died("net", "fog-3")
    assert not store.suspects("pair")
    others = [{**PAIR, "key": key} for key in ("one", "two")]
    store.blame(others)
    assert [store.has(key) for key in ("one", "two")] == [False, False]
    assert [store.suspects(key) for key in ("one", "two", "three")] == [True, True, False]
    store.blame(others[:1])
    assert store.get("one") == process_died("net", "fog-3")


def test_what_a_pair_measured_outlives_the_death_of_its_worker(tmp_path: Path) -> None:
    store, failure = RunStore(tmp_path), Failure("measured")
    store.put("pair", failure)
    store.blame([PAIR])
    assert store.get("pair") == failure


def test_only_one_holds_the_lock_of_a_pass(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    with store.lock("pass"), pytest.raises(Timeout):
        RunStore(tmp_path).lock("pass").acquire(timeout=0)
