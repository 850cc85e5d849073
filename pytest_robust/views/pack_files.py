"""Packs as files: one npz each, whose bytes follow from the pack, and whose images are read where they lie.

The images are a member of their own that is not compressed, so they are mapped and never held in memory; written they
are one by one. Packs in which they are compressed, as `numpy.savez_compressed` would write them, are read whole.
"""

from __future__ import annotations

import hashlib
import math
import zipfile
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from pytest_robust.checked_file import checked_file
from pytest_robust.errors import RobustError, shown
from pytest_robust.golden.arrays import add, member
from pytest_robust.views.packs import CANVASES, Pack
from pytest_robust.whole_file import replacing

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_LOCAL = 30
"""Bytes of a zip member's own header before its name, the lengths of which and of an extra field end it."""

_AT_ONCE = 1 << 20


def write_pack(path: Path, pack: Pack) -> None:
    """Put a pack in its place in one step, as an npz that `numpy.load` opens; equal packs give equal bytes.

    A reader, and another process that writes the same file, sees all of it or what was there before.

    Raises:
        OSError: it cannot be written; what was there is as before.
    """
    with replacing(path) as stream, zipfile.ZipFile(stream, "w") as archive:
        for name, array in sorted(pack.arrays().items()):
            add(archive, name, array)
        _add_images(archive, pack)


def read_pack(path: Path) -> tuple[Pack, str]:
    """A pack from a file, and the sha256 of that.

    Raises:
        RobustError: the file is missing, cannot be read, or is no sound pack.
    """
    with checked_file(path, f"the pack {shown(path)}", "does not exist; make it by pytest-robust craft") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        try:
            return load_pack(stream), digest
        except ValueError as error:
            raise RobustError(
                f"{shown(path)} is no pack of crafted images, or a damaged one ({error}); make it by pytest-robust "
                "craft"
            ) from error


def load_pack(stream: BinaryIO) -> Pack:
    """A pack from an open file, every byte of it held against its checksum; no array is ever unpickled.

    The images stay in that file, whatever comes to lie under its name.

    Raises:
        ValueError: it is no pack, or a damaged one.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            arrays = {
                entry.filename.removesuffix(".npy"): _array(archive, entry, stream) for entry in archive.infolist()
            }
        return Pack.of(arrays)
    # zipfile and numpy answer damage with a dozen kinds of exception, OSError for a place before the file among them
    except Exception as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _add_images(archive: zipfile.ZipFile, pack: Pack) -> None:
    entry, shape = member(CANVASES), pack.canvases.shape
    entry.file_size = math.prod(shape)  # what zipfile goes by to leave room for a size above 2 GiB
    with archive.open(entry, "w") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for image in pack.canvases:
            stream.write(image.data)


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, file: BinaryIO) -> NDArray[Any]:
    with archive.open(entry) as stream:
        if entry.filename == f"{CANVASES}.npy" and entry.compress_type == zipfile.ZIP_STORED:
            shape, header = _images_header(stream)
            if header + math.prod(shape) != entry.file_size:
                raise ValueError(f"its images of shape {shape} are cut short")
            while stream.read(_AT_ONCE):
                pass  # to the end, where the checksum is compared
            if 0 not in shape:
                return np.memmap(file, np.uint8, "r", _start(entry, file) + header, shape)
            return np.empty(shape, np.uint8)
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
        if stream.read(1):
            raise ValueError(f"the array {entry.filename} is followed by something else")
        return array


def _images_header(stream: Any) -> tuple[tuple[int, ...], int]:
    """The shape that the images' member states, and the bytes before the first of them."""
    version = np.lib.format.read_magic(stream)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"its images are an array of the npy version {version}, which is not known here")
    shape, by_columns, kind = read(stream)
    if by_columns or kind != np.uint8:
        raise ValueError("its images are no uint8 array in the order of C")
    return shape, stream.tell()


def _start(entry: zipfile.ZipInfo, file: BinaryIO) -> int:
    """Where the bytes of a member that is not compressed begin in the file."""
    file.seek(entry.header_offset)
    head = file.read(_LOCAL)
    return entry.header_offset + _LOCAL + sum(int.from_bytes(head[at : at + 2], "little") for at in (26, 28))
