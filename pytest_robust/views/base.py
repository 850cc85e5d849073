"""What a view is: a shift with samples of its own, or with further inputs. It gives a data set, shown as it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_robust.data import Dataset
    from pytest_robust.spec.plan import DatasetPlan, Geometry, Json, ShiftPlan
    from pytest_robust.views.packs import Pack


@dataclass(frozen=True, slots=True)
class ViewInputs:
    """What a view may draw on.

    Attributes:
        shift: the column of the spec.
        geometry: how images become the canvas.
        seed: the spec's seed.
        limit: a smoke run's limit on samples.
        open: opens a data set of the spec, once per process and under the limit.
        craft: gives what an attack made of the samples, and the sha256 of the pack file where it was read from one;
            None where nothing is crafted.
    """

    shift: ShiftPlan
    geometry: Geometry
    seed: int
    limit: int | None
    open: Callable[[DatasetPlan], Dataset]
    craft: Callable[[], tuple[Pack, str | None]] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Derived:
    """The samples of a view.

    Attributes:
        dataset: what is shown; its images are made anew for every pass, by several threads at once, and never kept on
            disk.
        parameters: what a golden must share beside the samples, JSON values only. Of a view that changes the size,
            empty ones say that it is the exact identity.
        source: whether the images were made by this package or read as others published them.
        kept: the classes that the prediction is chosen from; None for all.
        notes: sentences on the samples that a reader of the result must know.
        pack: what an attack made of the samples, where the view is one.
    """

    dataset: Dataset
    parameters: Mapping[str, Json] = field(default_factory=dict)
    source: Literal["generated", "stored"] = "generated"
    kept: tuple[int, ...] | None = None
    notes: tuple[str, ...] = ()
    pack: Pack | None = None


@dataclass(frozen=True, slots=True)
class View:
    """One shift that brings samples.

    Attributes:
        name: the shift's name within its suite.
        suite: the suite of the spec entry.
        version: raised whenever its bytes change.
        source: where the rule or the images come from.
        derive: makes the samples; RobustError for what the user must mend.
        instead: how to have it, for who asks for it as a function of an image: a clause without a full stop.
        severities: the values of the severity, where they are listed.
        options: what a spec entry takes for it beside the severity, with the defaults.
    """

    name: str
    suite: str
    version: int
    source: str
    derive: Callable[[ViewInputs], Derived]
    instead: str
    severities: Sequence[int | float | str] = ()
    options: Mapping[str, Json] = field(default_factory=dict)
