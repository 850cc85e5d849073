"""What a pixel shift and a view are.

A pixel shift is a deterministic function of a canvas, a sample id and parameters. It draws from a
counter-based generator keyed by (seed, shift name and parameters, sample id), so its bytes do not depend on
batch size, order, process or subset.

A view is a shift with samples of its own, or with further inputs: it gives a data set, which is shown as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pytest_robust.data import Dataset
    from pytest_robust.spec.plan import DatasetPlan, Geometry, Json, ShiftPlan


class Bits(Protocol):
    """The random bits of one sample: a stateless stream of uint16, the same on every machine."""

    def uint16(self, count: int, *, lane: int = 0) -> NDArray[np.uint16]:
        """The first `count` values of a lane; two lanes are independent, one lane always begins anew."""
        ...


Apply = Callable[..., "NDArray[np.uint8]"]
"""``apply(images, bits, **parameters)``: uint8 (N, H, W, 3) and one `Bits` per image -> uint8 (N, H', W', 3).

The images are C-contiguous. Never changes its input; one image's result never depends on its neighbours in the batch.
"""


@dataclass(frozen=True, slots=True)
class PixelShift:
    """One shift: its name, what it draws and what it does.

    Attributes:
        name: the shift's name within its suite.
        suite: the suite that first defined it.
        version: raised whenever its bytes change.
        source: where the rule comes from (paper, released code), or that it is ours.
        severities: the values that `severity` may take, in rising strength; empty where any number is
            allowed.
        resolve: ``resolve(parameters, height, width)`` -> the concrete numbers for a canvas of that size,
            JSON values only; they key the generator and are recorded. `parameters` holds `severity` and any
            of `options`; ValueError, with a sentence, for what the shift does not take. Empty numbers say
            that the shift is the exact identity (severity 0, multiple 1).
        apply: see `Apply`; called with the resolved numbers, never with empty ones.
        options: what the shift takes beside `severity`, with the defaults.
        changes_size: the shifted canvas has another size and is meant to reach the model so.
    """

    name: str
    suite: str
    version: int
    source: str
    severities: Sequence[int | float]
    resolve: Callable[[Mapping[str, Json], int, int], dict[str, Any]]
    apply: Apply
    options: Mapping[str, Json] = field(default_factory=dict)
    changes_size: bool = False


@dataclass(frozen=True, slots=True)
class ViewInputs:
    """What a view may draw on.

    Attributes:
        shift: the column of the spec.
        geometry: how images become the canvas.
        seed: the spec's seed.
        limit: a smoke run's limit on samples.
        open: opens a data set of the spec, once per process and under the limit.
    """

    shift: ShiftPlan
    geometry: Geometry
    seed: int
    limit: int | None
    open: Callable[[DatasetPlan], Dataset]


@dataclass(frozen=True, slots=True, eq=False)
class Derived:
    """The samples of a view.

    Attributes:
        dataset: what is shown; its images are made anew for every pass and never kept on disk.
        parameters: what a golden must share beside the samples, JSON values only.
        source: whether the images were made by this package or read as others published them.
        kept: the classes that the prediction is chosen from; None for all.
        notes: sentences on the samples that a reader of the result must know.
    """

    dataset: Dataset
    parameters: Mapping[str, Json] = field(default_factory=dict)
    source: Literal["generated", "stored"] = "generated"
    kept: tuple[int, ...] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """One shift that brings samples.

    Attributes:
        name: the shift's name within its suite.
        suite: the suite of the spec entry.
        version: raised whenever its bytes change.
        source: where the rule or the images come from.
        derive: makes the samples; RobustError for what the user must mend.
    """

    name: str
    suite: str
    version: int
    source: str
    derive: Callable[[ViewInputs], Derived]
