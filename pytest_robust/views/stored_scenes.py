"""SI-Score's images as published: ``object_size``, ``object_rotation``, ``object_location``.

Each folder holds ``metadata.csv`` (SI-Score's columns), ``foreground_classes.csv`` (columns int and label: the class
index of a class folder) and the images, ``<class>/<image_id>.jpg``. A folder's own number is never a label. The images
pass through the model's geometry as photographs do, and the spec's `limit` holds for each case. A sample's id is
``<class>/<image_id>.jpg``.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from pytest_robust.data.dataset import FileDataset, choose, hash_files, label_problem, make_samples
from pytest_robust.errors import RobustError
from pytest_robust.views.base import Derived, ViewInputs
from pytest_robust.views.factors import location_text
from pytest_robust.views.stored import limit_of, stored_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_COLUMNS = ("image_id", "x_coord", "y_coord", "area", "rotation")


def derive(inputs: ViewInputs) -> Derived:
    """The published images of one factor at some of its values.

    Raises:
        RobustError: the folder is not laid out as above, or it has no image of these values.
    """
    shift = inputs.shift
    values: Any = shift.parameters["values"]
    folder = stored_folder(inputs) / f"object_{shift.shift}"
    if not folder.is_dir():
        raise RobustError(f"{shift.mark}: {folder} does not exist; correct `stored`, or leave {shift.shift} out")
    wanted = {_text(shift.shift, value) for value in values}
    value_of = {
        row["image_id"]: text
        for row in _table(folder / "metadata.csv", _COLUMNS)
        if (text := _value(shift.shift, row, folder)) in wanted
    }
    main = inputs.open(shift.dataset)
    found: dict[str, tuple[Path, int, str]] = {}
    for name, label in _labels(folder / "foreground_classes.csv", main.classes).items():
        for path in sorted((folder / name).glob("*.jpg")):
            if path.stem in value_of:
                found[f"{name}/{path.name}"] = (path, label, value_of[path.stem])
    if len(found) < len(value_of):
        raise RobustError(
            f"{folder} lacks {len(value_of) - len(found)} of the {len(value_of)} images that its metadata.csv names "
            f"for {shift.label}; copy it anew"
        )
    if not found:
        raise RobustError(
            f"{shift.mark}: {folder / 'metadata.csv'} names no image of {shift.label}; choose other values"
        )
    names = list(found)
    order, notes = choose(shift.dataset, limit_of(inputs), names, [found[name][1] for name in names])
    ids = [names[i] for i in order]
    paths = tuple(found[name][0] for name in ids)
    samples = make_samples(ids, [found[name][1] for name in ids], hash_files(paths))
    groups = {shift.shift: tuple(found[name][2] for name in ids)} if len(values) > 1 else {}
    dataset = FileDataset(samples, main.classes, main.class_names, paths, groups=groups, notes=notes)
    return Derived(dataset, {"values": values}, "stored")


def _text(factor: str, value: Any) -> str:
    return location_text(*value) if factor == "location" else f"{value:g}"


def _value(factor: str, row: dict[str, str], folder: Path) -> str:
    """The value of a row as groups print it; the published numbers carry the noise of their float ranges."""
    try:
        if factor == "location":
            return location_text(float(row["x_coord"]), float(row["y_coord"]))
        return f"{float(row['area' if factor == 'size' else factor]):g}"
    except ValueError as error:
        raise RobustError(f"{folder / 'metadata.csv'}: image {row['image_id']}: {error}; copy it anew") from error


def _labels(table: Path, classes: int | None) -> dict[str, int]:
    labels = {}
    for row in _table(table, ("int", "label")):
        text = row["int"].strip()
        if not text.isdecimal():
            raise RobustError(f"{table}: the index {text!r} of {row['label']} is no whole number; copy it anew")
        if problem := label_problem(int(text), classes):
            raise RobustError(f"{table}: {row['label']}: {problem}; these images are for models of other classes")
        labels[row["label"]] = int(text)
    return labels


def _table(file: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise RobustError(f"{file}:1: the csv has no column {missing[0]!r}; copy it anew")
            for row in reader:
                if None in row or None in row.values():
                    raise RobustError(f"{file}:{reader.line_num}: the row has too many or too few fields; copy it anew")
                yield row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RobustError(f"{file} cannot be read as csv: {error}; copy it anew") from error
