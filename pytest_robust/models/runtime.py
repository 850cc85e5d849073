"""ONNX Runtime as this package loads it: one distribution, no telemetry, nothing printed.

The two distributions `onnxruntime` and `onnxruntime-gpu` write into one folder: the later one wins silently
and removing either breaks both. That state is found from the installed metadata before anything is imported.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import io
import os
import re
import sys
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu")
_INSTALL = 'pip install "pytest-robust[cpu]" (or "pytest-robust[cuda]" for an NVIDIA GPU)'
_LONGEST = 300


def installed(search: Sequence[str] | None = None) -> tuple[str, str]:
    """Name and version of the one ONNX Runtime distribution that an import would load, without importing it.

    Two of them clash only in one folder: of two folders on the path the first is imported whole and the other
    never touched.

    Args:
        search: folders to look in, in order; `sys.path` by default.

    Raises:
        RobustError: none is installed, or both are, over each other.
    """
    found: dict[Path, dict[str, str]] = {}
    for one in importlib.metadata.distributions(path=list(sys.path if search is None else search)):
        name = re.sub(r"[-_.]+", "-", one.name or "").lower()
        if name in DISTRIBUTIONS:
            found.setdefault(Path(str(one.locate_file(""))).resolve(), {})[name] = one.version
    if not found:
        raise RobustError(f"ONNX Runtime is not installed: run {_INSTALL}")
    folder, names = next(iter(found.items()))
    if len(names) > 1:
        raise RobustError(
            f"onnxruntime and onnxruntime-gpu are both installed in {folder}, over each other's files: "
            f"run pip uninstall -y onnxruntime onnxruntime-gpu, then {_INSTALL}"
        )
    return next(iter(names.items()))


@cache
def load_runtime() -> Any:
    """Import ONNX Runtime with its telemetry off and its warnings silenced; the module.

    Raises:
        RobustError: it is missing, doubly installed or broken; the sentence says how to repair it.
    """
    installed()
    # From 1.29 on the wheels write a device id and start an uploader unless this is set before the import.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        with quiet():
            module = importlib.import_module("onnxruntime")
            module.set_default_logger_severity(3)
    except (ImportError, AttributeError) as error:
        raise RobustError(
            f"ONNX Runtime cannot be imported ({telling(str(error))}): run pip uninstall -y onnxruntime "
            f"onnxruntime-gpu, then {_INSTALL}"
        ) from error
    return module


@contextlib.contextmanager
def quiet() -> Iterator[list[str]]:
    """Keep what Python and native code print or warn meanwhile; the list holds the text after the block.

    File descriptors 1 and 2 are redirected too, because ONNX Runtime's logger and the loader of shared
    libraries write past `sys.stderr`.
    """
    said: list[str] = []
    printed = io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    saved = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            with (
                contextlib.redirect_stdout(printed),
                contextlib.redirect_stderr(printed),
                warnings.catch_warnings(record=True) as warned,
            ):
                warnings.simplefilter("always")
                yield said
        finally:
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
            os.close(saved[0])
            os.close(saved[1])
            log.seek(0)
            said += [
                log.read().decode(errors="replace"),
                printed.getvalue(),
                *(str(one.message) for one in warned),
            ]


def telling(text: str) -> str:
    """The part of one of ONNX Runtime's messages that helps a user, on one line without a full stop.

    Error codes, the path (our own sentence names it) and C++ signatures go; the rest is cut at 300 letters.
    """
    line = " ".join(text.split())
    line = re.sub(r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ", "", line)
    line = re.sub(r"^Error in execution: ", "", line)
    line = re.sub(r"^Load model from .*? failed: ?", "", line)
    line = re.sub(r"^Exception during initialization: ", "", line)
    line = re.sub(r"^Non-zero status code returned while running (\w+) node\.", r"\1:", line)
    line = re.sub(r"Name:'' Status Message: ", "", line)
    place = re.match(r"^(\w+: (?=/))?\S+\.(?:cc|h|hpp|cpp|cu|cuh):\d+ ", line)
    if place:
        line = (place[1] or "") + _after_signature(line[place.end() :]).lstrip()
    line = re.sub(
        r"^.* Opset (\d+) is under development.* is till opset (\d+)\.?$",
        r"opset \1 is newer than its newest, \2",
        line,
    )
    line = line.rstrip(". ")
    return line if len(line) <= _LONGEST else line[:_LONGEST].rstrip() + " ..."


def _after_signature(text: str) -> str:
    """What follows the first balanced pair of parentheses, which closes a C++ function's signature."""
    depth = 0
    for index, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == ")" and depth == 0:
            return re.sub(r"^ (?:const )?(?:\[with .*?\] )?", "", text[index + 1 :])
    return text
