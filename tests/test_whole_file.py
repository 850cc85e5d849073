"""Files of the user's are there whole or not at all, and what cannot be written is said before the work."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_robust.errors import RobustError
from pytest_robust.whole_file import check, replace, replace_all, replacing, telling


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def small_disk(limit: int) -> Iterator[None]:
    """Files above `limit` bytes do not fit."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_gets_its_content_and_nothing_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "a.bin"
    for content in (b"first", b"", b"the second"):
        replace(path, content, "report")
        assert path.read_bytes() == content
        assert names(path.parent) == ["a.bin"]
    with replacing(tmp_path / "new" / "b.bin") as stream:
        stream.write(b"whole")
        assert not (tmp_path / "new" / "b.bin").exists()
    assert (tmp_path / "new" / "b.bin").read_bytes() == b"whole"
    assert names(tmp_path / "new") == ["b.bin"]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    replace(path, b"old", "report")
    with small_disk(1000), pytest.raises(RobustError) as caught:
        replace(path, bytes(2000), "report")
    assert str(caught.value) == f"the report {path} cannot be written (File too large); choose another place"
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_of_several_files_none_is_replaced_before_all_are_on_the_disk(tmp_path: Path) -> None:
    first, second = tmp_path / "a.bin", tmp_path / "b.bin"
    replace_all({first: b"one", second: b"two"}, "report")
    with small_disk(1000), pytest.raises(RobustError, match=r"the report \S+b\.bin cannot be written \(File too large"):
        replace_all({first: b"three", second: bytes(2000)}, "report")
    assert (first.read_bytes(), second.read_bytes()) == (b"one", b"two")
    assert names(tmp_path) == ["a.bin", "b.bin"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError(28, "No space left on device")])
def test_whatever_ends_the_writing_nothing_half_written_stays(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def broken_off() -> None:
        with replacing(path) as stream:
            stream.write(b"half")
            stream.flush()
            raise error

    with pytest.raises(error if isinstance(error, type) else type(error)):
        broken_off()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_two_writers_at_once_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    contents = [bytes([value]) * 50_000 for value in range(4)]

    def write(content: bytes) -> None:
        for _ in range(20):
            replace(path, content, "report")

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    seen = set()
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            seen.add(path.read_bytes())
    for thread in threads:
        thread.join()
    assert seen <= set(contents)
    assert path.read_bytes() in contents
    assert names(tmp_path) == ["a.bin"]


def test_what_cannot_be_written_is_known_before_and_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"mine")
    for place, reason in (
        ("folder", "it is a folder"),
        ("file/a.bin", "Not a directory"),
        ("file/deep/a.bin", "Not a directory"),
        (f"{'x' * 300}", "File name too long"),
    ):
        path = tmp_path / place
        with pytest.raises(RobustError) as caught:
            check(path, "sheet")
        assert str(caught.value) == f"the sheet {path} cannot be written ({reason}); choose another place"
    for place in ("file", "new.bin", "not/there/yet/new.bin"):
        check(tmp_path / place, "sheet")
    assert names(tmp_path) == ["file", "folder"]
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_places_are_checked_as_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check(Path("a.bin"), "sheet")
    check(Path("new/../a.bin"), "sheet")
    replace(Path("a.bin"), b"x", "sheet")
    assert names(tmp_path) == ["a.bin"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_the_right_to_write_is_known_before(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(RobustError, match=r"cannot be written \(Permission denied\)"):
            check(tmp_path / "a.bin", "sheet")
    finally:
        tmp_path.chmod(0o700)


def test_an_error_without_a_number_is_shown_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(RobustError, match=r"cannot be written \(odd\)"), telling(tmp_path, "pack"):
        raise OSError("odd")
