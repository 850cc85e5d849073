"""SI-Score's factors: the values that it takes, and the scenes of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_robust.data.compose import Scene

SIZES = tuple(round(step / 100, 2) for step in range(1, 101))
ROTATIONS = tuple(range(1, 342, 20))
STEPS = tuple(round(step / 20, 2) for step in range(21))
LOCATIONS = tuple((x, y) for x in STEPS for y in STEPS)
ROTATION_AREAS = (0.2, 0.5, 0.8, 1.0)
LOCATION_AREA = 0.2


@dataclass(frozen=True, slots=True)
class Setting:
    """One value of a factor: its name as cases and groups print it, and its scenes."""

    text: str
    scenes: tuple[Scene, ...]


def setting(factor: str, value: Any) -> Setting:
    """The scenes of one value: all others than the factor as SI-Score fixes them; a rotation is seen on four areas."""
    if factor == "size":
        return Setting(f"{value:g}", (Scene(area=value),))
    if factor == "rotation":
        return Setting(str(value), tuple(Scene(area=area, rotation=value) for area in ROTATION_AREAS))
    x, y = value
    return Setting(location_text(x, y), (Scene(x, y, LOCATION_AREA),))


def location_text(x: float, y: float) -> str:
    """A place as case names print it: ``0.50x0.25``."""
    return f"{x:.2f}x{y:.2f}"
