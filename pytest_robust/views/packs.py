"""Packs of crafted images: what an attack on one model made of a data set. `pack_files` writes and reads them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.data.mapped import Images
from pytest_robust.metrics.distortion import NORMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_robust.spec.plan import Json

FORMAT = 1
CANVASES = "canvases"
_OPTIONAL = "targets"


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """The images that an attack made; arrays over all n samples, or over the m attacked ones in their order.

    Attributes:
        ids: of the samples, sorted.
        labels: true classes, uint16 (n,).
        tried: which samples were attacked, bool (n,).
        success: which of them turned the source, confirmed by ONNX Runtime, bool (n,).
        canvases: the attacked ones, m images of (H, W, 3), which may lie in a file.
        clean: sha256 of the clean canvas of each, uint8 (m, 32).
        distortions: by norm of `NORMS`, pixels counting from 0 to 1, NaN without success, float32 (n,).
        queries: how often each sample was shown to the source, uint32 (n,).
        targets: the class that each was to be taken for, uint16 (n,); None where any wrong one would do.
        parameters: of the attack, with the seed of the spec.
        source: name of the attacked model.
        source_sha256: its digest.
        source_reading: one digest of how canvases become its classes: geometry, preprocess and output.
        jointly: one digest of the models that had to have a sample right for it to be attacked; empty where the
            source's word sufficed.
        notes: sentences that a reader of a result must know.
    """

    ids: tuple[str, ...]
    labels: NDArray[np.uint16]
    tried: NDArray[np.bool_]
    success: NDArray[np.bool_]
    canvases: Images
    clean: NDArray[np.uint8]
    distortions: Mapping[str, NDArray[np.float32]]
    queries: NDArray[np.uint32]
    targets: NDArray[np.uint16] | None
    parameters: Mapping[str, Json]
    source: str
    source_sha256: str
    source_reading: str = ""
    jointly: str = ""
    notes: tuple[str, ...] = ()

    def rows(self, positions: Sequence[int] | NDArray[np.intp]) -> Pack:
        """The samples at some positions, in that order; no image is read for it."""
        at = np.asarray(positions, np.intp)
        place = np.cumsum(self.tried) - 1
        attacked = place[at[self.tried[at]]]
        return Pack(
            tuple(self.ids[i] for i in at.tolist()),
            self.labels[at],
            self.tried[at],
            self.success[at],
            self.canvases.some(attacked),
            self.clean[attacked],
            {norm: values[at] for norm, values in self.distortions.items()},
            self.queries[at],
            None if self.targets is None else self.targets[at],
            self.parameters,
            self.source,
            self.source_sha256,
            self.source_reading,
            self.jointly,
            self.notes,
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All but the images as arrays by name; equal packs give equal ones."""
        about = {
            "format": FORMAT,
            "parameters": dict(self.parameters),
            "source": self.source,
            "source_sha256": self.source_sha256,
            "source_reading": self.source_reading,
            "jointly": self.jointly,
            "notes": list(self.notes),
        }
        made: dict[str, NDArray[Any]] = {
            "about": np.array(json.dumps(about, sort_keys=True)),
            "ids": np.array(self.ids),
            **{f"distortion_{norm}": values for norm, values in self.distortions.items()},
        }
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                made[field.name] = value
        return made

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Pack:
        """Rebuild a pack from its `arrays` and its images as the array `CANVASES`.

        Raises:
            ValueError: one is not there, or they do not fit each other.
        """
        about = json.loads(str(_named(arrays, "about")))
        if not isinstance(about, dict) or about.get("format") != FORMAT:
            found = about.get("format") if isinstance(about, dict) else None
            raise ValueError(f"format {found} where this pytest-robust reads {FORMAT}")
        if not isinstance(about.get("parameters"), dict) or not isinstance(about.get("notes"), list):
            raise ValueError("it does not say by what parameters it was made")
        canvases = _named(arrays, CANVASES)
        if canvases.ndim != 4 or canvases.dtype != np.uint8:
            raise ValueError("its images are no uint8 array of images")
        made = cls(
            tuple(str(one) for one in _named(arrays, "ids")),
            _named(arrays, "labels").astype(np.uint16),
            _named(arrays, "tried").astype(np.bool_),
            _named(arrays, "success").astype(np.bool_),
            Images.of(canvases),
            _named(arrays, "clean"),
            {norm: _named(arrays, f"distortion_{norm}").astype(np.float32) for norm in NORMS},
            _named(arrays, "queries").astype(np.uint32),
            arrays[_OPTIONAL].astype(np.uint16) if _OPTIONAL in arrays else None,
            about["parameters"],
            **{name: str(about.get(name, "")) for name in ("source", "source_sha256", "source_reading", "jointly")},
            notes=tuple(str(note) for note in about["notes"]),
        )
        made.check()
        return made

    def check(self) -> None:
        """Raise ValueError unless the arrays fit each other."""
        count, attacked = len(self.ids), int(np.count_nonzero(self.tried))
        whole = [self.labels, self.tried, self.success, self.queries, *self.distortions.values()]
        whole += [] if self.targets is None else [self.targets]
        if any(one.shape != (count,) for one in whole) or np.any(self.success & ~self.tried):
            raise ValueError("its arrays do not fit each other")
        if not all(np.all(values[self.success] >= 0) for values in self.distortions.values()):
            raise ValueError("it gives no distortion of an image that turned the source")
        if len(set(self.ids)) < count:
            raise ValueError("its samples do not have an id each")
        if len(self.canvases) != attacked:
            raise ValueError(f"its images are {len(self.canvases)} for {attacked} attacked samples")
        if self.clean.shape != (attacked, 32) or self.clean.dtype != np.uint8:
            raise ValueError("its digests do not fit its images")


def canvas_sha256(canvas: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The digest of one canvas, uint8 (32,)."""
    return np.frombuffer(hashlib.sha256(np.ascontiguousarray(canvas).tobytes()).digest(), np.uint8)


def _named(arrays: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    if name not in arrays:
        raise ValueError(f"it has no array {name!r}")
    return arrays[name]
