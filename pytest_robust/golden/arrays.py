"""The arrays beside a golden or a report: an npz whose bytes depend on its content alone.

`numpy.load` opens it. Names are ``ids/<digest12>`` (str), ``labels/<digest12>`` and
``predicted/<device class>/<cell>`` (uint16), where digest12 is the start of the sample set's digest; so one
file holds cells over several sample sets.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pytest_robust.checked_file import checked_file
from pytest_robust.errors import RobustError, shown

if TYPE_CHECKING:
    from pathlib import Path

Arrays = Mapping[str, NDArray[Any]]

_EPOCH = (1980, 1, 1, 0, 0, 0)


def ids_name(samples: str) -> str:
    """Name of the array of ids of the sample set with this digest."""
    return f"ids/{samples[:12]}"


def labels_name(samples: str) -> str:
    """Name of the array of true labels of the sample set with this digest."""
    return f"labels/{samples[:12]}"


def predicted_name(device_class: str, cell: str) -> str:
    """Name of the array of predicted labels of a cell."""
    return f"predicted/{device_class}/{cell}"


def pack(arrays: Arrays) -> bytes:
    """The arrays as the bytes of a compressed npz: sorted, without time or owner, little endian."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(arrays):
            add(archive, name, arrays[name])
    return buffer.getvalue()


def add(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    """Add an array to an npz, compressed."""
    content = io.BytesIO()
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    np.lib.format.write_array(content, little, version=(1, 0), allow_pickle=False)
    archive.writestr(member(name), content.getvalue(), zipfile.ZIP_DEFLATED, 6)


def member(name: str) -> zipfile.ZipInfo:
    """The entry of an npz for an array of that name, not compressed, the same on every machine and at any time."""
    entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    return entry


def unpack(path: Path) -> dict[str, NDArray[Any]]:
    """Read what `pack` made. No array is ever unpickled.

    Raises:
        RobustError: the file is missing, cannot be read, or is damaged.
    """
    with checked_file(path, shown(path), "is missing, but the .json beside it names it; restore it with git") as stream:
        content = stream.read()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name.removesuffix(".npy"): _member(archive.read(name)) for name in archive.namelist()}
    # zipfile and numpy answer damage with a dozen kinds of exception: struct.error, zlib.error, ...
    except Exception as error:
        raise RobustError(f"{shown(path)} is damaged or cut short ({error}); restore it with git") from error


def _member(content: bytes) -> NDArray[Any]:
    stream = io.BytesIO(content)
    array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array
