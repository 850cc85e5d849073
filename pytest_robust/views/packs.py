"""Packs of crafted images: what an attack on one model made of a data set, in one npz whose bytes follow from it."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.errors import RobustError, shown
from pytest_robust.golden.arrays import pack as packed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_robust.spec.plan import Json

FORMAT = 1
NORMS = ("l0", "l1", "l2", "linf")
_OPTIONAL = "targets"


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """The images that an attack made; arrays over all n samples, or over the m attacked ones in their order.

    Attributes:
        ids: of the samples, sorted.
        labels: true classes, uint16 (n,).
        tried: which samples were attacked, bool (n,).
        success: which of them turned the source, confirmed by ONNX Runtime, bool (n,).
        canvases: the attacked ones, uint8 (m, H, W, 3).
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
    canvases: NDArray[np.uint8]
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
        """The samples at some positions, in that order."""
        at = np.asarray(positions, np.intp)
        place = np.cumsum(self.tried) - 1
        attacked = place[at[self.tried[at]]]
        return Pack(
            tuple(self.ids[i] for i in at.tolist()),
            self.labels[at],
            self.tried[at],
            self.success[at],
            self.canvases[attacked],
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

    def to_bytes(self) -> bytes:
        """The pack as an npz that `numpy.load` opens; equal packs give equal bytes."""
        about = {
            "format": FORMAT,
            "parameters": dict(self.parameters),
            "source": self.source,
            "source_sha256": self.source_sha256,
            "source_reading": self.source_reading,
            "jointly": self.jointly,
            "notes": list(self.notes),
        }
        arrays: dict[str, NDArray[Any]] = {
            "about": np.array(json.dumps(about, sort_keys=True)),
            "ids": np.array(self.ids),
            **{f"distortion_{norm}": values for norm, values in self.distortions.items()},
        }
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                arrays[field.name] = value
        return packed(arrays)

    @classmethod
    def from_bytes(cls, content: bytes) -> Pack:
        """Rebuild what `to_bytes` made. No array is ever unpickled.

        Raises:
            ValueError: it is no pack, or a damaged one.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            about = json.loads(str(arrays["about"]))
            if about["format"] != FORMAT:
                raise ValueError(f"format {about['format']} where this pytest-robust reads {FORMAT}")
            made = cls(
                tuple(str(one) for one in arrays["ids"]),
                arrays["labels"].astype(np.uint16),
                arrays["tried"].astype(np.bool_),
                arrays["success"].astype(np.bool_),
                arrays["canvases"],
                arrays["clean"],
                {norm: arrays[f"distortion_{norm}"].astype(np.float32) for norm in NORMS},
                arrays["queries"].astype(np.uint32),
                arrays[_OPTIONAL].astype(np.uint16) if _OPTIONAL in arrays else None,
                about["parameters"],
                str(about["source"]),
                str(about["source_sha256"]),
                str(about["source_reading"]),
                str(about["jointly"]),
                tuple(about["notes"]),
            )
        # zipfile and numpy answer damage with a dozen kinds of exception
        except Exception as error:
            raise ValueError(f"{error}") from error
        made.check()
        return made

    def check(self) -> None:
        """Raise ValueError unless the arrays fit each other."""
        count, attacked = len(self.ids), int(np.count_nonzero(self.tried))
        whole = [self.labels, self.tried, self.success, self.queries, *self.distortions.values()]
        whole += [] if self.targets is None else [self.targets]
        if any(one.shape != (count,) for one in whole) or np.any(self.success & ~self.tried):
            raise ValueError("its arrays do not fit each other")
        if self.canvases.shape[:1] != (attacked,) or self.canvases.ndim != 4 or self.canvases.dtype != np.uint8:
            raise ValueError("its images are no uint8 array of the attacked samples")
        if self.clean.shape != (attacked, 32):
            raise ValueError("its digests do not fit its images")


def read_pack(path: Path) -> tuple[Pack, str]:
    """A pack from a file, and the sha256 of that.

    Raises:
        RobustError: the file is missing, cannot be read, or is no sound pack.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise RobustError(f"the pack {shown(path)} does not exist; make it by pytest-robust craft") from None
    except OSError as error:
        raise RobustError(f"the pack {shown(path)} cannot be read ({error.strerror}); check its permissions") from error
    if content.startswith(b"version https://git-lfs"):
        raise RobustError(f"the pack {shown(path)} is only a Git LFS pointer; fetch the file with `git lfs pull`")
    try:
        return Pack.from_bytes(content), hashlib.sha256(content).hexdigest()
    except ValueError as error:
        raise RobustError(
            f"{shown(path)} is no pack of crafted images, or a damaged one ({error}); make it by pytest-robust craft"
        ) from error


def canvas_sha256(canvas: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The digest of one canvas, uint8 (32,)."""
    return np.frombuffer(hashlib.sha256(np.ascontiguousarray(canvas).tobytes()).digest(), np.uint8)
