"""Clean over the samples of a cell that is measured on a part of them, so that no accuracy is compared across sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_robust.measurement import Samples
    from pytest_robust.spec.plan import ShiftPlan


def is_part(shift: ShiftPlan, clean: ShiftPlan) -> bool:
    """Whether a shift is measured on a part of the spec's own data set, as an entry with `per_class` is."""
    return shift.main is None and shift.dataset != clean.dataset


def places(part: Samples, whole: Samples) -> NDArray[np.intp]:
    """Where the samples of a part stand in the whole.

    Args:
        part: n of the samples of `whole`.
        whole: the samples of clean.

    Returns:
        n positions.

    Raises:
        RobustError: a sample of the part is none of the whole, or has another label there.
    """
    positions = {name: position for position, name in enumerate(whole.ids)}
    found = np.array([positions.get(name, -1) for name in part.ids], np.intp)
    strange = (found < 0) | (whole.labels[found] != part.labels)
    if strange.any():
        raise RobustError(
            f"{part.ids[int(strange.argmax())]} is not a sample of clean with the same label, so there is no drop from "
            "clean; measure both on one data set"
        )
    return found
