"""Class sub-folders: ``dog/a.jpg`` is a sample of class ``dog``, and that POSIX path, in form NFC, its id.

Images may lie deeper in a class folder. Symbolic links are followed. Passed over are hidden files and
folders, what file managers leave behind (``__MACOSX``, ``Thumbs.db``, ``desktop.ini``) and files whose
extension is not in `IMAGE_EXTENSIONS`; a file that has such an extension and is no image is an error when it
is decoded.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from pytest_robust.data.dataset import Listing, label_problem
from pytest_robust.data.names import class_names, closest, existing_folder, nfc
from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_robust.spec.plan import DatasetPlan

IMAGE_EXTENSIONS = frozenset(
    f".{name}"
    for name in (
        *(
            "avif",
            "bmp",
            "gif",
            "heic",
            "heif",
            "jfif",
            "jp2",
            "jpe",
            "jpeg",
            "jpg",
            "jxl",
            "pbm",
            "pgm",
            "png",
        ),
        *("pnm", "ppm", "tga", "tif", "tiff", "webp"),
    )
)
"""Extensions of images, also of formats that cannot be read: an error is better than a gap."""

_LITTER = frozenset({"__macosx", "thumbs.db", "desktop.ini"})


def list_folder(plan: DatasetPlan) -> Listing:
    """Find the samples of a `folder` data set.

    A class that `classes:` lists may lack a folder or images; without the list, the sorted folder names are
    the classes, so an empty folder is an error there: a copy that loses it would change every later label.

    Raises:
        RobustError: no folder, no classes, no images, an image outside every class, a folder that is no
            class, names that collide in form NFC, or links that lead nowhere or in a circle.
    """
    root = existing_folder(plan)
    folders = _class_folders(root, plan)
    listed = class_names(plan)
    names = listed or tuple(sorted(folders))
    if isinstance(plan.classes, int) and plan.classes != len(names):
        raise RobustError(
            f"{plan.mark}: {root} has {len(names)} class folders where `classes` says {plan.classes}; "
            "correct one of them"
        )
    if problem := label_problem(len(names) - 1, None):
        raise RobustError(f"{plan.mark}: {root} has {len(names)} class folders: {problem}; remove some")
    index = {name: number for number, name in enumerate(names)}
    paths: dict[str, Path] = {}
    labels: dict[str, int] = {}
    for name, folder in folders.items():
        if name not in index:
            raise RobustError(
                f"{plan.mark}: the folder {folder} is a label without a class{closest(name, names)}; "
                "list it in `classes` or move it away"
            )
        before = len(paths)
        for sample, path in _images(folder, name, frozenset()):
            if sample in paths:
                raise RobustError(f"{paths[sample]!s} and {path!s} are one name in Unicode form NFC; rename one")
            paths[sample], labels[sample] = path, index[name]
        if listed is None and len(paths) == before:
            raise RobustError(
                f"{plan.mark}: the class folder {folder} holds no image; remove it, or state the order in `classes`"
            )
    if not paths:
        raise RobustError(f"{plan.mark}: {root} holds no image in its class folders; correct `path`")
    return Listing(tuple(paths), tuple(labels.values()), tuple(paths.values()), len(names), names)


def _class_folders(root: Path, plan: DatasetPlan) -> dict[str, Path]:
    folders: dict[str, Path] = {}
    stray: list[Path] = []
    for entry in _visible(root):
        path, name = Path(entry.path), nfc(entry.name)
        if not entry.is_dir():
            if _is_image(name):
                stray.append(path)
        elif name in folders:
            raise RobustError(f"{folders[name]!s} and {path!s} are one name in Unicode form NFC; rename one")
        else:
            folders[name] = path
    if not folders:
        raise RobustError(
            f"{plan.mark}: {root} has no class sub-folders; put each image into the folder of its class, "
            "or use `source: manifest` with a csv of labels"
        )
    if stray:
        raise RobustError(
            f"{plan.mark}: the image {stray[0]} lies outside every class folder; "
            "move it, or use `source: manifest` with a csv of labels"
        )
    return folders


def _images(folder: Path, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[tuple[str, Path]]:
    status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:
        raise RobustError(f"{folder} is a link to a folder above it; remove it")
    for entry in _visible(folder):
        path, sample = Path(entry.path), f"{prefix}/{nfc(entry.name)}"
        if entry.is_dir():
            yield from _images(path, sample, above | {here})
        elif _is_image(sample):
            if not entry.is_file():
                raise RobustError(f"{path} is no file but a link to nothing or a device; mend or remove it")
            yield sample, path


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise RobustError(f"the folder {folder} cannot be read: {error.strerror}; mend its permissions") from error
    for entry in found:
        try:
            entry.name.encode()
        except UnicodeEncodeError as error:
            raise RobustError(f"{entry.path!r} has a name that is not UTF-8; rename it") from error
    return sorted((e for e in found if e.name.lower() not in _LITTER), key=lambda entry: entry.name)


def images_in(folder: Path) -> dict[str, Path]:
    """The image files of one folder by name, in form NFC, sorted.

    Raises:
        RobustError: the folder cannot be read, or a name is not UTF-8.
    """
    found = {nfc(entry.name): Path(entry.path) for entry in _visible(folder) if entry.is_file()}
    return {name: found[name] for name in sorted(found) if _is_image(name)}


def _is_image(name: str) -> bool:
    return PurePath(name).suffix.lower() in IMAGE_EXTENSIONS
