"""What GitHub Actions shows of a run: a summary of the step, and annotations on the lines of the spec."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pytest_robust.errors import RobustError
from pytest_robust.report.counted import counted
from pytest_robust.report.markdown import markdown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SUMMARY_BYTES = (1 << 20) - 4096
"""GitHub drops a step's summary whole if it is over 1 MiB."""

MOST_ANNOTATIONS = 10
"""GitHub shows no more per step and kind."""

_PLACE = re.compile(r"(.+?):(\d+):(\d+): ")
_PLUGIN = "pytest_github_actions_annotate_failures"


def append_summary(report: Mapping[str, Any]) -> None:
    """Append the report to the step's summary, where this run is a step of GitHub Actions.

    Raises:
        RobustError: the file that GitHub names cannot be written.
    """
    named = os.environ.get("GITHUB_STEP_SUMMARY")
    if not named:
        return
    path = Path(named)
    try:
        taken = path.stat().st_size if path.exists() else 0
        text = markdown(report, SUMMARY_BYTES - taken)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise RobustError(
            f"the step summary {path} (GITHUB_STEP_SUMMARY) cannot be written ({error.strerror}); unset the variable"
        ) from error


def annotate(
    failures: Sequence[tuple[str, int, str, str]], root: Path, plugins: Sequence[str], errors: Sequence[str] = ()
) -> Iterator[str]:
    """Workflow commands that put failures on the lines of the spec; none outside of GitHub Actions.

    Cases of one line and model share an annotation, and the last one says how many there was no room for.

    Args:
        failures: spec as ids name it, line, id and first line of the judgement, of every failed case in order.
        root: the folder that ids are relative to.
        plugins: names of pytest's plugins; one of them may annotate already.
        errors: mistakes of specs, which come first; each begins with file:line:column where that is known.
    """
    if os.environ.get("GITHUB_ACTIONS") != "true" or any(name.replace("-", "_") == _PLUGIN for name in plugins):
        return
    groups: dict[tuple[str, int, str], list[tuple[str, str]]] = {}
    for spec, line, name, headline in failures:
        model = name.removeprefix(f"{spec}::").partition("::")[0]
        groups.setdefault((spec, line, model), []).append((name, headline))
    whole = len(errors) + len(groups)
    for position, sentence in enumerate(errors[:MOST_ANNOTATIONS], 1):
        yield f"::error {_place_of(sentence, root)}title=robust::{_data(sentence + _more(position, whole))}"
    for position, ((spec, line, model), members) in enumerate(groups.items(), len(errors) + 1):
        if position > MOST_ANNOTATIONS:
            return
        name, headline = members[0]
        text = f"{name.removeprefix(f'{spec}::')}: {headline}"
        if len(members) > 1:
            text += f"\nand {len(members) - 1} more of {model} on this line"
        place = f"file={_property(_in_repository(spec, root))},line={line},title={_property(f'robust: {model}')}"
        yield f"::error {place}::{_data(text + _more(position, whole))}"


def _more(position: int, whole: int) -> str:
    """What the last annotation says of those that there was no room for."""
    left = whole - position
    return f"\nand {counted(left, 'more place')}; see the summary" if position == MOST_ANNOTATIONS and left else ""


def _place_of(sentence: str, root: Path) -> str:
    """Where a mistake is, as the properties of a workflow command; empty where its sentence does not begin with it."""
    found = _PLACE.match(sentence)
    return f"file={_property(_in_repository(found[1], root))},line={found[2]},col={found[3]}," if found else ""


def _in_repository(spec: str, root: Path) -> str:
    """GitHub knows files by their path in the checkout, which may begin above pytest's root folder."""
    workspace = os.environ.get("GITHUB_WORKSPACE")
    full = root / spec
    if workspace and full.is_relative_to(workspace):
        return full.relative_to(workspace).as_posix()
    return PurePosixPath(spec).as_posix()


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
