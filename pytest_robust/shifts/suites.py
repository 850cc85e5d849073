"""The spec entry of a suite whose shifts have severities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, Strict, create_model

from pytest_robust.spec.catalog import Suite, Variant
from pytest_robust.spec.types import Given, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_robust.shifts.base import PixelShift

T = TypeVar("T")

_Folder = Given[Text]

STORED_VERSION = 1
"""Version of published images: a change in how we make a shift is none of theirs."""


def _distinct(values: tuple[T, ...]) -> tuple[T, ...]:
    if not values:
        raise ValueError("the list is empty; leave the key out for the default")
    for position, value in enumerate(values):
        if value in values[:position]:
            raise ValueError(f"{value} is given twice")
    return values


DISTINCT = AfterValidator(_distinct)
"""On a tuple type: not empty, and nothing given twice."""

LISTED = Field(json_schema_extra={"minItems": 1, "uniqueItems": True})
"""The same for the JSON Schema."""


def severity_suite(name: str, shifts: Sequence[PixelShift]) -> Suite:
    """A suite asked for by ``{suite: name, corruptions: [...], severities: [...]}``, both all by default.

    Where the shifts have parameter tables the entry takes ``table: auto | 224 | 64 | 32`` as well. With
    ``stored: PATH`` the images are read as their authors published them, see `pytest_robust.views.stored`. The
    variants come in the suite's order and in rising severity, whatever the order of the entry.
    """
    fields: dict[str, Any] = {
        "corruptions": (
            _some(Literal[tuple(shift.name for shift in shifts)]),
            Field(tuple(shift.name for shift in shifts), description="Which shifts of the suite; default all."),
        ),
        "severities": (
            _some(_severity(shifts)),
            Field(default_factory=tuple, description="Which severities; default all that a shift has."),
        ),
    }
    if all("table" in shift.options for shift in shifts):
        fields["table"] = (
            Literal["auto", 224, 64, 32],
            Field("auto", description="The parameter table, by canvas size; auto takes the nearest."),
        )
    fields["stored"] = (
        _Folder,
        Field(
            None,
            description="A folder of published images, <corruption>/<severity>/<class>/<file> or <corruption>.npy with "
            "labels.npy, to read in place of making them. ${NAME} is filled in when the run starts.",
        ),
    )
    options = create_model(
        f"{name.replace('-', '_')}_entry",
        __config__=ConfigDict(extra="forbid", frozen=True, defer_build=True),
        **fields,
    )

    def expand(entry: Any) -> list[Variant]:
        common = {"table": entry.table} if "table" in fields else {}
        if entry.stored is not None:
            if "table" in entry.model_fields_set:
                raise ValueError(
                    "table chooses the parameters of images to be made; those of `stored` are made already"
                )
            common = {"stored": entry.stored}
        return [
            Variant(
                shift.name,
                severity,
                STORED_VERSION if entry.stored is not None else shift.version,
                {"severity": severity, **common},
                shift.changes_size and entry.stored is None,
            )
            for shift in shifts
            if shift.name in entry.corruptions
            for severity in _chosen(shift, entry.severities)
        ]

    return Suite(name, options, expand)


def _some(item: Any) -> Any:
    return Annotated[tuple[item, ...], DISTINCT, LISTED]


def _severity(shifts: Sequence[PixelShift]) -> Any:
    values = sorted({severity for shift in shifts for severity in shift.severities})
    whole = all(isinstance(value, int) for value in values) and all(shift.severities for shift in shifts)
    return Literal[tuple(values)] if whole else Annotated[float, Strict()]


def _chosen(shift: PixelShift, asked: Sequence[int | float]) -> list[int | float]:
    if not asked:
        if not shift.severities:
            raise ValueError(f"{shift.name} takes any number as its severity; say which by severities")
        return list(shift.severities)
    for severity in asked:
        if shift.severities and severity not in shift.severities:
            known = ", ".join(format(value, "g") for value in shift.severities)
            raise ValueError(f"{shift.name} has no severity {severity:g}; it has {known}")
    return sorted(asked)
