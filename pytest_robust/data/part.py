"""A part of a data set as a data set of its own, for the machine that measures that part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_robust.data.dataset import Dataset
from pytest_robust.measurement import Samples

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pytest_robust.spec.plan import Geometry


@dataclass(frozen=True, eq=False)
class Part(Dataset):
    """The samples of a data set at some positions, which lie side by side; groups and notes stay with the whole."""

    whole: Dataset
    positions: range

    def image(self, index: int) -> NDArray[np.uint8]:
        """See `Dataset.image`."""
        return self.whole.image(self.positions[index])

    def canvas(self, index: int, geometry: Geometry) -> NDArray[np.uint8]:
        """See `Dataset.canvas`."""
        return self.whole.canvas(self.positions[index], geometry)


def part_of(whole: Dataset, positions: range | None) -> Dataset:
    """The samples at some positions side by side; the data set itself where these are all, or None."""
    if positions is None or len(positions) == len(whole.samples.ids):
        return whole
    start, stop = positions.start, positions.stop
    samples = Samples(
        whole.samples.ids[start:stop], whole.samples.labels[start:stop], f"{whole.samples.digest}[{start}:{stop}]"
    )
    return Part(samples, whole.classes, whole.class_names, whole, positions)
