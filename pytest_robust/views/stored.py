"""Published corruption sets, read as they are: no resize, only the centre crop, and no shift of ours.

| layout | what it is |
|---|---|
| ``<corruption>/<severity>/<class>/<file>`` | ImageNet-C and its kin, the class folder named as the class (a wnid) |
| ``<corruption>.npy`` and ``labels.npy`` | CIFAR-10-C: N rows per severity, those of severity s from (s - 1) N to s N |

A sample's id is ``<class>/<file>``, or its row within the severity in six digits: the same for every corruption and
severity, and the same that a folder or npz of the clean images gives it. So a `limit` keeps the same images, and all
cells share one set of samples; the digest of the image files is among the recorded parameters.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.data.dataset import Dataset, FileDataset, choose, hash_files, label_problem, make_samples
from pytest_robust.data.folder import list_folder
from pytest_robust.data.geometry import canvas
from pytest_robust.errors import RobustError
from pytest_robust.measurement import digest_of
from pytest_robust.spec.plan import DatasetPlan, Geometry, PathText
from pytest_robust.views.base import Derived, View, ViewInputs

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SEVERITIES = 5
"""How many parts an array of a published set has."""


def published_canvas(image: NDArray[np.uint8], geometry: Geometry, where: str) -> NDArray[np.uint8]:
    """The centre of a published image, which has the size of a canvas already.

    An image smaller than the model's crop, as for a model that was released at a higher resolution, is taken whole;
    the model's preprocessing brings it to the size of its input.
    """
    if geometry.crop is not None and min(image.shape[:2]) < geometry.crop:
        return image
    return canvas(image, replace(geometry, resize=None), where)


@dataclass(frozen=True, eq=False)
class PublishedFiles(FileDataset):
    """Published images in files."""

    def canvas(self, index: int, geometry: Geometry) -> NDArray[np.uint8]:
        """The centre crop; see `Dataset.canvas`."""
        return published_canvas(self.image(index), geometry, str(self.paths[index]))


@dataclass(frozen=True, eq=False)
class PublishedRows(Dataset):
    """Published images in a memory-mapped array: uint8 (N, H, W, 3), of which the samples are `rows`."""

    images: NDArray[np.uint8]
    rows: tuple[int, ...]

    def image(self, index: int) -> NDArray[np.uint8]:
        """A copy of one row; see `Dataset.image`."""
        return np.array(self.images[self.rows[index]], order="C")

    def canvas(self, index: int, geometry: Geometry) -> NDArray[np.uint8]:
        """The centre crop; see `Dataset.canvas`."""
        return published_canvas(self.image(index), geometry, self.samples.ids[index])


def limit_of(inputs: ViewInputs) -> int | None:
    """How many samples to keep: the smaller of the data set's limit and the run's."""
    return min((n for n in (inputs.shift.dataset.limit, inputs.limit) if n is not None), default=None)


def stored_folder(inputs: ViewInputs) -> Path:
    """The folder that `stored` names.

    Raises:
        RobustError: it does not exist, or its environment variable is not set.
    """
    text = inputs.shift.stored
    assert text is not None, "the registry chooses this view for entries with `stored`"
    folder = text.resolve()
    if not folder.is_dir():
        raise RobustError(f"{text.mark}: the folder {folder} of published images does not exist; correct `stored`")
    return folder


def _derive(inputs: ViewInputs) -> Derived:
    folder, shift = stored_folder(inputs), inputs.shift
    if (folder / f"{shift.shift}.npy").is_file():
        dataset, contents = _rows(inputs, folder)
    elif (folder / shift.shift).is_dir():
        dataset, contents = _files(inputs, folder / shift.shift / str(shift.severity))
    else:
        raise RobustError(
            f"{shift.mark}: {folder} has neither the folder {shift.shift} nor {shift.shift}.npy; "
            "leave the corruption out by `corruptions`, or correct `stored`"
        )
    return Derived(dataset, {"severity": shift.severity, "contents": contents}, "stored")


def _files(inputs: ViewInputs, folder: Path) -> tuple[Dataset, str]:
    shift = inputs.shift
    if not folder.is_dir():
        raise RobustError(f"{shift.mark}: {folder} does not exist; correct `stored` or `severities`")
    main = inputs.open(shift.dataset)
    found = list_folder(
        DatasetPlan("folder", shift.mark, PathText(str(folder), folder, shift.mark), classes=main.class_names)
    )
    if main.class_names is None and main.classes != found.classes:
        raise RobustError(
            f"{shift.mark}: {folder} has {found.classes} class folders, and the spec's data set has no class names to "
            "find their indices by; list them in dataset.classes"
        )
    order, notes = choose(shift.dataset, limit_of(inputs), found.ids, found.labels)
    paths = tuple(found.paths[i] for i in order)
    names = [found.ids[i] for i in order]
    samples = make_samples(names, [found.labels[i] for i in order], [b""] * len(names))
    published = PublishedFiles(samples, main.classes, main.class_names, paths, notes=notes)
    return published, digest_of(hash_files(paths))


def _rows(inputs: ViewInputs, folder: Path) -> tuple[Dataset, str]:
    shift = inputs.shift
    file = folder / f"{shift.shift}.npy"
    images, labels = _array(file), _array(folder / "labels.npy")
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8 or len(images) % SEVERITIES:
        raise RobustError(
            f"{file} has the shape {images.shape} of {images.dtype}; a published set is uint8 ({SEVERITIES} N, H, W, 3)"
        )
    count = len(images) // SEVERITIES
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or len(labels) not in (count, len(images)):
        raise RobustError(
            f"{folder / 'labels.npy'} has the shape {labels.shape} of {labels.dtype}; "
            f"it must hold {len(images)} whole numbers, one per image, or {count}, one per image of a severity"
        )
    severity: Any = shift.severity
    if severity not in range(1, SEVERITIES + 1):
        raise RobustError(f"{shift.mark}: {file} has the severities 1 to {SEVERITIES}, not {severity}")
    first = (severity - 1) * count
    labels = labels[first : first + count] if len(labels) == len(images) else labels
    main = inputs.open(shift.dataset)
    for label in (int(labels.min()), int(labels.max())):
        if problem := label_problem(label, main.classes):
            raise RobustError(f"{folder / 'labels.npy'}: {problem}; correct it, or dataset.classes")
    ids = [f"{row:06d}" for row in range(count)]
    order, notes = choose(shift.dataset, limit_of(inputs), ids, labels.tolist())
    samples = make_samples([ids[i] for i in order], labels[order].tolist(), [b""] * len(order))
    rows = tuple(first + i for i in order)
    digest = hashlib.sha256()
    for row in rows:
        digest.update(np.ascontiguousarray(images[row]).tobytes())
    published = PublishedRows(samples, main.classes, main.class_names, images, rows, notes=notes)
    return published, digest.hexdigest()


def _array(file: Path) -> NDArray[Any]:
    try:
        found = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise RobustError(f"{file} cannot be read as a plain array: {error}; download it anew") from error
    if not isinstance(found, np.ndarray) or not len(found):
        raise RobustError(f"{file} holds no array of images or labels; download it anew")
    return found


VIEWS = (
    View(
        "stored",
        "stored",
        1,
        "published by the authors: ImageNet-C, CIFAR-10-C, ImageNet-C-bar, CIFAR-10-C-bar, SI-Score",
        _derive,
        "give an entry of imagenet-c, imagenet-c-extra, imagenet-c-bar or si-score the key `stored: PATH` in a spec",
    ),
)
