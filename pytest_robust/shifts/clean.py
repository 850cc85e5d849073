"""The identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_robust.shifts.base import PixelShift
from pytest_robust.shifts.on_device import twin
from pytest_robust.shifts.severity import check_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits
    from pytest_robust.spec.plan import Json


def _resolve(parameters: Mapping[str, Json], height: int, width: int) -> dict[str, Any]:
    check_options("clean", parameters, {})
    severity = parameters.get("severity")
    if severity not in (None, 0) or isinstance(severity, bool):
        raise ValueError(f"clean takes no severity, not {severity!r}")
    return {}


def _apply(images: NDArray[np.uint8], bits: Sequence[Bits]) -> NDArray[np.uint8]:
    return images.copy()


SHIFTS = (
    PixelShift("clean", "clean", 1, "the canvas itself", (), _resolve, _apply, device_apply=twin(__name__, "clean")),
)
