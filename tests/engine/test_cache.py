"""The cache on disk: whole entries or none, bounded, shared, and never in the way."""

import multiprocessing
import os
import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_robust.cache_folder import foreign
from pytest_robust.engine.cache import Cache
from pytest_robust.engine.entries import pack, unpack, write

PLAIN = st.dictionaries(
    st.text(max_size=5), st.integers() | st.text(max_size=20) | st.binary(max_size=20) | st.lists(st.booleans())
).filter(lambda plain: plain.keys() != {"base64"})


@given(PLAIN, st.data())
def test_an_entry_is_what_was_put_or_nothing(plain: dict, data: st.DataObject) -> None:
    content = pack(plain)
    assert unpack(content) == plain
    broken = bytearray(content)
    broken[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    assert unpack(bytes(broken)) is None
    assert unpack(content[: data.draw(st.integers(0, len(content) - 1))]) is None


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped"])
def test_a_damaged_entry_is_removed_and_remembered(tmp_path: Path, damage: str) -> None:
    cache = Cache(tmp_path, 1 << 20)
    cache.put("cells", "key", {"value": 1})
    path = cache.path("cells", "key")
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[:-3], "empty": b"", "flipped": whole[:-2] + b"2}"}[damage])
    assert cache.get("cells", "key") is None
    assert cache.damaged == {("cells", "key")}
    assert not cache.has("cells", "key")
    assert Cache(tmp_path, 1 << 20).get("cells", "key") is None


def aged(cache: Cache, *names: str) -> None:
    """Entries of two blocks each, the first used longest ago."""
    for age, name in enumerate(reversed(names), 1):
        cache.put("cells", name, {"x": "y" * 8000})
        then = time.time() - 100 * age
        os.utime(cache.path("cells", name), (then, then))


def names(cache: Cache) -> set[str]:
    return {path.name for path in (cache.folder / "cells").iterdir()}


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 25_000)
    aged(cache, "a", "b", "c", "d")
    assert cache.get("cells", "a") is not None
    cache.trim()
    assert names(cache) == {"a", "c", "d"}
    cache.trim(room=10_000)
    assert names(cache) == {"a"}
    Cache(tmp_path, 1).trim()
    assert names(cache) == set()


def test_within_its_size_nothing_goes_but_what_a_killed_process_left(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1 << 20)
    aged(cache, "a", "b")
    for name, age in (("old.1.tmp", 100_000), ("new.1.tmp", 100)):
        cache.path("cells", name).write_bytes(b"half")
        then = time.time() - age
        os.utime(cache.path("cells", name), (then, then))
    cache.trim()
    assert names(cache) == {"a", "b", "new.1.tmp"}


def test_trimming_touches_nothing_that_is_not_the_caches_own(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 1)
    (tmp_path / "cache" / "theirs").mkdir(parents=True)
    (tmp_path / "cache" / "theirs" / "cell").write_text("mine")
    cache.trim()
    cache.put("cells", "a", {})
    cache.trim()
    assert names(cache) == set()
    assert (tmp_path / "cache" / "theirs" / "cell").read_text() == "mine"


def test_only_a_new_an_empty_or_a_known_folder_becomes_a_cache(tmp_path: Path) -> None:
    assert not foreign(tmp_path / "new")
    assert not foreign(tmp_path)
    Cache(tmp_path, 1).put("cells", "a", {})
    assert not foreign(tmp_path)
    assert (tmp_path / ".gitignore").read_text() == "*\n"
    (tmp_path / "CACHEDIR.TAG").unlink()
    assert foreign(tmp_path)
    assert foreign(Path(__file__))


def test_a_folder_that_cannot_be_made_is_a_problem_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "cache", 1 << 20)
    assert not cache.put("cells", "a", {})
    assert cache.problem == f"{cache.folder} cannot be written: Not a directory"
    assert cache.get("cells", "a") is None
    cache.trim()


def test_a_write_that_fails_leaves_the_old_entry_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "entry"
    write(path, b"old")
    with pytest.raises(TypeError):
        write(path, "no bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["entry"]


def hammer(folder: Path, seed: int, wrong: "multiprocessing.Queue[str]") -> None:
    """Put, get and trim at random; report whatever is neither absent nor right."""
    cache, draw = Cache(folder, 60_000), random.Random(seed)
    for _ in range(300):
        key = str(draw.randrange(12))
        if draw.random() < 0.5:
            cache.put("cells", key, {"key": key, "x": key * 3000})
        elif (found := cache.get("cells", key)) not in (None, {"key": key, "x": key * 3000}):
            wrong.put(f"{key}: {str(found)[:50]}")
        if draw.random() < 0.1:
            cache.trim()
    wrong.put(f"done {cache.problem} {sorted(cache.damaged)}")


def test_processes_that_put_get_and_trim_at_once_never_see_half_an_entry(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    wrong: multiprocessing.Queue[str] = context.Queue()
    processes = [context.Process(target=hammer, args=(tmp_path, seed, wrong)) for seed in range(3)]
    for process in processes:
        process.start()
    assert [wrong.get(timeout=60) for _ in processes] == ["done None []"] * 3
    for process in processes:
        process.join(60)
    Cache(tmp_path, 60_000).trim()
    assert sum(max(4096, path.stat().st_size) for path in (tmp_path / "cells").iterdir()) <= 60_000
