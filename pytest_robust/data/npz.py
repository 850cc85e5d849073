"""Arrays in an npz file: images uint8 (N, H, W, 3), or grey (N, H, W) or (N, H, W, 1), and N integer labels.

A sample's id is its row in the file, six digits: ``000123``. A row stays where it is whatever is selected,
and a batch never enters into it. Grey images are repeated into three channels, and digested as such.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.data.dataset import ArrayDataset, choose, label_problem, make_samples
from pytest_robust.data.names import class_count, class_names, existing_file
from pytest_robust.errors import RobustError
from pytest_robust.measurement import digest_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_robust.spec.plan import DatasetPlan

_UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy and zipfile raise on files that are no npz, damaged, encrypted, pickled or oddly packed."""


def open_npz(plan: DatasetPlan, limit: int | None) -> ArrayDataset:
    """Open an `npz` data set; only the selected rows stay in memory.

    Raises:
        RobustError: the file is not there or no sound npz, an array is missing or of a wrong type, shape or
            length, or a label is none of the classes.
    """
    file = existing_file(plan, "path")
    pixels, labels = read_arrays(file, plan.arrays)
    images = _as_rgb(pixels, f"{file}: the array {plan.arrays[0]!r}")
    _check_labels(labels, len(images), f"{file}: the array {plan.arrays[1]!r}")
    classes = class_count(plan)
    for row in (int(labels.argmin()), int(labels.argmax())):
        if problem := label_problem(int(labels[row]), classes):
            raise RobustError(f"{file}: row {row} of {plan.arrays[1]!r}: {problem}; correct it or `classes`")
    ids = [f"{row:06d}" for row in range(len(images))]
    order, notes = choose(plan, limit, ids, labels.tolist())
    if len(order) < len(ids):
        images = images[order]
    samples = make_samples([ids[i] for i in order], labels[order].tolist(), [_content(image) for image in images])
    return ArrayDataset(samples, classes, class_names(plan), images, notes=notes)


def _content(image: NDArray[np.uint8]) -> bytes:
    height, width, _ = image.shape
    return hashlib.sha256(digest_of([f"{height}x{width}".encode(), image.tobytes()]).encode()).digest()


def read_arrays(file: Path, names: Sequence[str], remedy: str | None = None) -> list[NDArray[Any]]:
    """Arrays of a file by name, whatever their type; pickled ones are never loaded.

    Args:
        file: the npz.
        names: which arrays.
        remedy: what mends the file; advice to the owner of a data set unless given.

    Raises:
        RobustError: the file cannot be read or is no sound npz, or an array is not there or damaged.
    """
    anew = remedy or "write it anew with numpy.savez"
    try:
        stream = file.open("rb")
    except OSError as error:
        raise RobustError(f"{file} cannot be read: {error.strerror}; mend its permissions") from error
    with stream:
        try:
            archive = np.load(stream, allow_pickle=False)
        except _UNREADABLE as error:
            raise RobustError(f"{file} is not a sound npz file: {_reason(error)}; {anew}") from error
        if not isinstance(archive, np.lib.npyio.NpzFile):
            advice = remedy or "write images and labels into one file with numpy.savez"
            raise RobustError(f"{file} holds one bare array; {advice}")
        with archive:
            return [_member(archive, file, name, remedy, anew) for name in names]


def _member(archive: np.lib.npyio.NpzFile, file: Path, name: str, remedy: str | None, anew: str) -> NDArray[Any]:
    if name not in archive.files:
        there = ", ".join(map(repr, archive.files)) or "none"
        raise RobustError(f"{file} has no array {name!r}; it has {there}; {remedy or 'state the names in `arrays`'}")
    try:
        found = archive[name]
    except _UNREADABLE as error:
        if "Object arrays" in str(error):
            raise RobustError(
                f"{file}: the array {name!r} holds Python objects, which are never loaded; "
                f"{remedy or 'store plain numbers of one shape'}"
            ) from error
        raise RobustError(f"{file}: the array {name!r} cannot be read: {_reason(error)}; {anew}") from error
    if not isinstance(found, np.ndarray):
        raise RobustError(f"{file}: {name!r} is not an array; {anew}")
    return found


def _reason(error: BaseException) -> str:
    text = str(error).partition("\n")[0].rstrip(".")
    return "it holds pickled objects" if "pickle" in text else text or type(error).__name__


def _as_rgb(pixels: NDArray[Any], what: str) -> NDArray[np.uint8]:
    """The images as (N, H, W, 3); grey ones are repeated without taking memory."""
    if pixels.dtype != np.uint8:
        raise RobustError(f"{what} is {pixels.dtype}; store the images as uint8, 0 to 255")
    grey = pixels[..., None] if pixels.ndim == 3 else pixels
    if grey.ndim != 4 or grey.shape[3] not in (1, 3) or 0 in grey.shape:
        raise RobustError(
            f"{what} has shape {pixels.shape}; store images as (N, H, W, 3), or grey as (N, H, W), none empty"
        )
    return np.broadcast_to(grey, (*grey.shape[:3], 3))


def _check_labels(labels: NDArray[Any], count: int, what: str) -> None:
    if labels.dtype.kind not in "iu":
        raise RobustError(f"{what} is {labels.dtype}; store the labels as integers")
    if labels.shape != (count,):
        raise RobustError(f"{what} has shape {labels.shape} for {count} images; store one label per image, ({count},)")
