"""Canvases: decoded once into a shared file, or streamed where that file would be too large."""

from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from pytest_robust.data import Dataset, open_dataset
from pytest_robust.engine import canvases
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


def opened(dataset: Dataset, geometry: Geometry, path: Path) -> canvases.Canvases:
    return canvases.open_canvases(dataset, geometry, path / "c.npy", FileLock(path / "lock"), threads=2)


def everything(made: canvases.Canvases, size: int) -> np.ndarray:
    return np.concatenate([images for _, images in made.batches(size)])


def test_a_file_or_a_stream_gives_the_same_canvases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = folder(tmp_path, [(40, 50), (64, 48), (33, 90), (40, 40), (50, 41)])
    geometry = Geometry(resize=32, crop=24)
    from_file = opened(dataset, geometry, tmp_path)
    assert (tmp_path / "c.npy").exists()
    monkeypatch.setattr(canvases, "MAX_FILE_BYTES", 0)
    streamed = opened(dataset, geometry, tmp_path / "images")
    assert not (tmp_path / "images" / "c.npy").exists()
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
    assert list(tmp_path.glob("c.npy*")) == []


def test_the_canvases_cannot_be_written_to(tmp_path: Path) -> None:
    made = opened(folder(tmp_path, [(8, 8)] * 2), Geometry(), tmp_path)
    _, images = next(made.batches(2))
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0
