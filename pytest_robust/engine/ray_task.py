"""What travels between pytest and the workers of a Ray cluster.

Models travel: a worker that needs one gets its files once, and writes them to a folder of its own. Images do not: every
node reads them under the path that pytest's machine has, as on a shared file system. A conftest's own shifts travel
too, what the conftest imports does not.
"""

from __future__ import annotations

import dataclasses
import platform
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from pytest_robust.engine.parts import libraries
from pytest_robust.errors import RobustError
from pytest_robust.models.runtime import installed
from pytest_robust.spec.plan import PathText

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_robust.engine.device_class import Place
    from pytest_robust.engine.wanted import Wanted
    from pytest_robust.models.files import ModelFile
    from pytest_robust.shifts.base import PixelShift

T = TypeVar("T")
Contents = dict[str, "NDArray[np.uint8]"]
"""The bytes of a model's files, by their names below the model's folder."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A model file in Ray's object store: its digest, its name and a reference to its `Contents`."""

    sha256: str
    name: str
    contents: Any


@dataclass(frozen=True, slots=True)
class Task:
    """One shift over one slice of the data, for all models that want it.

    Attributes:
        key: the pass that it is a part of.
        wanted: the cells, with every path resolved on pytest's machine.
        positions: the slice.
        batch: images per shifted batch.
        samples: digest of the whole data set as pytest's machine sees it.
        files: models and enhancers by their path.
        deaths: how many workers have died of it, or with it.
    """

    key: str
    wanted: tuple[Wanted, ...]
    positions: range
    batch: int
    samples: str
    files: Mapping[str, Sent]
    deaths: int = 0


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a new worker says of itself.

    Attributes:
        node: the address of its node.
        versions: of what its results hang on.
        places: where models without and with integer kernels run, as far as that is known beforehand.
        problem: why it cannot work, in one sentence.
    """

    node: str
    versions: Mapping[str, str]
    places: tuple[Place | None, Place | None]
    problem: str | None = None


def versions() -> dict[str, str]:
    """Versions that must agree for equal bytes, and for understanding each other at all."""
    python = ".".join(platform.python_version_tuple()[:2])
    runtime = installed()[1]
    return {
        "python": python,
        "pytest-robust": metadata.version("pytest-robust"),
        "onnxruntime": runtime,
        **libraries(),
    }


def contents_of(file: ModelFile) -> Contents:
    """The files of a model."""
    folder = file.path.parent
    return {one.relative_to(folder).as_posix(): np.fromfile(one, np.uint8) for one in (file.path, *file.sidecars)}


def resolved(value: T) -> T:
    """A part of the plan with every path absolute and free of variables.

    Raises:
        RobustError: a variable is not set.
    """
    made: Any = value
    if isinstance(value, PathText):
        made = PathText(str(value.resolve().absolute()), value.base, value.mark)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        made = dataclasses.replace(value, **{name: resolved(part) for name, part in parts.items()})
    found: T = made
    return found


def packed(shifts: Sequence[PixelShift]) -> bytes:
    """Shifts of the user's own for `ray.cloudpickle.loads`; those of a conftest with their code.

    Raises:
        RobustError: one holds what cannot travel.
    """
    from ray import cloudpickle

    made = []
    with _conftests_by_value():
        for shift in shifts:
            try:
                made.append(cloudpickle.dumps(shift))
            except Exception as error:  # whatever the objects that a shift holds raise
                raise RobustError(
                    f"the shift {shift.suite}.{shift.name} cannot be sent to the workers of Ray "
                    f"({type(error).__name__}: {error}); let its functions hold plain values only, or leave out "
                    "--robust-engine"
                ) from error
    whole: bytes = cloudpickle.dumps(made)
    return whole


@contextmanager
def _conftests_by_value() -> Iterator[None]:
    from ray import cloudpickle

    with ExitStack() as stack:
        for module in list(sys.modules.values()):
            if Path(getattr(module, "__file__", None) or "").name == "conftest.py":
                cloudpickle.register_pickle_by_value(module)
                stack.callback(cloudpickle.unregister_pickle_by_value, module)
        yield
