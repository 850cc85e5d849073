"""A csv of labels beside a folder of images.

The csv is UTF-8, with or without a byte order mark, and has a header with the columns ``file`` and ``label``
in any order. ``file`` is a path relative to the data set's folder and, in Unicode form NFC, the sample's id.
``label`` is a class index, or a class name where the spec lists names in `classes`; where some of these names are
themselves numbers, labels are always names. Every other column of up to `MOST_GROUPS` different values is a group
column; the rest is passed over.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pytest_robust.data.dataset import Listing, label_problem
from pytest_robust.data.names import class_count, class_names, closest, existing_file, existing_folder, nfc
from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_robust.spec.plan import DatasetPlan

MOST_GROUPS = 100
"""A column of more different values names single images rather than groups of them."""

_NUMBER = re.compile(r"-?[0-9]+")


def list_manifest(plan: DatasetPlan) -> Listing:
    """Read the samples of a `manifest` data set; every file of the csv must be there, whatever the limit.

    Raises:
        RobustError: folder or csv not there, csv unreadable or empty, a column missing, or a row whose file
            is missing, named twice or outside the folder, or whose label is none of the classes; with file
            and line of the csv.
    """
    return read_table(existing_file(plan, "labels"), existing_folder(plan), class_names(plan), class_count(plan))


def read_table(table: Path, root: Path, names: tuple[str, ...] | None, classes: int | None) -> Listing:
    """Read a csv of labels; see `list_manifest`.

    Args:
        table: the csv.
        root: the folder that its paths begin at.
        names: the classes in the order of their indices, where the spec lists them.
        classes: how many there are, where the spec says so.
    """
    paths: dict[str, Path] = {}
    labels: dict[str, int] = {}
    lines: dict[str, int] = {}
    groups: dict[str, list[str]] = {}
    for line, file, label, rest in _rows(table):
        where = f"{table}:{line}"
        sample = _sample(file, where)
        if sample in lines:
            raise RobustError(f"{where}: {file!r} was already named in line {lines[sample]}; keep one of the rows")
        paths[sample] = _find(root, file, where)
        labels[sample] = _label(label, names, classes, where)
        lines[sample] = line
        for column, value in rest.items():
            groups.setdefault(column, []).append(value)
    if not paths:
        raise RobustError(f"{table} has a header and no rows; add one row per image")
    return Listing(tuple(paths), tuple(labels.values()), tuple(paths.values()), classes, names, _grouping(groups))


def _grouping(columns: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(values) for name, values in columns.items() if len(set(values)) <= MOST_GROUPS}


def _rows(table: Path) -> Iterator[tuple[int, str, str, dict[str, str]]]:
    """(line, file, label, other columns) of each row; the line is the one on which the row begins."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            header = [name.strip() for name in next(reader, [])]
            file, label = _columns(header, table)
            line = reader.line_num + 1
            for row in reader:
                if row and len(row) != len(header):
                    raise RobustError(
                        f"{table}:{line}: {len(row)} fields where the header has {len(header)}; "
                        "put names with commas into double quotes"
                    )
                if row:
                    rest = {header[i]: row[i].strip() for i in range(len(row)) if i not in (file, label) and header[i]}
                    yield line, row[file], row[label].strip(), rest
                line = reader.line_num + 1
    except UnicodeDecodeError as error:
        raise RobustError(f"{table} is not UTF-8 text; save it as csv in UTF-8") from error
    except csv.Error as error:
        raise RobustError(f"{table}:{reader.line_num}: not a csv row ({error}); mend the quotes") from error
    except OSError as error:
        raise RobustError(f"{table} cannot be read: {error.strerror}; mend its permissions") from error


def _columns(header: list[str], table: Path) -> tuple[int, int]:
    if not header:
        raise RobustError(f"{table} is empty; begin it with the header file,label")
    for name in ("file", "label"):
        if header.count(name) != 1:
            fault = f"has no column {name!r}" if name not in header else f"has more than one column {name!r}"
            raise RobustError(f"{table}:1: the csv {fault}; it has {', '.join(map(repr, header))}")
    return header.index("file"), header.index("label")


def _sample(file: str, where: str) -> str:
    path = PurePosixPath(file)
    if not path.parts or "\0" in file:
        raise RobustError(f"{where}: {file!r} names no file; write a path relative to the data set's folder")
    if path.is_absolute() or Path(file).is_absolute() or ".." in Path(file).parts:
        raise RobustError(f"{where}: {file!r} leads out of the data set's folder; write a path inside it, without '..'")
    return nfc(path.as_posix())


def _find(root: Path, file: str, where: str) -> Path:
    # A csv and a folder that travelled over different systems may spell one name in different Unicode forms.
    for spelled in dict.fromkeys((file, nfc(file), unicodedata.normalize("NFD", file))):
        path = root / spelled
        try:
            if path.is_file():
                return path
        except OSError as error:
            raise RobustError(f"{where}: {file!r} cannot be found: {error.strerror}; correct the row") from error
    if (root / file).is_dir():
        raise RobustError(f"{where}: {file!r} is a folder; name an image file")
    hint = "separate folders by '/'" if "\\" in file else "correct or remove the row"
    raise RobustError(f"{where}: {file!r} is not in {root}; {hint}")


def _label(text: str, names: tuple[str, ...] | None, classes: int | None, where: str) -> int:
    name = nfc(text)
    if names is not None and name in names:
        return names.index(name)
    named_by_numbers = names is not None and any(_NUMBER.fullmatch(known) for known in names)
    if named_by_numbers or not _NUMBER.fullmatch(text):
        if names is None:
            raise RobustError(
                f"{where}: the label {text!r} is not a class index; "
                "write a number from 0, or list the names in `classes`"
            )
        raise RobustError(f"{where}: the label {text!r} is not one of the classes{closest(name, names)}; correct it")
    if problem := label_problem(int(text), classes):
        raise RobustError(f"{where}: {problem}; correct the row or `classes`")
    return int(text)
