"""Names and places shared by the sources: Unicode form, class names, and paths that must be there."""

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_robust.spec.plan import DatasetPlan, PathText


def nfc(text: str) -> str:
    """The text in Unicode form NFC, so that one name is one id on every file system."""
    return unicodedata.normalize("NFC", text)


def class_names(plan: DatasetPlan) -> tuple[str, ...] | None:
    """The class names that the spec lists, in form NFC; None where it lists none.

    Raises:
        RobustError: a name is listed twice.
    """
    if not isinstance(plan.classes, tuple):
        return None
    names = tuple(nfc(name) for name in plan.classes)
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise RobustError(f"{plan.mark}: `classes` lists {twice[0]!r} twice; give every class one name")
    return names


def class_count(plan: DatasetPlan) -> int | None:
    """The number of classes that the spec states, as a list or as a number."""
    return len(plan.classes) if isinstance(plan.classes, tuple) else plan.classes


def closest(name: str, names: Iterable[str]) -> str:
    """`` (closest: 'dog')`` for the end of a sentence, or nothing where no name is near."""
    near = difflib.get_close_matches(name, list(names), 1)
    return f" (closest: {near[0]!r})" if near else ""


def existing_folder(plan: DatasetPlan) -> Path:
    """The data set's folder.

    Raises:
        RobustError: the spec names none, or it is not there, or it is a file.
    """
    text = _stated(plan, plan.path, "path")
    folder = text.resolve()
    if folder.is_file():
        raise RobustError(
            f"{text.mark}: the data set folder {folder} is a file; name a folder, or choose another `source`"
        )
    if not folder.is_dir():
        raise RobustError(f"{text.mark}: the data set folder {folder} does not exist; correct `path`")
    return folder


def existing_file(plan: DatasetPlan, key: str) -> Path:
    """The file that a key of the data set (`path` or `labels`) names.

    Raises:
        RobustError: the spec names none, or it is not there, or it is a folder.
    """
    text = _stated(plan, plan.labels if key == "labels" else plan.path, key)
    file = text.resolve()
    if file.is_dir():
        raise RobustError(f"{text.mark}: {file} is a folder; name the file in `{key}`, or choose another `source`")
    if not file.is_file():
        raise RobustError(f"{text.mark}: the file {file} does not exist; correct `{key}`")
    return file


def _stated(plan: DatasetPlan, text: PathText | None, key: str) -> PathText:
    if text is None:
        raise RobustError(f"{plan.mark}: the data set source {plan.source} needs `{key}`; add it")
    return text
