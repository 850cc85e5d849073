"""The fingerprint of a model as a shift: is the file that is measured still the model that the fingerprint was made of?

The samples are the images that `pytest-robust fingerprint` made, and their labels what the owner takes them for, so
that the accuracy of the case is the share that the measured model answers as the owner does: its match rate. The
images reach every model as they are, past geometry and resize.

The file is an npz without pickles: ``x`` uint8 (N, H, W, 3), ``y`` uint16 (N,), and single values ``format``, ``kind``
(of `KINDS`), ``parameters`` (JSON), ``sha256`` (of the owner) and ``tried`` (how many images it took to make these).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from pytest_robust.data import Dataset
from pytest_robust.data.names import existing_file
from pytest_robust.data.npz import read_arrays
from pytest_robust.errors import RobustError
from pytest_robust.spec.catalog import Suite, Variant
from pytest_robust.spec.shifts import FINGERPRINT
from pytest_robust.spec.types import Text  # noqa: TC001 - pydantic reads it
from pytest_robust.views.base import Derived, View, ViewInputs

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pytest_robust.spec.plan import Geometry

FORMAT = 1
VERSION = 1
KINDS = ("vanilla", "rc", "ltrc")
"""The kinds that `pytest-robust fingerprint` makes."""


class FingerprintOptions(BaseModel):
    """What an entry ``{suite: fingerprint}`` takes."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    path: Text = Field(
        description="The .npz that `pytest-robust fingerprint` wrote, relative to this file. ${NAME} is filled in from"
        " the environment when the run starts."
    )


@dataclass(frozen=True, eq=False)
class Unresized(Dataset):
    """The images of a data set, which are canvases already."""

    inner: Dataset

    def image(self, index: int) -> NDArray[np.uint8]:
        """The same image; see `Dataset.image`."""
        return self.inner.image(index)

    def canvas(self, index: int, geometry: Geometry) -> NDArray[np.uint8]:
        """The image itself; see `Dataset.canvas`."""
        return self.inner.image(index)


def _derive(inputs: ViewInputs) -> Derived:
    plan = inputs.shift.dataset
    file = existing_file(plan, "path")
    try:
        kind, inner = _kind(file), inputs.open(plan)
    except RobustError as error:
        raise RobustError(f"{inputs.shift.mark}: {error}") from error
    return Derived(Unresized(inner.samples, inner.classes, inner.class_names, inner), {"kind": kind}, "stored")


def _kind(file: Path) -> str:
    """The kind of a fingerprint, all of whose arrays can be read.

    Raises:
        RobustError: the file is damaged, another npz, or of a later version.
    """
    remedy = f"make one with pytest-robust fingerprint MODEL --out {file.name}"
    format_, kind, _, _ = read_arrays(file, ("format", "kind", "x", "y"), remedy)
    if format_.ndim or format_.dtype.kind not in "iu" or kind.ndim or kind.dtype.kind != "U":
        raise RobustError(f"{file} is no fingerprint: {remedy}")
    if format_ != FORMAT:
        raise RobustError(
            f"{file} is a fingerprint of format {format_}, and this pytest-robust reads format {FORMAT}: make it anew, "
            "or upgrade"
        )
    if str(kind) not in KINDS:
        raise RobustError(f"{file} is a fingerprint of the kind {str(kind)!r}, not of {', '.join(KINDS)}: {remedy}")
    return str(kind)


SOURCE = "characteristic examples of the user's own model, after arXiv 2105.07078"
VIEWS = (
    View(
        "match",
        FINGERPRINT,
        VERSION,
        SOURCE,
        _derive,
        "make one with pytest-robust fingerprint and ask for it in a spec by {suite: fingerprint, path: PATH}",
    ),
)
SUITES = (Suite(FINGERPRINT, FingerprintOptions, lambda entry: [Variant("match", None, VERSION, changes_size=True)]),)
