"""From canvases and ids to shifted canvases: the one way that shifted bytes are made."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.errors import RobustError
from pytest_robust.shifts.rng import Streams

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import PixelShift
    from pytest_robust.spec.plan import Json, ShiftPlan


def numbers_of(shift: PixelShift, column: ShiftPlan, height: int, width: int) -> dict[str, Any]:
    """The numbers that a column of a spec gives its shift on canvases of height x width; textures are read here.

    Raises:
        RobustError: the shift does not take the column's parameters, or the textures cannot be read.
    """
    declared = dict(column.parameters)
    if column.textures is not None:
        declared["textures"] = str(column.textures.resolve())
    try:
        return shift.resolve(declared, height, width)
    except (ValueError, RobustError) as error:
        raise RobustError(f"{column.mark}: {error}") from error


def make(
    shift: PixelShift,
    images: NDArray[np.uint8],
    ids: Sequence[str],
    seed: int,
    parameters: Mapping[str, Json],
) -> NDArray[np.uint8]:
    """Shift a batch of canvases.

    An image's bytes hang on the image, its id, the seed and the parameters alone, so the batch may be cut anywhere.
    It is made by the calling thread alone; a shift of the user's own by one thread at a time, see `alone`.

    Args:
        shift: the shift.
        images: uint8 (N, H, W, 3); never written to.
        ids: the N sample ids.
        seed: the spec's seed.
        parameters: what ``shift.resolve`` gave for canvases of H x W; empty is the exact identity.

    Returns:
        A new array, uint8 (N, H, W, 3), or (N, H', W', 3) where the shift changes the size.

    Raises:
        RobustError: the shift, one of the user's own, returned anything else.
    """
    if not parameters:
        return np.array(images, order="C")
    streams = Streams(seed, shift.name, parameters)
    given, bits = np.ascontiguousarray(images), [streams.for_id(one) for one in ids]
    with _opencv_on_one_thread, alone(shift.apply):
        made = shift.apply(given, bits, **parameters)
        check_made(shift, len(bits), made, np.ndarray, np.uint8)
        return np.asarray(made if is_own(shift.apply) else made.copy())


def check_made(shift: PixelShift, count: int, made: Any, kind: type[Any], uint8: Any) -> None:
    """Refuse what a shift may not return.

    Args:
        shift: the shift.
        count: how many images it was given, N.
        made: what it returned.
        kind: the type of arrays, on the host or on a device.
        uint8: what that type calls its bytes.

    Raises:
        RobustError: it is no such array of bytes, (N, H', W', 3).
    """
    found = type(made).__name__
    if isinstance(made, kind):
        shape, found = tuple(made.shape), f"{made.dtype} {tuple(made.shape)}"
        if made.dtype == uint8 and len(shape) == 4 and (shape[0], shape[3]) == (count, 3) and all(shape[1:3]):
            return
    raise RobustError(
        f"the shift {shift.suite}.{shift.name} must return uint8 ({count}, H, W, 3) for {count} images, not {found}; "
        "correct its function"
    )


def is_own(function: Callable[..., Any]) -> bool:
    """Whether a function is written in this package, and so known to be pure."""
    while isinstance(function, partial):
        function = function.func
    # not its __module__, which a decorator of the user's copies from what it wraps
    written_in = getattr(function, "__globals__", {}).get("__name__") or ""
    return bool(written_in.startswith(_PACKAGE))


def alone(function: Callable[..., Any]) -> AbstractContextManager[object]:
    """Held while a shift's function runs, and its result is copied: those of the user's own run one at a time.

    Such a function may keep a buffer, a random generator or a model between its calls.
    """
    return nullcontext() if is_own(function) else _users


_PACKAGE = f"{__name__.partition('.')[0]}."
_users = threading.RLock()


class _OneThread:
    """Keeps OpenCV, whose number of threads is the process's, from starting any while a shift is made somewhere."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = self._before = 0

    def __enter__(self) -> None:
        import cv2

        with self._lock:
            if not self._inside:
                self._before = cv2.getNumThreads()
                cv2.setNumThreads(1)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        import cv2

        with self._lock:
            self._inside -= 1
            if not self._inside:
                cv2.setNumThreads(self._before)


_opencv_on_one_thread = _OneThread()
