"""Packs as files: the same bytes every time, nothing believed that is damaged, and images that stay on the disk."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import zipfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_robust.data.mapped import Images, Spool
from pytest_robust.errors import RobustError
from pytest_robust.views.pack_files import load_pack, read_pack, write_pack
from pytest_robust.views.packs import CANVASES
from tests.views.made_pack import arrays_of, made, save

TRIED = [True, False, True, True, False]
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)


def equal(path: Path, tried: list[bool] = TRIED, images: NDArray[np.uint8] = IMAGES) -> None:
    """Whether a file gives the pack of these samples."""
    read, _ = read_pack(path)
    for name, array in arrays_of(made(images, tried)).items():
        np.testing.assert_array_equal(arrays_of(read)[name], array, err_msg=name, strict=True)


def not_read(path: Path) -> bool:
    """Whether a file is refused."""
    try:
        read_pack(path)
    except RobustError:
        return True
    return False


@pytest.mark.parametrize("targets", [None, np.arange(5, dtype=np.uint16)])
def test_equal_packs_give_equal_bytes_and_come_back(tmp_path: Path, targets: NDArray[np.uint16] | None) -> None:
    for name in "ab":
        write_pack(tmp_path / name, made(IMAGES, TRIED, targets, notes=("one", "two")))
    content = (tmp_path / "a").read_bytes()
    assert (tmp_path / "b").read_bytes() == content
    read, digest = read_pack(tmp_path / "a")
    assert digest == hashlib.sha256(content).hexdigest()
    assert read.parameters == {"attack": "pgd", "epsilon": 0.1}
    assert read.notes == ("one", "two")
    assert (read.targets is None) == (targets is None)
    write_pack(tmp_path / "c", read)
    assert (tmp_path / "c").read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_numpy_opens_a_pack_and_its_images_are_mapped(tmp_path: Path) -> None:
    write_pack(tmp_path / "a.npz", made(IMAGES, TRIED))
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert set(arrays.files) == set(arrays_of(made(IMAGES, TRIED)))
        np.testing.assert_array_equal(arrays[CANVASES], 255 - IMAGES[TRIED])
    read, _ = read_pack(tmp_path / "a.npz")
    assert isinstance(read.canvases.held, np.memmap)
    equal(tmp_path / "a.npz")


@pytest.mark.parametrize("compressed", [False, True])
def test_a_pack_that_numpy_wrote_is_read_too(tmp_path: Path, compressed: bool) -> None:
    path = save(tmp_path / "a.npz", made(IMAGES, TRIED), compressed=compressed)
    equal(path)
    read, _ = read_pack(path)
    assert isinstance(read.canvases.held, np.memmap) != compressed


@pytest.mark.parametrize("tried", [[False] * 5, [False] * 4 + [True], [True] * 5])
def test_none_one_or_all_may_be_attacked(tmp_path: Path, tried: list[bool]) -> None:
    write_pack(tmp_path / "a.npz", made(IMAGES, tried))
    equal(tmp_path / "a.npz", tried)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(5)), st.lists(st.booleans(), min_size=5, max_size=5), st.integers(0, 5))
def test_any_rows_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], tried: list[bool], count: int
) -> None:
    path = tmp_path_factory.mktemp("pack") / "a.npz"
    write_pack(path, made(IMAGES, tried))
    some = read_pack(path)[0].rows(order[:count])
    some.check()
    assert some.ids == tuple(f"{i:06d}" for i in order[:count])
    attacked = [i for i in order[:count] if tried[i]]
    assert some.tried.tolist() == [tried[i] for i in order[:count]]
    assert len(some.canvases) == len(attacked)
    for image, i in zip(some.canvases, attacked, strict=True):
        np.testing.assert_array_equal(image, 255 - IMAGES[i])
    write_pack(path, some)
    assert arrays_of(read_pack(path)[0])[CANVASES].tobytes() == (255 - IMAGES[attacked]).tobytes()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_byte_is_found_or_changes_nothing(tmp_path: Path, data: st.DataObject) -> None:
    path, sound = tmp_path / "a.npz", tmp_path / "sound.npz"
    if not sound.exists():
        write_pack(sound, made(IMAGES, TRIED))
    content = bytearray(sound.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1) | st.integers(len(content) - 900, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    told = pytest.raises(RobustError, match="is no pack of crafted images, or a damaged one")
    with told if not_read(path) else nullcontext():
        equal(path)


def test_a_damaged_image_is_found(tmp_path: Path) -> None:
    path, images = tmp_path / "a.npz", np.random.default_rng(1).integers(0, 256, (5, 64, 64, 3), np.uint8)
    write_pack(path, made(images, TRIED))
    content = path.read_bytes()
    at = content.index((255 - images[3]).tobytes())
    path.write_bytes(content[: at + 7] + bytes([content[at + 7] ^ 1]) + content[at + 8 :])
    with pytest.raises(RobustError, match=r"a damaged one .*CRC"):
        read_pack(path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_a_pack_that_is_cut_short_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.npz"
    write_pack(path, made(IMAGES, TRIED))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(RobustError, match=r"a.npz is no pack of crafted images, or a damaged one .*craft"):
        read_pack(path)


@pytest.mark.parametrize(
    ("name", "array", "sentence"),
    [
        ("about", None, "it has no array 'about'"),
        ("about", np.array("[]"), "format None where this pytest-robust reads 1"),
        ("about", np.array('{"format": 2}'), "format 2 where this pytest-robust reads 1"),
        ("about", np.array('{"format": 1, "parameters": 3, "notes": []}'), "by what parameters"),
        ("ids", np.array(["a", "b", "c", "d", "a"]), "do not have an id each"),
        ("labels", np.zeros(4, np.uint16), "its arrays do not fit each other"),
        ("success", np.ones(5, np.bool_), "its arrays do not fit each other"),
        ("canvases", np.zeros((2, 8, 8, 3), np.uint8), "its images are 2 for 3 attacked samples"),
        ("canvases", np.zeros((3, 8, 8, 3), np.float32), "its images are no uint8 array"),
        ("canvases", np.zeros((3, 8, 8), np.uint8), "its images are no uint8 array"),
        ("canvases", np.asfortranarray(np.zeros((3, 8, 8, 3), np.uint8)), "in the order of C"),
        ("canvases", np.array([{}] * 3, object), "no uint8 array in the order of C"),
        ("labels", np.array([{}] * 5, object), "Object arrays cannot be loaded"),
        ("clean", np.zeros((3, 31), np.uint8), "its digests do not fit its images"),
        ("clean", np.zeros((3, 32), np.float64), "its digests do not fit its images"),
    ],
)
def test_what_is_no_pack(tmp_path: Path, name: str, array: NDArray[np.generic] | None, sentence: str) -> None:
    arrays = arrays_of(made(IMAGES, TRIED))
    arrays = {key: value for key, value in arrays.items() if key != name}
    np.savez(tmp_path / "a.npz", **arrays, **({} if array is None else {name: array}))
    with pytest.raises(RobustError, match=sentence):
        read_pack(tmp_path / "a.npz")


def test_an_array_that_would_run_code_is_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    for name in ("queries", "canvases"):
        arrays = {**arrays_of(made(IMAGES, TRIED)), name: np.array([Trap()], object)}
        np.savez(tmp_path / "a.npz", **arrays)
        with pytest.raises(RobustError, match="no pack of crafted images"):
            read_pack(tmp_path / "a.npz")
    assert not (tmp_path / "sprung").exists()


def test_what_is_no_file_to_read(tmp_path: Path) -> None:
    with pytest.raises(RobustError, match=r"a\.npz does not exist; make it by pytest-robust craft"):
        read_pack(tmp_path / "a.npz")
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(RobustError, match=r"a\.npz cannot be read"):
        read_pack(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(RobustError, match=r"b\.npz is only a Git LFS pointer; fetch the file with `git lfs pull`"):
        read_pack(tmp_path / "b.npz")


def test_a_pack_stays_what_it_was_when_another_is_put_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_pack(path, made(IMAGES, TRIED))
    read, _ = read_pack(path)
    write_pack(path, made(255 - IMAGES, [True] * 5))
    np.testing.assert_array_equal(np.array([*read.canvases]), 255 - IMAGES[TRIED])
    equal(path, [True] * 5, 255 - IMAGES)


def test_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    packs = [made(np.full_like(IMAGES, level), [True] * 5) for level in range(6)]
    write_pack(path, packs[0])
    seen: list[set[int]] = []
    going = threading.Event()

    def read() -> None:
        while not going.is_set():
            seen.append({int(image.max()) for image in read_pack(path)[0].canvases})

    reader = threading.Thread(target=read)
    reader.start()
    writers = [threading.Thread(target=lambda one=one: [write_pack(path, one) for _ in range(5)]) for one in packs]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    going.set()
    reader.join()
    assert seen
    assert all(len(one) == 1 for one in seen), "every file that was read is of one writer"
    assert [one.name for one in tmp_path.iterdir()] == ["a.npz"]


def test_a_pack_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_pack(path, made(IMAGES, TRIED))

    class Failing(Images):
        def __getitem__(self, index: int) -> NDArray[np.uint8]:
            if index == 1:
                raise OSError(28, "No space left on device")
            return super().__getitem__(index)

    failing = Failing(IMAGES, np.arange(5))
    with pytest.raises(OSError, match="No space left"):
        write_pack(path, made(IMAGES, [True] * 5, canvases=failing))
    equal(path)
    assert [one.name for one in tmp_path.iterdir()] == ["a.npz"]


def test_a_member_behind_other_bytes_is_found(tmp_path: Path) -> None:
    write_pack(tmp_path / "a.npz", made(IMAGES, TRIED))
    path = tmp_path / "b.npz"
    path.write_bytes(bytes(4099) + (tmp_path / "a.npz").read_bytes())
    assert zipfile.is_zipfile(path)
    equal(path)


def test_images_are_gathered_on_the_disk(tmp_path: Path) -> None:
    with Spool((8, 8, 3), tmp_path) as spool:
        spool.add(IMAGES[:2])
        spool.add(IMAGES[:0])
        spool.add(IMAGES[4:1:-1])
        images = spool.images()
    np.testing.assert_array_equal(np.array([*images]), IMAGES[[0, 1, 4, 3, 2]])
    assert isinstance(images.held, np.memmap)
    with Spool((8, 8, 3), None) as spool:
        assert spool.images().shape == (0, 8, 8, 3)
    with pytest.raises(RobustError, match=r"images cannot be kept in .*gone .*; make room there"):
        Spool((8, 8, 3), tmp_path / "gone")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak of a process")
def test_memory_does_not_grow_with_the_pack(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
import numpy as np
from pytest_robust.data.mapped import Spool
from pytest_robust.views.pack_files import read_pack, write_pack
from tests.views.made_pack import made

def peak():
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024

count, path = 800, Path(sys.argv[1])
one = made(np.zeros((count, 1, 1, 3), np.uint8), [True] * count)
before = peak()
with Spool((224, 224, 3), path.parent) as spool:
    for _ in range(count // 8):
        spool.add(np.full((8, 224, 224, 3), 7, np.uint8))
    images = spool.images()
write_pack(path, made(np.zeros((count, 1, 1, 3), np.uint8), [True] * count, canvases=images))
pack, _ = read_pack(path)
pack = pack.rows(np.arange(count)[::-1])
assert all(image.min() == 7 for image in pack.canvases)
print(peak() - before)
"""
    asked = [sys.executable, "-c", script, str(tmp_path / "a.npz")]
    run = subprocess.run(asked, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 30, "of 120 MB of images"


def test_an_open_file_is_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_pack(path, made(IMAGES, TRIED))
    with path.open("rb") as stream:
        read = load_pack(stream)
    path.unlink()
    np.testing.assert_array_equal(np.array([*read.canvases]), 255 - IMAGES[TRIED])
