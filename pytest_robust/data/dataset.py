"""What a data set is, which of its samples a limit keeps, and what its digest covers."""

from __future__ import annotations

import hashlib
import heapq
import os
from abc import ABC, abstractmethod
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.data.decode import decode, read_bytes
from pytest_robust.data.geometry import canvas
from pytest_robust.errors import RobustError
from pytest_robust.measurement import NO_LABEL, Samples, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_robust.spec.plan import DatasetPlan, Geometry

_NAMED = 3
"""How many classes a sentence names."""

_digests: ContextVar[Callable[[Sequence[Path]], list[bytes]] | None] = ContextVar("digests", default=None)


@dataclass(frozen=True, eq=False)
class Dataset(ABC):
    """Labelled images, sorted by sample id. Images are made when asked for; any thread may ask.

    Attributes:
        samples: ids, true labels and digest of the n images.
        classes: number of classes, or None where neither the data nor the spec says it.
        class_names: the classes in the order of their indices, where they have names.
        groups: name of a group column -> one value per sample, where the data set has such columns.
        notes: sentences on the samples that a reader of a result must know.
    """

    samples: Samples
    classes: int | None
    class_names: tuple[str, ...] | None
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict, kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    @abstractmethod
    def image(self, index: int) -> NDArray[np.uint8]:
        """The image at a position of `samples`: RGB, uint8 (H, W, 3), contiguous, the caller's own copy.

        Raises:
            RobustError: the file cannot be read or decoded; the sentence names it.
        """

    def canvas(self, index: int, geometry: Geometry) -> NDArray[np.uint8]:
        """The image as the shifts and models see it; see `pytest_robust.data.canvas`."""
        return canvas(self.image(index), geometry, self.samples.ids[index])

    def mask(self, index: int) -> NDArray[np.bool_]:
        """The foreground of the image at a position of `samples`: bool (H, W).

        Raises:
            RobustError: the data set has no masks.
        """
        raise RobustError(
            f"{self.samples.ids[index]} has no foreground mask; use the source digits or cutouts, which have"
        )


@dataclass(frozen=True, eq=False)
class FileDataset(Dataset):
    """Images in files; `paths` follows `samples`."""

    paths: tuple[Path, ...]

    def image(self, index: int) -> NDArray[np.uint8]:
        """The decoded file; see `Dataset.image`."""
        return decode(self.paths[index])


@dataclass(frozen=True, eq=False)
class ArrayDataset(Dataset):
    """Images in memory, uint8 (n, H, W, 3), in the order of `samples`."""

    images: NDArray[np.uint8]

    def image(self, index: int) -> NDArray[np.uint8]:
        """A copy of one row; see `Dataset.image`."""
        return np.array(self.images[index], order="C")


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a data set before a limit: one id, label and path per sample, in any order."""

    ids: tuple[str, ...]
    labels: tuple[int, ...]
    paths: tuple[Path, ...]
    classes: int | None
    class_names: tuple[str, ...] | None
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def rank(salt: str, sample: str) -> bytes:
    """A fixed pseudo-random rank of a sample: blake2b, 16 bytes, over ``salt NUL id`` in UTF-8."""
    return hashlib.blake2b(f"{salt}\0{sample}".encode(), digest_size=16).digest()


def select(
    ids: Sequence[str],
    limit: int | None,
    seed: int,
    labels: Sequence[int] = (),
    per_class: int | None = None,
) -> list[int]:
    """Positions of the samples to use, in the order of their ids.

    A limit keeps the samples with the smallest `rank(seed, id)`, and of those `per_class` keeps the smallest of each
    class. The choice depends on nothing but seed, ids and labels, and a smaller limit, or number per class, keeps a
    part of what a larger one keeps.

    Args:
        ids: unique ids in any order.
        limit: how many to keep; None, or more than there are, keeps all.
        seed: the spec's seed.
        labels: class index of each; only looked at for `per_class`.
        per_class: how many of each class to keep; of a class that has fewer, all.
    """
    chosen: Sequence[int] = range(len(ids))
    if per_class is not None or (limit is not None and limit < len(ids)):
        salt = str(seed)
        count = len(ids) if limit is None else limit
        chosen = heapq.nsmallest(count, chosen, key=lambda i: (rank(salt, ids[i]), ids[i]))
    if per_class is not None:
        taken: Counter[int] = Counter()
        ranked, chosen = chosen, []
        for position in ranked:
            taken[labels[position]] += 1
            if taken[labels[position]] <= per_class:
                chosen.append(position)
    return sorted(chosen, key=lambda i: ids[i])


def choose(
    plan: DatasetPlan, limit: int | None, ids: Sequence[str], labels: Sequence[int]
) -> tuple[list[int], tuple[str, ...]]:
    """The samples that a data set's `per_class` and a limit leave of all.

    Args:
        plan: the data set as the spec states it; its own limit is not looked at.
        limit: how many to keep; None keeps all.
        ids: unique ids in any order.
        labels: class index of each.

    Returns:
        The positions that `select` gives, and what a reader must know of them: of which classes there are fewer images
        than `per_class`, within the limit.
    """
    order = select(ids, limit, plan.seed, labels, plan.per_class)
    if plan.per_class is None:
        return order, ()
    sizes = Counter(labels[position] for position in order)
    classes = set(labels)
    few = sorted(label for label in classes if sizes[label] < plan.per_class)
    if not few:
        return order, ()
    said = ", ".join(f"class {label} has {sizes[label]}" for label in few[:_NAMED])
    more = f" and {len(few) - _NAMED} more" if len(few) > _NAMED else ""
    within = "" if limit is None or limit >= len(ids) else f" within the limit of {limit}"
    return order, (
        f"per_class is {plan.per_class}, and {len(few)} of {len(classes)} classes have fewer images{within}, all of "
        f"which are taken: {said}{more}",
    )


def make_samples(ids: Sequence[str], labels: Sequence[int], contents: Sequence[bytes]) -> Samples:
    """Build the samples of a data set.

    Args:
        ids: n ids, sorted.
        labels: n class indices below 65535.
        contents: sha256 of each image as it is stored; time stamps and places never enter the digest.
    """
    parts: list[bytes] = []
    for sample, label, content in zip(ids, labels, contents, strict=True):
        parts += (sample.encode(), int(label).to_bytes(2, "little"), content)
    return Samples(tuple(ids), np.array(labels, np.uint16), digest_of(parts))


@contextmanager
def remembering(digests: Callable[[Sequence[Path]], list[bytes]]) -> Iterator[None]:
    """Let `digests` answer for `hash_files` meanwhile, in this thread."""
    token = _digests.set(digests)
    try:
        yield
    finally:
        _digests.reset(token)


def hash_files(paths: Sequence[Path]) -> list[bytes]:
    """sha256 of each file's bytes; no image is decoded.

    Raises:
        RobustError: a file cannot be read.
    """
    remembered = _digests.get()
    return read_and_hash(paths) if remembered is None else remembered(paths)


def read_and_hash(paths: Sequence[Path]) -> list[bytes]:
    """`hash_files`, by reading every file."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(lambda path: hashlib.sha256(read_bytes(path)).digest(), paths, chunksize=64))


def label_problem(label: int, classes: int | None) -> str | None:
    """What is wrong with a class index, or None: it must lie in 0..classes-1 and below 65535."""
    if classes is not None and not 0 <= label < classes:
        return f"the label {label} is outside the {classes} classes (0 to {classes - 1})"
    if not 0 <= label < NO_LABEL:
        return f"the label {label} is outside 0 to {NO_LABEL - 1}"
    return None
