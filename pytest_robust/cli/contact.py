"""What a contact sheet shows: single samples of a spec under its shifts, with the bytes that a run measures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING

from pytest_robust.data import open_dataset
from pytest_robust.errors import RobustError
from pytest_robust.registry import default_registry
from pytest_robust.report.sheet import Strip, Tile, thumbnail
from pytest_robust.shifts.streams import make, numbers_of
from pytest_robust.spec.plan import severity_text
from pytest_robust.spec.problems import did_you_mean
from pytest_robust.views.base import ViewInputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pytest_robust.data import Dataset
    from pytest_robust.spec.plan import DatasetPlan, Geometry, Plan, ShiftPlan


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One shift at one severity, for samples one by one.

    Attributes:
        dataset: the images before a pixel shift; those of a view are shown as they are.
    """

    shift: ShiftPlan
    geometry: Geometry
    seed: int
    dataset: Dataset
    is_view: bool

    @property
    def caption(self) -> str:
        """The shift with its severity."""
        name, severity = self.shift.shift, self.shift.severity
        return name if severity is None else f"{name}-{severity_text(severity)}"

    def shifted(self, sample: str) -> NDArray[np.uint8] | None:
        """The shifted canvas of a sample, uint8 (H, W, 3); None where this severity has no such sample.

        Raises:
            RobustError: the image cannot be made; the sentence says why.
        """
        ids = self.dataset.samples.ids
        if sample not in ids:
            return None
        canvas = self.dataset.canvas(ids.index(sample), self.geometry)
        if self.is_view:
            return canvas
        pixel = default_registry().pixel_shift(self.shift.suite, self.shift.shift)
        numbers = numbers_of(pixel, self.shift, *canvas.shape[:2])
        shifted: NDArray[np.uint8] = make(pixel, canvas[None], [sample], self.seed, numbers)[0]
        return shifted


def column_of(
    shift: ShiftPlan, geometry: Geometry, seed: int, opened: Callable[[DatasetPlan], Dataset] = open_dataset
) -> Column:
    """A shift of a spec with its images.

    Args:
        shift: the shift at its severity.
        geometry: of the model.
        seed: of the spec.
        opened: opens data sets.

    Raises:
        RobustError: the images cannot be found.
    """
    view = default_registry().view(shift)
    if view is None:
        return Column(shift, geometry, seed, opened(shift.dataset), False)
    derived = view.derive(ViewInputs(shift, geometry, seed, None, opened))
    return Column(shift, geometry, seed, derived.dataset, True)


class Contact:
    """The strips of a sheet: one per shift and sample, the clean image first where it is the same sample.

    Args:
        plan: the spec.
        geometry: that of the model whose canvases are shown.
        count: samples per shift, the first ones in the order of their ids.
        asked: ids of samples to show in place of the first ones, wherever a shift has them.
        side: of the pictures, in pixels.
    """

    def __init__(self, plan: Plan, geometry: Geometry, count: int, asked: Sequence[str], side: int) -> None:
        self._plan, self._geometry, self._count, self._side = plan, geometry, count, side
        self._asked = dict.fromkeys(asked)
        self._open: Callable[[DatasetPlan], Dataset] = cache(open_dataset)

    def strips(self, shifts: Sequence[ShiftPlan]) -> list[Strip]:
        """The strips of some columns of the spec, in their order.

        Raises:
            RobustError: images are missing or broken, or no shift has a sample that is asked for.
        """
        made: list[Strip] = []
        known: dict[str, None] = {}
        for (entry, name), members in groupby(shifts, key=lambda shift: (shift.entry, shift.shift)):
            row = [self._column(shift) for shift in members]
            known |= dict.fromkeys(row[0].dataset.samples.ids)
            made += self._row(name if entry == name else f"{entry}.{name}", row)
        for sample in self._asked:
            if sample not in known:
                raise RobustError(
                    f"--sample {sample}: no image of these shifts has this id{did_you_mean(sample, known)}"
                )
        return made

    def _column(self, shift: ShiftPlan) -> Column:
        return column_of(shift, self._geometry, self._plan.seed, self._open)

    def _row(self, name: str, row: list[Column]) -> Iterator[Strip]:
        own = row[0].dataset
        samples = [sample for sample in self._asked if sample in own.samples.ids] or own.samples.ids[: self._count]
        clean = self._plan.shifts[0]
        if row[0].shift != clean and row[0].shift.dataset == clean.dataset:
            first = self._column(clean)
            if set(samples) <= set(first.dataset.samples.ids):
                row = [first, *row]
        if len(row) == 1:
            yield self._strip(row[0].shift.label, [(sample, row[0].shifted(sample)) for sample in samples])
            return
        for sample in samples:
            shown = [(column.caption, column.shifted(sample)) for column in row]
            yield self._strip(f"{name}   {sample}, {_class(own, sample)}", shown)

    def _strip(self, title: str, shown: Sequence[tuple[str, NDArray[np.uint8] | None]]) -> Strip:
        """A strip whose title tells the size of its first canvas, and whose captions tell that of others."""
        usual = next(image.shape for _, image in shown if image is not None)
        return Strip(f"{title}   {_size(usual)}", [self._tile(*one, usual) for one in shown])

    def _tile(self, caption: str, image: NDArray[np.uint8] | None, usual: tuple[int, ...]) -> Tile:
        if image is None:
            return Tile(f"{caption}: left out", None)
        told = caption if image.shape == usual else f"{caption}  {_size(image.shape)}"
        return Tile(told, thumbnail(image, self._side))


def _class(dataset: Dataset, sample: str) -> str:
    label = int(dataset.samples.labels[dataset.samples.ids.index(sample)])
    named = dataset.class_names[label] if dataset.class_names else None
    return f"class {label}" if named in (None, str(label)) else f"class {label} {named}"


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"
