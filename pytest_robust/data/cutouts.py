"""Objects and the backgrounds they stand on: cut-outs in a folder, or the digits.

The source `cutouts` is a folder with RGBA images, ``backgrounds/`` with photographs, and ``labels.csv`` with the
columns ``file`` and ``label``: the cut-outs by their paths in the folder, with labels as in a manifest. Each object
stands on `BACKGROUNDS` of the backgrounds, drawn once, so that a change of its size, place or angle changes nothing
else. A sample's id is ``<file>+<background>``.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.data.compose import Scene, compose, mask_of, square
from pytest_robust.data.dataset import Dataset, choose, hash_files, make_samples
from pytest_robust.data.decode import decode, decode_cutout
from pytest_robust.data.digits import SIDE, DigitsDataset
from pytest_robust.data.folder import images_in
from pytest_robust.data.manifest import read_table
from pytest_robust.data.names import class_count, class_names, existing_folder
from pytest_robust.errors import RobustError
from pytest_robust.shifts.rng import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_robust.spec.plan import DatasetPlan

BACKGROUNDS = 2
"""Backgrounds per object."""

DIGIT_BACKGROUNDS = 16
"""Textures that the digits stand on."""

_TEXTURE_TOP = 63
_CACHED = 32


def backgrounds_of(seed: int, cutout: str, count: int) -> tuple[int, ...]:
    """The backgrounds of an object: `BACKGROUNDS` different ones of `count`, or all where there are fewer.

    The draw hangs on the seed, the object's id and the number of backgrounds.
    """
    words = Stream(seed, "si-score.backgrounds", {}, cutout).uint16(4 * BACKGROUNDS).astype(object).reshape(-1, 4)
    left = list(range(count))
    drawn = []
    for word in words[: min(BACKGROUNDS, count)]:
        bits = int(word[0] | word[1] << 16 | word[2] << 32 | word[3] << 48)
        drawn.append(left.pop(bits * len(left) >> 64))
    return tuple(drawn)


@dataclass(frozen=True, eq=False)
class PairedDataset(Dataset):
    """Objects over backgrounds; every sample is one pair, shown in the middle, on half of the area.

    Attributes:
        pairs: per sample the names of object and background.
        side: of the composed image, in pixels.
    """

    pairs: tuple[tuple[str, str], ...]
    side: int

    @abstractmethod
    def cutout(self, index: int) -> NDArray[np.uint8]:
        """The object of a sample: RGBA, uint8 (h, w, 4)."""

    @abstractmethod
    def background(self, index: int, side: int) -> NDArray[np.uint8]:
        """The background of a sample: RGB, uint8 (side, side, 3); not to be written to."""

    def image(self, index: int) -> NDArray[np.uint8]:
        """The pair as one image; see `Dataset.image`."""
        return self.composed(index, Scene(), self.side)

    def mask(self, index: int) -> NDArray[np.bool_]:
        """The object in `image`: bool (side, side)."""
        return mask_of(self.cutout(index), Scene(), self.side)

    def composed(self, index: int, scene: Scene, side: int) -> NDArray[np.uint8]:
        """The pair in another scene: RGB, uint8 (side, side, 3)."""
        return compose(self.cutout(index), self.background(index, side), scene)


@dataclass(frozen=True, eq=False)
class CutoutsDataset(PairedDataset):
    """Objects and backgrounds in files; the paths follow `samples`."""

    cutouts: tuple[Path, ...]
    backgrounds: tuple[Path, ...]

    def cutout(self, index: int) -> NDArray[np.uint8]:
        """The decoded file; see `PairedDataset.cutout`."""
        return self._cutout(self.cutouts[index])

    def background(self, index: int, side: int) -> NDArray[np.uint8]:
        """The photograph's square; see `PairedDataset.background`."""
        return self._background(self.backgrounds[index], side)

    @cached_property
    def _cutout(self) -> Callable[[Path], NDArray[np.uint8]]:
        return lru_cache(_CACHED)(decode_cutout)

    @cached_property
    def _background(self) -> Callable[[Path, int], NDArray[np.uint8]]:
        return lru_cache(_CACHED)(lambda path, side: square(decode(path), side))


@dataclass(frozen=True, eq=False)
class DigitPairs(PairedDataset):
    """Digits, cut out at their ink, over dim textures; `rows` holds each sample's position in `digits`."""

    digits: DigitsDataset
    rows: tuple[int, ...]

    def cutout(self, index: int) -> NDArray[np.uint8]:
        """The digit's ink in its bounding rectangle; see `PairedDataset.cutout`."""
        row = self.rows[index]
        mask = self.digits.mask(row)
        down, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        whole = np.dstack([self.digits.image(row), np.where(mask, np.uint8(255), np.uint8(0))])
        return np.ascontiguousarray(whole[down[0] : down[-1] + 1, across[0] : across[-1] + 1])

    def background(self, index: int, side: int) -> NDArray[np.uint8]:
        """A texture; see `PairedDataset.background`."""
        return texture(self.pairs[index][1], side)


@lru_cache(_CACHED)
def texture(name: str, side: int) -> NDArray[np.uint8]:
    """Five by five grey levels below the digits' ink, drawn by the name and blended: uint8 (side, side, 3)."""
    from PIL import Image

    levels = Stream(0, "si-score.texture", {}, name).uint16(25) * np.uint32(_TEXTURE_TOP + 1) >> 16
    grey = Image.fromarray(levels.astype(np.uint8).reshape(5, 5)).resize((side, side), Image.Resampling.BILINEAR)
    return np.repeat(np.asarray(grey)[:, :, None], 3, axis=2)


def open_cutouts(plan: DatasetPlan, limit: int | None) -> CutoutsDataset:
    """Open a `cutouts` data set.

    Raises:
        RobustError: the folder, its labels.csv or its backgrounds are not there or not as described above.
    """
    root = existing_folder(plan)
    for name, found in (
        ("labels.csv", (root / "labels.csv").is_file()),
        ("backgrounds", (root / "backgrounds").is_dir()),
    ):
        if not found:
            raise RobustError(
                f"{plan.mark}: {root} has no {name}; a folder of cut-outs holds labels.csv with the columns file and "
                "label, and the folder backgrounds"
            )
    names = class_names(plan)
    objects = read_table(root / "labels.csv", root, names, class_count(plan))
    backgrounds = images_in(root / "backgrounds")
    if len(backgrounds) < BACKGROUNDS:
        raise RobustError(f"{plan.mark}: {root / 'backgrounds'} holds {len(backgrounds)} images; add some, 2 at least")
    known = list(backgrounds)
    pairs = _pairs(objects.ids, known, plan.seed)
    ids = [_id(objects.ids[row], name) for row, name in pairs]
    order, notes = choose(plan, limit, ids, [objects.labels[row] for row, _ in pairs])
    chosen = [pairs[i] for i in order]
    rows = sorted({row for row, _ in chosen})
    used = sorted({name for _, name in chosen})
    cutout_hash = dict(zip(rows, hash_files([objects.paths[row] for row in rows]), strict=True))
    background_hash = dict(zip(used, hash_files([backgrounds[name] for name in used]), strict=True))
    samples = make_samples(
        [_id(objects.ids[row], name) for row, name in chosen],
        [objects.labels[row] for row, _ in chosen],
        [hashlib.sha256(cutout_hash[row] + background_hash[name]).digest() for row, name in chosen],
    )
    return CutoutsDataset(
        samples,
        objects.classes,
        names,
        tuple((objects.ids[row], name) for row, name in chosen),
        512,
        tuple(objects.paths[row] for row, _ in chosen),
        tuple(backgrounds[name] for _, name in chosen),
        notes=notes,
    )


def paired_digits(digits: DigitsDataset, seed: int) -> DigitPairs:
    """Every digit of a data set over its backgrounds."""
    ids = digits.samples.ids
    pairs = sorted(
        _pairs(ids, [f"texture-{number:02d}" for number in range(DIGIT_BACKGROUNDS)], seed),
        key=lambda pair: _id(ids[pair[0]], pair[1]),
    )
    samples = make_samples(
        [_id(ids[row], name) for row, name in pairs],
        [int(digits.samples.labels[row]) for row, _ in pairs],
        [hashlib.sha256(digits.tables[row].tobytes() + name.encode()).digest() for row, name in pairs],
    )
    named = tuple((ids[row], name) for row, name in pairs)
    rows = tuple(row for row, _ in pairs)
    return DigitPairs(samples, digits.classes, digits.class_names, named, SIDE, digits, rows, notes=digits.notes)


def _pairs(cutouts: Sequence[str], backgrounds: Sequence[str], seed: int) -> list[tuple[int, str]]:
    return [
        (row, backgrounds[number])
        for row, name in enumerate(cutouts)
        for number in backgrounds_of(seed, name, len(backgrounds))
    ]


def _id(cutout: str, background: str) -> str:
    return f"{cutout}+{background}"
