"""How far an image can be changed at all, in each norm; and how large it is, where a spec alone says that."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_robust.spec.plan import DatasetPlan, Geometry

DIGITS_SIDE = 32
"""Side of the embedded digits in pixels."""


def widest(norm: str, values: int) -> float:
    """The largest possible size of a change of that many pixel values, which count from 0 to 1.

    Args:
        norm: linf, l2, l1 or l0.
        values: of an image, 3 of each pixel.
    """
    return {"linf": 1.0, "l2": math.sqrt(values), "l1": float(values), "l0": float(values)}[norm]


def beyond(what: str, size: float, norm: str, values: int) -> str | None:
    """How a sentence begins on a size that no change has, so that a remedy can follow; None for any other.

    Args:
        what: the name of the size.
        size: in `norm`, pixels counting from 0 to 1.
        norm: linf, l2, l1 or l0.
        values: of an image, 3 of each pixel.
    """
    most = widest(norm, values)
    if 0 <= size <= most * (1 + 1e-6):
        return None
    larger = "" if norm == "linf" else f", and no change of {values} pixel values is larger"
    return f"the {norm} {what} {size:g} is outside 0 to {most:g}: pixels count from 0 to 1{larger}"


def canvas_side(dataset: DatasetPlan, geometry: Geometry) -> int | None:
    """The side in pixels of the square canvases that a geometry makes of a data set; None where the images decide."""
    if geometry.crop is not None:
        return geometry.crop
    return (geometry.resize or DIGITS_SIDE) if dataset.source == "digits" else None
