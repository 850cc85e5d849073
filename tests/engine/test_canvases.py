"""Canvases: decoded once into a shared file, or streamed where that file would be too large."""

import multiprocessing
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pytest_robust.data import Dataset, open_dataset
from pytest_robust.engine import canvases
from pytest_robust.engine.cache import Cache
from pytest_robust.errors import Mark, RobustError
from pytest_robust.spec.plan import DatasetPlan, Geometry, PathText

MARK = Mark("a.yaml", 2, 1)


def folder(path: Path, sizes: list[tuple[int, int]]) -> Dataset:
    random = np.random.default_rng(0)
    for number, (height, width) in enumerate(sizes):
        target = path / "images" / str(number % 2)
        target.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (height, width, 3), np.uint8)).save(target / f"{number:03}.png")
    return open_dataset(DatasetPlan("folder", MARK, PathText("images", path, MARK)))


def opened(dataset: Dataset, geometry: Geometry, path: Path, size: int = 1 << 20) -> canvases.Canvases:
    return canvases.open_canvases(dataset, geometry, Cache(path / "cache", size), threads=2)


def files(path: Path) -> list[Path]:
    """The files of canvases in the cache."""
    return sorted(path.glob("cache/canvases/*.npy*"))


def everything(made: canvases.Canvases, size: int) -> np.ndarray:
    count = len(made.dataset.samples.ids)
    return np.concatenate([made.at(range(start, min(start + size, count))) for start in range(0, count, size)])


def test_a_file_or_a_stream_gives_the_same_canvases(tmp_path: Path) -> None:
    dataset = folder(tmp_path, [(40, 50), (64, 48), (33, 90), (40, 40), (50, 41)])
    geometry = Geometry(resize=32, crop=24)
    from_file = opened(dataset, geometry, tmp_path)
    (kept,) = files(tmp_path)
    data = 5 * 24 * 24 * 3
    streamed = opened(dataset, geometry, tmp_path / "images", size=2 * data - 1)
    assert files(tmp_path / "images") == []
    assert kept.stat().st_size > data
    assert from_file.shape == streamed.shape == (24, 24, 3)
    for size in (1, 2, 5, 99):
        assert np.array_equal(everything(from_file, size), everything(streamed, size))


def test_each_image_is_decoded_once_however_often_it_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = folder(tmp_path, [(20, 20)] * 6)
    decoded: list[int] = []
    original = type(dataset).image

    def counted(self: Dataset, index: int) -> np.ndarray:
        decoded.append(index)
        return original(self, index)

    monkeypatch.setattr(type(dataset), "image", counted)
    made = opened(dataset, Geometry(), tmp_path)
    again = opened(dataset, Geometry(), tmp_path)
    for _ in range(3):
        everything(made, 4)
        everything(again, 4)
    # the first image is read a second time, for the size of them all, and once more by the second reader
    assert sorted(decoded) == [0, 0, 0, 1, 2, 3, 4, 5]


def test_images_of_different_sizes_need_a_geometry(tmp_path: Path) -> None:
    dataset = folder(tmp_path, [(20, 20), (20, 24)])
    with pytest.raises(RobustError, match=r"1/001\.png is 24x20 pixels where 0/000\.png is 20x20; give .* geometry"):
        opened(dataset, Geometry(), tmp_path)
    assert files(tmp_path) == []


def test_writing_to_canvases_changes_none_of_those_that_are_kept(tmp_path: Path) -> None:
    made = opened(folder(tmp_path, [(8, 8)] * 2), Geometry(), tmp_path)
    before = made.at(range(2)).copy()
    made.at(range(2))[:] = 7
    np.testing.assert_array_equal(made.at(range(2)), before)


def resident() -> int:
    """Resident memory of this process, in bytes."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return 1024 * int(found[1])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")
def test_reading_canvases_leaves_no_pages_of_the_file_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, x=np.ones((1024, 256, 256, 3), np.uint8), y=np.zeros(1024, np.int64))
    dataset = open_dataset(DatasetPlan("npz", MARK, PathText(path.name, tmp_path, MARK), classes=1))
    made = canvases.open_canvases(dataset, Geometry(), Cache(tmp_path / "cache", 1 << 30), threads=1)
    assert made.kept is not None
    made.at(range(8))
    before = resident()
    for start in range(0, 1024, 8):
        made.at(range(start, start + 8))
    assert resident() - before < 64 << 20, "192 MiB were read"


def test_the_key_is_of_contents_and_geometry_and_not_of_places(tmp_path: Path) -> None:
    first = folder(tmp_path / "a", [(20, 20)] * 2)
    same = folder(tmp_path / "b", [(20, 20)] * 2)
    other = folder(tmp_path / "c", [(20, 20)] * 3)
    key = canvases.canvas_key(first, Geometry(crop=8))
    assert canvases.canvas_key(same, Geometry(crop=8)) == key
    assert canvases.canvas_key(other, Geometry(crop=8)) != key
    assert canvases.canvas_key(first, Geometry(crop=9)) != key
    assert canvases.canvas_key(first, Geometry(crop=8, rounding="nearest")) != key


def test_a_damaged_canvas_is_decoded_anew_and_counted_and_its_file_goes(tmp_path: Path) -> None:
    dataset = folder(tmp_path, [(20, 20)] * 6)
    sound = everything(opened(dataset, Geometry(), tmp_path), 4)
    (path,) = files(tmp_path)
    content = bytearray(path.read_bytes())
    content[-6 * 4 - 1] ^= 1  # the last byte of the last canvas, before the checksums
    path.write_bytes(content)
    again = opened(dataset, Geometry(), tmp_path)
    for _ in range(2):
        assert np.array_equal(everything(again, 4), sound)
    assert again.damaged == {5}
    assert files(tmp_path) == []
    assert opened(dataset, Geometry(), tmp_path).damaged == set()


@pytest.mark.parametrize("damage", ["cut", "header", "empty", "longer"])
def test_a_file_of_another_length_is_made_anew(tmp_path: Path, damage: str) -> None:
    dataset = folder(tmp_path, [(20, 20)] * 3)
    sound = everything(opened(dataset, Geometry(), tmp_path), 4)
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[:-1], "header": whole[:64], "empty": b"", "longer": whole + b"x"}[damage])
    again = opened(dataset, Geometry(), tmp_path)
    assert np.array_equal(everything(again, 4), sound)
    assert path.read_bytes() == whole


def test_what_a_killed_process_left_is_swept_by_the_next_that_decodes(tmp_path: Path) -> None:
    dataset = folder(tmp_path, [(20, 20)] * 3)
    opened(dataset, Geometry(), tmp_path)
    (path,) = files(tmp_path)
    path.rename(path.with_name(f"{path.name}.4711.0000.tmp"))
    opened(dataset, Geometry(), tmp_path)
    assert files(tmp_path) == [path]


def open_and_sum(path: Path, done: "multiprocessing.Queue[int]") -> None:
    dataset = open_dataset(DatasetPlan("folder", MARK, PathText("images", path, MARK)))
    done.put(int(everything(opened(dataset, Geometry(), path), 3).sum()))


def test_many_processes_share_one_file(tmp_path: Path) -> None:
    dataset = folder(tmp_path, [(40, 40)] * 40)
    context = multiprocessing.get_context("spawn")
    done: multiprocessing.Queue[int] = context.Queue()
    processes = [context.Process(target=open_and_sum, args=(tmp_path, done)) for _ in range(3)]
    for process in processes:
        process.start()
    sums = [done.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    assert set(sums) == {int(everything(canvases.stream_canvases(dataset, Geometry()), 7).sum())}
    assert len(files(tmp_path)) == 1


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    dataset = folder(tmp_path, [(20, 20)] * 3)
    (tmp_path / "cache").write_text("no folder")
    made = opened(dataset, Geometry(), tmp_path)
    assert made.kept is None
    assert everything(made, 2).shape == (3, 20, 20, 3)
