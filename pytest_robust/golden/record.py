"""What a golden holds: per device class one recording, per recording its cells.

The values here are what `store.read` returns and `store.write` takes; how they lie on disk is the business of
`document` and `arrays`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from pytest_robust.measurement import Measurement, Samples


@dataclass(frozen=True, slots=True)
class Origin:
    """The circumstances of a measurement, as far as a reader of the golden wants to know them.

    `options` are the settings and library versions of `Provenance.options`, `date` is ISO (YYYY-MM-DD).
    """

    onnxruntime: str
    providers: tuple[str, ...]
    options: Mapping[str, str | int]
    geometry: str
    preprocess: str
    date: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class GoldenCell:
    """One stored measurement.

    Attributes:
        samples: the samples that `predicted` follows.
        predicted: predicted class per sample, uint16, shape (n,).
        correct: how many predictions equal the true label.
        parameters: the shift's parameters, as JSON gives them back.
        canvas_digest: sha256 over the first 32 shifted canvases.
        origin: where the cell was measured; mostly that of its recording.
    """

    samples: Samples
    predicted: NDArray[np.uint16]
    correct: int
    shift_version: int
    canvas_digest: str
    parameters: Mapping[str, Any]
    origin: Origin
    source: Literal["generated", "stored"] = "generated"

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.predicted)

    @property
    def accuracy(self) -> float:
        """Share of correct predictions in [0, 1]; 0 for no samples."""
        return self.correct / self.n if self.n else 0.0

    def same_as(self, other: GoldenCell) -> bool:
        """Whether both say the same of the model, whenever and by whichever runtime they were measured."""
        return (
            self.samples.digest == other.samples.digest
            and self.predicted.tobytes() == other.predicted.tobytes()
            and self.shift_version == other.shift_version
            and self.canvas_digest == other.canvas_digest
            and self.parameters == other.parameters
            and self.source == other.source
            and self.origin.geometry == other.origin.geometry
            and self.origin.preprocess == other.origin.preprocess
        )


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """The cells of one model file on one device class.

    `origin` and `samples` (a digest) are what most cells share; every cell carries its own in full.
    """

    device_class: str
    model_sha256: str
    origin: Origin
    samples: str
    cells: Mapping[str, GoldenCell]


@dataclass(frozen=True, slots=True, eq=False)
class GoldenFile:
    """The golden of one model of one spec, see `same_spec`. `recordings` is keyed by device class."""

    spec: str
    model: str
    recordings: Mapping[str, Recording] = field(default_factory=dict)


def same_spec(one: str, other: str) -> bool:
    """Whether two names that goldens give to a spec are those of one file.

    A name that begins with ``..`` is the path from the golden folder; two of them are equal or of two specs. Any other
    one (a file's name alone, or the path from the root folder of the run that recorded it) need only agree as far as
    both go, from the end.
    """
    if one.startswith("../") and other.startswith("../"):
        return one == other
    parts = [[part for part in name.split("/") if part != ".."] for name in (one, other)]
    common = min(map(len, parts))
    return parts[0][-common:] == parts[1][-common:]


def plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as they come back from JSON, so that measured and stored ones can be compared."""
    made: dict[str, Any] = json.loads(json.dumps(dict(parameters)))
    return made


def cell_of(measurement: Measurement, samples: Samples, *, date: str, reason: str | None) -> GoldenCell:
    """The golden cell that a measurement becomes."""
    made = measurement.provenance
    origin = Origin(
        onnxruntime=made.onnxruntime,
        providers=made.providers,
        options=dict(made.options),
        geometry=made.geometry,
        preprocess=made.preprocess,
        date=date,
        reason=reason,
    )
    return GoldenCell(
        samples=samples,
        predicted=measurement.predicted,
        correct=measurement.correct,
        shift_version=measurement.shift_version,
        canvas_digest=measurement.canvas_digest,
        parameters=plain(measurement.parameters),
        origin=origin,
        source=measurement.source,
    )
