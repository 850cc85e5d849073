"""Shifts with five severities and one parameter table per canvas size, as the ImageNet-C family has them.

The published tables are made for images of 224, 64 and 32 pixels. ``table: auto`` takes the one nearest to
the
canvas: a short side up to 48 pixels takes 32, up to 144 takes 64, anything larger 224.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_robust.shifts.base import PixelShift
from pytest_robust.shifts.on_device import twin

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits
    from pytest_robust.shifts.on_device.bits import BatchBits
    from pytest_robust.spec.plan import Json

IMAGENET_C = "Hendrycks & Dietterich 2019 (arXiv 1903.12261), hendrycks/robustness"
"""The source of the ImageNet-C family."""

SEVERITIES = (1, 2, 3, 4, 5)

Row = Sequence[float | tuple[float, ...]]
"""The parameters of severities 1 to 5; tuples where a rule takes several."""


def table_for(height: int, width: int) -> int:
    """The table that ``auto`` takes for a canvas of this size in pixels: 32, 64 or 224."""
    short = min(height, width)
    return 32 if short <= 48 else 64 if short <= 144 else 224


def check_options(name: str, parameters: Mapping[str, Json], options: Mapping[str, Json]) -> None:
    """Refuse what a shift does not take.

    Raises:
        ValueError: a parameter is neither `severity` nor one of `options`.
    """
    for key in parameters:
        if key != "severity" and key not in options:
            known = f"; it takes {', '.join(options)}" if options else " beside severity"
            raise ValueError(f"{name} has no parameter {key!r}{known}")


def chosen(
    name: str, parameters: Mapping[str, Json], options: Mapping[str, Json], tables: Iterable[int | str]
) -> tuple[int, Any]:
    """The severity (0 to 5) and the table (`auto` or one of `tables`) that a shift is asked for.

    Raises:
        ValueError: either is none of these, or another parameter is not among `options`.
    """
    check_options(name, parameters, options)
    severity: Any = parameters.get("severity")
    table: Any = parameters.get("table", "auto")
    known = tuple(tables)
    if isinstance(severity, bool) or severity not in (0, *SEVERITIES):
        raise ValueError(f"{name} takes a severity of 1, 2, 3, 4 or 5 (0 changes nothing), not {severity!r}")
    if table not in ("auto", *known):
        raise ValueError(f"{name} has the tables auto, {', '.join(map(str, known))}, not {table!r}")
    return int(severity), table


def corruption(
    rule: Callable[..., NDArray[np.uint8]],
    *,
    suite: str,
    source: str,
    keys: Sequence[str],
    tables: Mapping[int, Row],
    version: int = 1,
    on_host: bool = False,
) -> PixelShift:
    """A shift whose severities choose from the tables of three canvas sizes.

    Args:
        rule: ``rule(images, bits, **numbers)``, see `pytest_robust.shifts.base.Apply`; its name is the
            shift's.
        suite: the suite that defined it.
        source: where the rule and its numbers come from.
        keys: what the numbers of a row are called.
        tables: canvas size (224, 64, 32) -> the numbers of severities 1 to 5.
        version: raised whenever the bytes change.
        on_host: the rule has no twin in `pytest_robust.shifts.on_device`.
    """
    name: str = rule.__name__
    options: dict[str, Json] = {"table": "auto"}

    def resolve(parameters: Mapping[str, Json], height: int, width: int) -> dict[str, Any]:
        severity, table = chosen(name, parameters, options, tables)
        if severity == 0:
            return {}
        size = table_for(height, width) if table == "auto" else int(table)
        row = tables[size][severity - 1]
        return {"table": size, **dict(zip(keys, row if isinstance(row, tuple) else (row,), strict=True))}

    def apply(images: NDArray[np.uint8], bits: Sequence[Bits], *, table: int, **numbers: Any) -> NDArray[np.uint8]:
        return rule(images, bits, **numbers)

    sibling = twin(rule.__module__, name)

    def device_apply(images: torch.Tensor, bits: BatchBits, *, table: int, **numbers: Any) -> torch.Tensor:
        return sibling(images, bits, **numbers)

    return PixelShift(
        name,
        suite,
        version,
        source,
        SEVERITIES,
        resolve,
        apply,
        options,
        device_apply=None if on_host else device_apply,
    )
