"""SI-Score: the size, place and angle of an object, changed one at a time (arXiv 2007.08558).

Made from cut-outs over backgrounds, or read as published. With ``per: value`` every value of a factor is a case of its
own; with ``per: factor`` a case holds all of them, counted as groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from pytest_robust.shifts.suites import DISTINCT, LISTED, STORED_VERSION
from pytest_robust.spec.catalog import Suite, Variant
from pytest_robust.spec.language import DataSpec  # noqa: TC001 - pydantic reads it
from pytest_robust.spec.types import Fraction, Given, Strict, Text
from pytest_robust.views import composed, stored_scenes
from pytest_robust.views.base import Derived, View, ViewInputs
from pytest_robust.views.factors import LOCATIONS, ROTATIONS, SIZES, location_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_robust.spec.plan import Json

VERSION = 1
Factor = Literal["size", "rotation", "location"]
Value = float | int | tuple[float, float]
_GRIDS: dict[Factor, tuple[Value, ...]] = {"size": SIZES, "rotation": ROTATIONS, "location": LOCATIONS}


def _hundredths(value: float) -> float:
    if round(value, 2) != value:
        raise ValueError("takes steps of 0.01")
    return value


_Share = Annotated[float, Field(ge=0, le=1), AfterValidator(_hundredths)]
_Size = Annotated[float, Field(gt=0, le=1), AfterValidator(_hundredths)]
_Place = Annotated[list[_Share], Field(min_length=2, max_length=2)]
_Angle = Annotated[int, Field(ge=0, lt=360)]


class Factors(Strict):
    """Which factors, at which values."""

    size: Given[Literal["all"] | Annotated[list[_Size], DISTINCT, LISTED]] = Field(
        default=None, description="Shares of the background's area: 0.01 to 1 in steps of 0.01; all: every one of them."
    )
    rotation: Given[Literal["all"] | Annotated[list[_Angle], DISTINCT, LISTED]] = Field(
        default=None, description="Degrees counter-clockwise; all: 1, 21, ..., 341, each on four areas."
    )
    location: Given[Literal["all"] | Annotated[list[_Place], DISTINCT, LISTED]] = Field(
        default=None, description="Centres [x, y] as shares of width and height; all: 21 x 21 in steps of 0.05."
    )


class SiScoreOptions(Strict):
    """What an entry ``{suite: si-score}`` takes."""

    factors: Given[Factors] = Field(
        default=None, description="Which factors, at which values; absent: all of all three."
    )
    per: Literal["value", "factor"] = Field(
        default="value", description="value: a case per value of a factor; factor: a case per factor."
    )
    background: Given[Annotated[int, Field(ge=8, le=4096)]] = Field(
        default=None, description="Side of the composed canvas in pixels; absent: the geometry's crop."
    )
    min_inside: Fraction = Field(
        default=0.0, description="Leave out objects of which less lies inside the image; 0, the authors' advice, none."
    )
    dataset: Given[DataSpec] = Field(
        default=None, description="The cut-outs (source cutouts or digits), where the spec's own data set has none."
    )
    stored: Given[Text] = Field(
        default=None,
        description="A folder of the published object_size, object_rotation and object_location, to read in place of"
        " composing. ${NAME} is filled in when the run starts.",
    )


def _expand(entry: SiScoreOptions) -> list[Variant]:
    if entry.stored is not None:
        for key in ("background", "min_inside", "dataset"):
            if key in entry.model_fields_set:
                raise ValueError(f"{key} is a matter of images to be composed; those of `stored` are composed already")
    asked = entry.factors or Factors(size="all", rotation="all", location="all")
    variants: list[Variant] = []
    for factor, grid in _GRIDS.items():
        chosen = getattr(asked, factor)
        if chosen is None:
            continue
        values: Sequence[Value] = grid
        if chosen != "all":
            values = sorted(tuple(value) if isinstance(value, list) else value for value in chosen)
        common = _common(entry, factor, values)
        if entry.per == "factor":
            variants.append(_variant(entry, factor, None, values, common))
        else:
            variants += [_variant(entry, factor, _severity(value), (value,), common) for value in values]
    return variants


def _common(entry: SiScoreOptions, factor: str, values: Sequence[Value]) -> dict[str, Json]:
    if entry.stored is not None:
        return {"stored": entry.stored}
    right = [value for value in values if factor == "rotation" and isinstance(value, int) and value % 90 == 0]
    mixed = bool(right) and len(right) < len(values)
    return {"background": entry.background, "min_inside": entry.min_inside, **({"mixed": True} if mixed else {})}


def _severity(value: Value) -> int | float | str:
    if isinstance(value, tuple):
        return location_text(*value)
    return int(value) if float(value).is_integer() else value


def _variant(
    entry: SiScoreOptions,
    factor: str,
    severity: int | float | str | None,
    values: Sequence[Value],
    common: dict[str, Json],
) -> Variant:
    listed: list[Json] = [list(value) if isinstance(value, tuple) else value for value in values]
    version = VERSION if entry.stored is None else STORED_VERSION
    return Variant(factor, severity, version, {"values": listed, **common})


def _derive(inputs: ViewInputs) -> Derived:
    if inputs.shift.stored is not None:
        return stored_scenes.derive(inputs)
    return composed.derive(inputs)


_SOURCE = "SI-Score (arXiv 2007.08558), google-research/si-score"
VIEWS = tuple(
    View(
        factor,
        "si-score",
        VERSION,
        _SOURCE,
        _derive,
        f"ask for it in a spec by {{suite: si-score, factors: {{{factor}: all}}}}, or compose a scene by "
        "pytest_robust.data.compose.compose(cutout, background, scene)",
        [_severity(value) for value in grid],
        {"per": "value", "background": None, "min_inside": 0.0},
    )
    for factor, grid in _GRIDS.items()
)
SUITES = (Suite("si-score", SiScoreOptions, _expand),)
