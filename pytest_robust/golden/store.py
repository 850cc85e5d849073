"""Reading and writing ``<folder>/<model>.json`` and the npz beside it.

The JSON is the commit point. The npz comes first, under a name that holds the JSON's digest; then the JSON is
replaced in one step; then npz files of this model that the JSON does not name are removed. Whenever a process
is killed, the JSON on disk finds the npz that it names.
"""

from __future__ import annotations

import json
import re
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_robust.errors import RobustError, shown
from pytest_robust.golden import arrays as npz
from pytest_robust.golden import document as layout
from pytest_robust.golden.files import commit, locked, replace, stage, sync, temporary, unwritable
from pytest_robust.golden.record import same_spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
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
        spec: how the plan names its spec; given, a golden of another spec (see `same_spec`) is an error.

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


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One golden to put in place of another.

    Attributes:
        folder: the spec's golden folder; made if it is missing.
        golden: the new state; one without recordings is removed.
        expected: what `read` returned when the new state was made from it.
    """

    folder: Path
    golden: GoldenFile
    expected: GoldenFile | None

    @property
    def path(self) -> Path:
        """The golden's JSON."""
        return _path(self.folder, self.golden.model)


def write(folder: Path, golden: GoldenFile, *, expected: GoldenFile | None) -> tuple[Path, ...]:
    """Put one golden in place of the one that was read; see `write_all`.

    Returns:
        The files that were written; none if the new state says what was read.
    """
    return write_all([Step(folder, golden, expected)])[0]


def write_all(steps: Sequence[Step]) -> list[tuple[Path, ...]]:
    """Put goldens in place of those that were read, all of them or as good as none.

    Everything is stored under other names first, so that a full disk or a missing permission is met before the
    first golden is replaced; what remains then is to give files their names, one golden after the other.

    Returns:
        Per step the files that were written; none if the new state says what was read.

    Raises:
        RobustError: a folder cannot be written, the disk is full, or a golden on disk is not the expected one;
            the goldens are as they were, but for those that the sentence names as written.
    """
    made = [layout.build(step.golden) for step in steps]
    changed = [
        position
        for position, step in enumerate(steps)
        if _digest(step.expected) != (made[position][0]["digest"] if step.golden.recordings else None)
    ]
    written: list[tuple[Path, ...]] = [() for _ in steps]
    with ExitStack() as held:
        for folder in sorted({steps[position].folder.absolute() for position in changed}):
            held.enter_context(locked(folder))
        for position in changed:
            _refuse_overtaken(steps[position])
        for position in changed:
            held.callback(_sweep, steps[position].path, steps[position].golden.model)
        for position in changed:
            with _explained(steps[position]):
                written[position] = _prepare(steps[position].path, *made[position])
        done: list[str] = []
        for position in changed:
            with _explained(steps[position], done):
                _commit(steps[position])
            done.append(steps[position].golden.model)
    return written


@contextmanager
def _explained(step: Step, done: Sequence[str] = ()) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(step.folder, error, done) from error


def _refuse_overtaken(step: Step) -> None:
    current = read(step.folder, step.golden.model, spec=step.golden.spec)
    if _digest(current) != _digest(step.expected):
        raise RobustError(f"{shown(step.path)} was changed by another process since it was read; update once more")


def stored_models(folder: Path, spec: str) -> tuple[str, ...]:
    """Names of the models that have a golden of this spec, sorted; other JSON files are passed over."""
    found = []
    for path in sorted(folder.glob("*.json")):
        with suppress(OSError, ValueError, RecursionError):
            document = json.loads(path.read_bytes())
            names = (document.get("spec"), document.get("model")) if isinstance(document, dict) else (None, None)
            if isinstance(names[0], str) and same_spec(names[0], spec) and names[1] == path.stem:
                found.append(path.stem)
    return tuple(found)


def recorded_sizes(folder: Path, model: str) -> dict[str, int]:
    """How many samples each recorded cell has, of any device class, by the JSON alone and unchecked."""
    sizes: dict[str, int] = {}
    # what is wrong with a golden is said where a cell is compared with it
    with suppress(OSError, ValueError, RecursionError, TypeError, KeyError, AttributeError):
        for recording in json.loads((folder / f"{model}.json").read_bytes())["recordings"].values():
            sizes |= {key: int(line["n"]) for key, line in recording["cells"].items()}
    return sizes


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
        raise RobustError(f"{shown(path)} cannot be read ({error.strerror}); it must be a file you may read") from error


def _load(path: Path, content: bytes, model: str, spec: str | None) -> GoldenFile:
    if b"\n<<<<<<< " in content:
        raise RobustError(f"{shown(path)} holds the marks of a merge conflict; take one side whole, then update again")
    try:
        document: Any = json.loads(content)
        computed = layout.digest(document) if isinstance(document, dict) else None
    except (ValueError, RecursionError) as error:
        raise RobustError(f"{shown(path)} is not JSON or is cut short ({error}); {_ANEW}") from error
    found = document.get("format") if isinstance(document, dict) else None
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise RobustError(f"{shown(path)} is not a golden (it has no `format`); {_ANEW}")
    if found > layout.FORMAT:
        raise RobustError(
            f"{shown(path)} has format {found}, written by a newer pytest-robust; upgrade this one, which reads "
            f"format {layout.FORMAT}"
        )
    digest = document.get("digest")
    if digest != computed:
        raise RobustError(f"{shown(path)} does not match its own digest: it was edited by hand or merged; {_ANEW}")
    if document.get("model") != model:
        raise RobustError(f"{shown(path)} holds the golden of the model {document.get('model')!r}; {_ANEW}")
    if spec is not None and not same_spec(str(document.get("spec")), spec):
        raise RobustError(
            f"{shown(path)} belongs to the spec {document.get('spec')!r}, not to {spec!r}; give each spec a golden "
            "folder of its own (after moving a spec, change its path from this folder in the line `spec` of the file)"
        )
    arrays = npz.unpack(_npz_path(path, digest))
    try:
        return layout.parse(document, arrays)
    except RobustError as error:
        raise RobustError(f"{shown(path)} does not fit its npz: {error}; {_ANEW}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RobustError(f"{shown(path)} is not as pytest-robust writes a golden ({error!r}); {_ANEW}") from error


def _prepare(path: Path, document: dict[str, Any], arrays: npz.Arrays) -> tuple[Path, ...]:
    """Store the npz, and the JSON beside the one that holds until `_commit`; the files that are new then."""
    if not document["recordings"]:
        return ()
    written = [_npz_path(path, document["digest"]), path]
    attributes = path.with_name(".gitattributes")
    if not attributes.exists():
        replace(attributes, ATTRIBUTES.encode())
        written.append(attributes)
    replace(written[0], npz.pack(arrays))
    # A lone surrogate (of text that was no UTF-8) becomes its JSON escape and is read back as what it was.
    stage(path, layout.render(document).encode("utf-8", "backslashreplace"))
    return tuple(written)


def _commit(step: Step) -> None:
    if step.golden.recordings:
        commit(step.path)
        return
    step.path.unlink(missing_ok=True)
    sync(step.folder)


def _sweep(path: Path, model: str) -> None:
    """Remove this model's npz files that its JSON does not name, and what killed writers left behind."""
    ours = re.compile(rf"{re.escape(model)}\.[0-9a-f]{{16}}\.npz")
    half = re.compile(rf"\.{re.escape(model)}\.[0-9a-f]{{16}}\.npz\.tmp")
    # What cannot be removed now is removed by the next writer; it harms nobody meanwhile.
    with suppress(OSError, RobustError):
        content = _content(path)
        named = None if content is None else _npz_path(path, json.loads(content)["digest"]).name
        for found in sorted(path.parent.iterdir()):
            if (ours.fullmatch(found.name) and found.name != named) or half.fullmatch(found.name):
                found.unlink()
        temporary(path).unlink(missing_ok=True)
