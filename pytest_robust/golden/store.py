"""Reading and writing ``<folder>/<model>.json`` and the npz beside it.

The JSON is the commit point. The npz comes first, under a name that holds the JSON's digest; then the JSON is
replaced in one step; then npz files of this model that the JSON does not name are removed. Whenever a process
is killed, the JSON on disk finds the npz that it names.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pytest_robust.errors import RobustError
from pytest_robust.golden import arrays as npz
from pytest_robust.golden import document as layout
from pytest_robust.golden.files import locked, replace, sync, temporary, unwritable

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_robust.golden.record import GoldenFile

ATTRIBUTES = "*.npz binary\n"

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_ANEW = "restore it with git, or delete it and record it anew with --robust-update"


def read(folder: Path, model: str, *, spec: str | None = None) -> GoldenFile | None:
    """The golden of a model, checked against every digest in it; None where there is no JSON.

    Args:
        folder: the spec's golden folder.
        model: the model's name in the spec.
        spec: the spec's name; given, a golden of another spec is an error.

    Raises:
        RobustError: the JSON or its npz is cut short, edited, missing, unreadable, of a newer format, or not
            of this model and spec; the sentence says which and what to do.
    """
    path = _path(folder, model)
    content = _content(path)
    while content is not None:
        try:
            return _load(path, content, model, spec)
        except RobustError:
            # A writer may have replaced the pair between the reading of the JSON and that of its npz.
            again = _content(path)
            if again == content:
                raise
            content = again
    return None


def write(folder: Path, golden: GoldenFile, *, expected: GoldenFile | None) -> tuple[Path, ...]:
    """Put a golden in place of the one that was read; without recordings, remove it.

    Args:
        folder: the spec's golden folder; made if it is missing.
        golden: the new state.
        expected: what `read` returned when the new state was made from it.

    Returns:
        The files that were written; none if the new state says what was read.

    Raises:
        RobustError: the folder cannot be written, the disk is full, or the golden on disk is not the expected
            one; it is then as it was.
    """
    path = _path(folder, golden.model)
    document, arrays = layout.build(golden)
    read_digest = _digest(expected)
    if read_digest == (document["digest"] if golden.recordings else None):
        return ()
    with locked(folder):
        current = read(folder, golden.model, spec=golden.spec)
        if _digest(current) != read_digest:
            raise RobustError(f"{path} was changed by another process since it was read; update once more")
        try:
            return _commit(path, document, arrays)
        except OSError as error:
            raise unwritable(folder, error) from error
        finally:
            # What cannot be removed now is removed by the next writer; it harms nobody meanwhile.
            with suppress(OSError, RobustError):
                _sweep(path, golden.model)


def stored_models(folder: Path, spec: str) -> tuple[str, ...]:
    """Names of the models that have a golden of this spec, sorted; other JSON files are passed over."""
    found = []
    for path in sorted(folder.glob("*.json")):
        with suppress(OSError, ValueError, RecursionError):
            document = json.loads(path.read_bytes())
            names = (document.get("spec"), document.get("model")) if isinstance(document, dict) else None
            if names == (spec, path.stem):
                found.append(path.stem)
    return tuple(found)


def _path(folder: Path, model: str) -> Path:
    if not _NAME.fullmatch(model):
        raise RobustError(f"{model!r} cannot name a golden; a model's name is letters, digits, '_', '.' and '-'")
    return folder / f"{model}.json"


def _npz_path(path: Path, digest: str) -> Path:
    return path.with_name(f"{path.name.removesuffix('.json')}.{digest[:16]}.npz")


def _digest(golden: GoldenFile | None) -> str | None:
    return layout.build(golden)[0]["digest"] if golden is not None and golden.recordings else None


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RobustError(f"{path} cannot be read ({error.strerror}); it must be a file you may read") from error


def _load(path: Path, content: bytes, model: str, spec: str | None) -> GoldenFile:
    if b"\n<<<<<<< " in content:
        raise RobustError(f"{path} holds the marks of a merge conflict; take one side whole, then update again")
    try:
        document: Any = json.loads(content)
        computed = layout.digest(document) if isinstance(document, dict) else None
    except (ValueError, RecursionError) as error:
        raise RobustError(f"{path} is not JSON or is cut short ({error}); {_ANEW}") from error
    found = document.get("format") if isinstance(document, dict) else None
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise RobustError(f"{path} is not a golden (it has no `format`); {_ANEW}")
    if found > layout.FORMAT:
        raise RobustError(
            f"{path} has format {found}, written by a newer pytest-robust; upgrade this one, which reads "
            f"format {layout.FORMAT}"
        )
    digest = document.get("digest")
    if digest != computed:
        raise RobustError(f"{path} does not match its own digest: it was edited by hand or merged; {_ANEW}")
    if document.get("model") != model:
        raise RobustError(f"{path} holds the golden of the model {document.get('model')!r}; {_ANEW}")
    if spec is not None and document.get("spec") != spec:
        raise RobustError(
            f"{path} belongs to the spec {document.get('spec')!r}, not to {spec!r}; give each spec a golden "
            "folder of its own (after renaming a spec, change the name in the line `spec` of the file)"
        )
    arrays = npz.unpack(_npz_path(path, digest))
    try:
        return layout.parse(document, arrays)
    except RobustError as error:
        raise RobustError(f"{path} does not fit its npz: {error}; {_ANEW}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RobustError(f"{path} is not as pytest-robust writes a golden ({error!r}); {_ANEW}") from error


def _commit(path: Path, document: dict[str, Any], arrays: npz.Arrays) -> tuple[Path, ...]:
    if not document["recordings"]:
        path.unlink(missing_ok=True)
        sync(path.parent)
        return ()
    written = [_npz_path(path, document["digest"]), path]
    attributes = path.with_name(".gitattributes")
    if not attributes.exists():
        replace(attributes, ATTRIBUTES.encode())
        written.append(attributes)
    replace(written[0], npz.pack(arrays))
    # A lone surrogate (of text that was no UTF-8) becomes its JSON escape and is read back as what it was.
    replace(path, layout.render(document).encode("utf-8", "backslashreplace"))
    return tuple(written)


def _sweep(path: Path, model: str) -> None:
    """Remove this model's npz files that its JSON does not name, and what killed writers left behind."""
    content = _content(path)
    named = None if content is None else _npz_path(path, json.loads(content)["digest"]).name
    ours = re.compile(rf"{re.escape(model)}\.[0-9a-f]{{16}}\.npz")
    half = re.compile(rf"\.{re.escape(model)}\.[0-9a-f]{{16}}\.npz\.tmp")
    for found in sorted(path.parent.iterdir()):
        if (ours.fullmatch(found.name) and found.name != named) or half.fullmatch(found.name):
            found.unlink()
    temporary(path).unlink(missing_ok=True)
