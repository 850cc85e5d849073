"""The shifts as functions, for notebooks and for checks against other implementations."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.errors import RobustError
from pytest_robust.shifts.registry import default_registry
from pytest_robust.shifts.streams import make

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_robust.spec.plan import Json


@dataclass(frozen=True, slots=True)
class ShiftInfo:
    """What `list_shifts` tells of a shift.

    Attributes:
        name: what `apply_shift` calls it.
        suite: the suite of the spec entry.
        severities: in rising strength; empty where any number is allowed (scaling: the multiple).
        parameters: what `apply_shift` takes beside the severity, with the defaults.
        version: raised whenever the shift's bytes change.
        source: where the rule comes from.
    """

    name: str
    suite: str
    severities: tuple[int | float, ...]
    parameters: Mapping[str, Json]
    version: int
    source: str


def list_shifts() -> list[ShiftInfo]:
    """Every shift there is, in the order of the suites."""
    return [
        ShiftInfo(shift.name, shift.suite, tuple(shift.severities), dict(shift.options), shift.version, shift.source)
        for shift in default_registry().shifts()
    ]


def apply_shift(
    images: NDArray[np.uint8],
    name: str,
    severity: float | None = None,
    ids: Sequence[str] | None = None,
    seed: int = 0,
    device: str = "cpu",
    **parameters: Json,
) -> NDArray[np.uint8]:
    """Shift a batch of images: the bytes that a spec's run gives for these ids and this seed.

    Args:
        images: uint8 (N, H, W, 3), RGB; never written to.
        name: `gaussian_noise`, or with its suite, `scaling.down_up`.
        severity: one of the shift's severities, 0 for the identity; the multiple where the shift is a
            scaling.
        ids: N sample ids, which the randomness hangs on; "0" to "N-1" by default.
        seed: the spec's seed.
        device: `cpu`.
        **parameters: what the shift takes beside the severity, see `list_shifts`.

    Returns:
        A new array, uint8 (N, H, W, 3); (N, H', W', 3) from `feed_scaled`.

    Raises:
        ValueError: the images, the ids, the name, the severity or a parameter is not what is asked for.
        TypeError: the seed is no whole number.
        RobustError: the device is not the CPU.
    """
    if device != "cpu":
        raise RobustError(f"shifts run on the CPU in this version; use device='cpu', not {device!r}")
    _check_images(images)
    shift = default_registry().find(name)
    known = [str(i) for i in range(len(images))] if ids is None else _checked_ids(ids, len(images))
    asked = {key: _plain(value) for key, value in {"severity": severity, **parameters}.items()}
    return make(shift, images, known, operator.index(seed), shift.resolve(asked, *images.shape[1:3]))


def _check_images(images: object) -> None:
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        kind = f"an array of {images.dtype}" if isinstance(images, np.ndarray) else type(images).__name__
        raise ValueError(f"images must be a uint8 array with values 0 to 255, not {kind}")
    if images.ndim != 4 or images.shape[3] != 3 or 0 in images.shape[1:]:
        hint = "; put one image into a batch by images[None]" if images.ndim == 3 else ""
        raise ValueError(f"images must have the shape (N, H, W, 3), not {images.shape}{hint}")


def _checked_ids(ids: Sequence[str], count: int) -> list[str]:
    if isinstance(ids, str) or not all(isinstance(one, str) for one in ids):
        raise ValueError("ids must be a sequence of strings, one per image")
    if len(ids) != count:
        raise ValueError(f"there are {len(ids)} ids for {count} images")
    return list(ids)


def _plain(value: Json) -> Json:
    return value.item() if isinstance(value, np.generic) else value
