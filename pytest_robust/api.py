"""The shifts as functions, for notebooks and for checks against other implementations."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pytest_robust.errors import RobustError
from pytest_robust.registry import default_registry
from pytest_robust.shifts.streams import make

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import PixelShift
    from pytest_robust.spec.plan import Json
    from pytest_robust.views.base import View


@dataclass(frozen=True, slots=True)
class ShiftInfo:
    """What `list_shifts` tells of a shift.

    Attributes:
        name: what `apply_shift` calls it.
        suite: the suite of the spec entry.
        severities: in rising strength; empty where any number is allowed (scaling: the multiple) or there is none.
        parameters: what it takes beside the severity, with the defaults.
        version: raised whenever the shift's bytes change.
        source: where the rule comes from.
        kind: ``pixel`` for what `apply_shift` makes of images alone; ``view`` for a shift with samples of its own or
            with further inputs, which only a spec can ask for.
        on_device: whether `apply_shift` makes it on a GPU that it is given; others are made on the host then, and so is
            the JPEG step of those that have one (`jpeg85`, and what `one-per-sample` draws of `jpeg_compression`).
    """

    name: str
    suite: str
    severities: tuple[int | float | str, ...]
    parameters: Mapping[str, Json]
    version: int
    source: str
    kind: Literal["pixel", "view"]
    on_device: bool


def list_shifts() -> list[ShiftInfo]:
    """Every shift there is, suite by suite."""
    registry = default_registry()
    rows = [_info(shift, "pixel") for shift in registry.shifts()]
    rows += [_info(view, "view") for view in registry.views()]
    suites = list(dict.fromkeys(row.suite for row in rows))
    return sorted(rows, key=lambda row: suites.index(row.suite))


def _info(shift: PixelShift | View, kind: Literal["pixel", "view"]) -> ShiftInfo:
    return ShiftInfo(
        shift.name,
        shift.suite,
        tuple(shift.severities),
        dict(shift.options),
        shift.version,
        shift.source,
        kind,
        on_device=getattr(shift, "device_apply", None) is not None,
    )


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
        severity: how strong, in the words of the suite:

            - ``imagenet-c``, ``imagenet-c-extra``, ``imagenet-c-bar``: 1 to 5, 0 for the identity; none for
              `one-per-sample`, which draws it.
            - ``scaling``: the multiple of both sides, above 0 and up to 16; 1 is the identity.
            - ``resolution``: the short side in pixels; that of the images is the identity.
            - ``lp-noise``: epsilon, with pixels in [0, 1]. For a norm the radius of the ball, for `l0`, `l0linear` and
              `saltpepper` the share of values or pixels that are replaced, for `common_brightness` the step, for
              `gaussian` the standard deviation; 0 is the identity.
            - ``fourier``: for `low_pass` and `high_pass` the radius as a share of the spectrum's corner, 1 and 0 being
              their identities; for `single_frequency` the wave's peak, white being 1, and 0 the identity.
            - ``clean``: none, or 0.
            - a suite of your own: what its `resolve` takes.
        ids: N sample ids, which the randomness hangs on; "0" to "N-1" by default.
        seed: the spec's seed.
        device: `cpu`; `cuda` or `cuda:N` for the GPU that torch calls so. A shift that is not `on_device`, says
            `list_shifts`, is made on the CPU all the same.
        **parameters: what the shift takes beside the severity, see `list_shifts`.

    Returns:
        A new array, uint8 (N, H, W, 3); (N, H', W', 3) from `feed_scaled` and `resize`.

    Raises:
        ValueError: the images, the ids, the name, the severity or a parameter is not what is asked for; of a shift
            that brings samples of its own, the sentence says how to have it.
        TypeError: the seed is no whole number.
        RobustError: the device is none of these, or torch sees no such GPU; or a shift of your own returned anything
            else than such an array.
    """
    _check_images(images)
    shift = default_registry().find(name)
    known = [str(i) for i in range(len(images))] if ids is None else _checked_ids(ids, len(images))
    asked = {key: _plain(value) for key, value in {"severity": severity, **parameters}.items()}
    numbers = shift.resolve(asked, *images.shape[1:3])
    if device == "cpu":
        return make(shift, images, known, operator.index(seed), numbers)
    return _made_on_gpu(device, shift, images, known, operator.index(seed), numbers)


def _made_on_gpu(device: str, shift: PixelShift, images: NDArray[np.uint8], *arguments: Any) -> NDArray[np.uint8]:
    named = re.fullmatch(r"cuda(?::(\d{1,3}))?", device)
    if not named:
        raise RobustError(f"the device {device!r} is not known: choose cpu, cuda or cuda:N")
    import torch

    from pytest_robust.shifts.on_device.streams import make_on_device

    index, count = int(named[1] or 0), torch.cuda.device_count()
    if not torch.cuda.is_available() or index >= count:
        raise RobustError(
            f"torch {torch.__version__} sees {count} GPUs, not cuda:{index}; use device='cpu', or install a CUDA build "
            "of torch and check nvidia-smi"
        )
    there = torch.tensor(np.ascontiguousarray(images), device=torch.device("cuda", index))
    made: NDArray[np.uint8] = make_on_device(shift, there, *arguments).cpu().numpy()
    return made


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
