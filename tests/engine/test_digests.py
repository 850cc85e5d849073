"""Digests of files: believed while nothing about the file changed, and remembered only when nothing can hide."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from pytest_robust.engine import digests
from pytest_robust.engine.cache import Cache
from pytest_robust.engine.digests import Digests
from pytest_robust.errors import RobustError

LIE = "f" * 64
"""A remembered digest that no file has: where it comes back, the file was not read."""


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", 1 << 20)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two files that count as settled at once."""
    monkeypatch.setattr(digests, "SETTLED_SECONDS", 0.0)
    for name in ("a", "b"):
        path = tmp_path / "data" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode() * 10)
    time.sleep(0.02)  # the clock of time stamps may be a tick behind
    return tmp_path / "data"


def sha256(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def remembered(cache: Cache) -> dict[str, list]:
    """The files of the one folder that the cache knows."""
    found = [path.name for path in (cache.folder / "digests").glob("*")]
    return cache.get("digests", found[0])["files"] if found else {}  # type: ignore[index]


def lie_about(cache: Cache, *names: str) -> None:
    """Replace what is remembered of files by `LIE`."""
    (key,) = (path.name for path in (cache.folder / "digests").iterdir())
    entry = cache.get("digests", key)
    assert entry is not None
    for name in names:
        entry["files"][name][1] = LIE
    cache.put("digests", key, entry)


def test_an_unchanged_file_is_not_read_again(cache: Cache, folder: Path) -> None:
    paths = [folder / "b", folder / "a"]
    assert Digests(cache)(paths) == [sha256(path) for path in paths]
    lie_about(cache, "a")
    assert Digests(cache)(paths) == [sha256(folder / "b"), bytes.fromhex(LIE)]


def touched(path: Path) -> None:
    path.touch()


def rewritten(path: Path) -> None:
    """Other bytes of the same length under the old time stamp."""
    status = path.stat()
    path.write_bytes(bytes(reversed(path.read_bytes()[:-1])) + b"!")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replaced(path: Path) -> None:
    """A file of the same length, put in its place with the old time stamp, as an archive does."""
    status = path.stat()
    other = path.with_name("other")
    other.write_bytes(b"x" * status.st_size)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


def longer(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


@pytest.mark.parametrize("change", [touched, rewritten, replaced, longer])
def test_a_file_that_changed_in_any_way_is_read(cache: Cache, folder: Path, change: object) -> None:
    path = folder / "a"
    Digests(cache)([path, folder / "b"])
    lie_about(cache, "a", "b")
    time.sleep(0.02)
    change(path)  # type: ignore[operator]
    assert Digests(cache)([path, folder / "b"]) == [sha256(path), bytes.fromhex(LIE)]


def test_a_file_of_this_moment_is_not_remembered(cache: Cache, tmp_path: Path) -> None:
    """It could change again within one tick of the clock, and nothing would show it."""
    new, settled = tmp_path / "new", tmp_path / "settled"
    settled.write_bytes(b"settled")
    new.write_bytes(b"new")
    later = time.time() + 3600
    os.utime(new, (later, later))
    for path in (new, settled):
        assert Digests(cache)([path]) == [sha256(path)]
    assert remembered(cache) == {}


def test_files_that_are_gone_are_forgotten_and_the_rest_is_kept(cache: Cache, folder: Path) -> None:
    Digests(cache)([folder / "a", folder / "b"])
    (folder / "a").unlink()
    (folder / "c").write_bytes(b"c")
    time.sleep(0.02)
    Digests(cache)([folder / "c"])
    assert remembered(cache).keys() == {"b", "c"}


def test_a_damaged_memory_is_no_memory(cache: Cache, folder: Path) -> None:
    Digests(cache)([folder / "a"])
    lie_about(cache, "a")
    (path,) = (cache.folder / "digests").iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    assert Digests(cache)([folder / "a"]) == [sha256(folder / "a")]


def test_names_of_any_bytes_and_links_are_files_like_others(cache: Cache, folder: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe"))
    odd.write_bytes(b"odd")
    (folder / "link").symlink_to(folder / "a")
    time.sleep(0.02)
    for _ in range(2):
        assert Digests(cache)([odd, folder / "link"]) == [sha256(odd), sha256(folder / "a")]
    (folder / "link").unlink()
    (folder / "link").symlink_to(folder / "b")
    assert Digests(cache)([folder / "link"]) == [sha256(folder / "b")]


def test_a_file_that_is_not_there_is_one_sentence(cache: Cache, tmp_path: Path) -> None:
    with pytest.raises(RobustError, match="gone cannot be read: No such file"):
        Digests(cache)([tmp_path / "gone"])
