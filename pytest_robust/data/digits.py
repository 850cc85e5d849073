"""The embedded data set: scikit-learn's handwritten digits, small real images with masks.

1,797 digits of 8 x 8 pixels in 17 grey levels, light ink on black (the test part of "Optical Recognition of
Handwritten Digits", Alpaydin and Kaynak, UCI Machine Learning Repository). They are scaled to 0..255 and
enlarged by four with Pillow's bilinear filter, whose weights are eighths here, so that every machine gets the
same bytes. A sample's id is its row in scikit-learn's table: ``digits-0123``. The 597 rows with the smallest
`rank("digits", id)` are the test split, the other 1,200 the training split.

The table is read from scikit-learn's folder, because importing scikit-learn takes about a second.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from pytest_robust.data.dataset import Dataset, choose, make_samples, rank
from pytest_robust.errors import RobustError
from pytest_robust.spec.pixel_range import DIGITS_SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_robust.spec.plan import DatasetPlan

SIDE = DIGITS_SIDE
CLASS_NAMES = tuple("0123456789")
_TEST_SIZE = 597
_INK = 64
"""Grey levels from here on are foreground: a quarter of full ink."""


@dataclass(frozen=True, eq=False)
class DigitsDataset(Dataset):
    """Handwritten digits as 32 x 32 RGB; `tables` holds them as stored: uint8 (n, 64), values 0..16."""

    tables: NDArray[np.uint8]

    def image(self, index: int) -> NDArray[np.uint8]:
        """The enlarged digit, uint8 (32, 32, 3); see `Dataset.image`."""
        return np.repeat(_enlarge(self.tables[index])[:, :, None], 3, axis=2)

    def mask(self, index: int) -> NDArray[np.bool_]:
        """The ink: bool (32, 32), grey level 64 or more."""
        return _enlarge(self.tables[index]) >= _INK


def open_digits(plan: DatasetPlan, limit: int | None) -> DigitsDataset:
    """Open one split of the digits.

    Raises:
        RobustError: scikit-learn, which brings the images, is not installed.
    """
    try:
        tables, labels = _read()
    except RobustError as error:
        raise RobustError(f"{plan.mark}: {error}") from error
    ids, rows = _split(plan.split, len(tables))
    positions, notes = choose(plan, limit, ids, labels[rows].tolist())
    order = [rows[i] for i in positions]
    contents = [hashlib.sha256(tables[row].tobytes()).digest() for row in order]
    samples = make_samples([_id(row) for row in order], labels[order].tolist(), contents)
    return DigitsDataset(samples, len(CLASS_NAMES), CLASS_NAMES, tables[order], notes=notes)


def digits_arrays(
    split: Literal["train", "test"],
) -> tuple[NDArray[np.uint8], NDArray[np.uint16], tuple[str, ...]]:
    """One split of the digits as arrays, for training: images uint8 (N, 32, 32, 3), labels uint16 (N,), ids.

    Raises:
        RobustError: scikit-learn, which brings the images, is not installed.
    """
    tables, labels = _read()
    ids, rows = _split(split, len(tables))
    grey = np.stack([_enlarge(tables[row]) for row in rows])
    return np.repeat(grey[..., None], 3, axis=3), labels[rows], ids


def _read() -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Pixels, uint8 (1797, 64), and labels, uint16 (1797,), in scikit-learn's order."""
    found = find_spec("sklearn")
    places = (found.submodule_search_locations if found else None) or []
    for place in places:
        file = Path(place, "datasets", "data", "digits.csv.gz")
        if file.is_file():
            with gzip.open(file, "rt", encoding="ascii") as stream:
                table = np.loadtxt(stream, delimiter=",", dtype=np.uint8)
            return table[:, :-1], table[:, -1].astype(np.uint16)
    raise RobustError(
        'the digits come with scikit-learn, which is not installed; run: pip install "pytest-robust[demo]"'
    )


def _id(row: int) -> str:
    return f"digits-{row:04d}"


def _split(split: Literal["train", "test"], count: int) -> tuple[tuple[str, ...], list[int]]:
    """Ids and rows of one split, in the order of the rows, which is that of the ids."""
    ranked = sorted(range(count), key=lambda row: rank("digits", _id(row)))
    rows = sorted(ranked[:_TEST_SIZE] if split == "test" else ranked[_TEST_SIZE:])
    return tuple(_id(row) for row in rows), rows


def _enlarge(table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """64 values of 0..16 -> grey, uint8 (32, 32)."""
    from PIL import Image

    grey = ((table.astype(np.uint16) * 255 + 8) // 16).astype(np.uint8).reshape(8, 8)
    return np.array(Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
