"""The test resolution: the same images shown to the same model at several sizes.

After FixRes (Touvron et al. 2019, arXiv 1906.06423), where a network does best at a higher resolution than the one
it was trained at, and after arXiv 2007.08558, which changes the resolution as a part of the preprocessing. The severity
is the side of the canvas in pixels; at the side of the model's own canvas either mode is the exact identity.

| mode | what the model sees |
|---|---|
| geometry | the image under the model's geometry scaled to the size, short side and crop in proportion; fed at it |
| resize | the canvas resized to the size, which the model's preprocessing then brings to its input |

A data set without a `resize`, as small images in arrays mostly are, has no larger picture to scale: there `geometry`
resizes the canvas itself, with the geometry's filter, and feeds it at that size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, Strict

from pytest_robust.data import Dataset, canvas
from pytest_robust.shifts.base import PixelShift
from pytest_robust.shifts.severity import check_options
from pytest_robust.shifts.suites import DISTINCT, LISTED
from pytest_robust.spec.catalog import Suite, Variant
from pytest_robust.spec.plan import Geometry
from pytest_robust.views.base import Derived, View, ViewInputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits
    from pytest_robust.spec.plan import Json

VERSION = 1
LARGEST = 4096
"""The largest side in pixels."""


def resize(images: NDArray[np.uint8], bits: Sequence[Bits], size: int) -> NDArray[np.uint8]:
    """Resize the short side to `size` pixels; the model's preprocessing does the rest."""
    # gives an empty batch its size
    blank = np.zeros(images.shape[1:], np.uint8)
    return np.stack([canvas(image, Geometry(resize=size), "a canvas") for image in (*images, blank)])[:-1]


def _resolve(parameters: Mapping[str, Json], height: int, width: int) -> dict[str, Any]:
    check_options("resize", parameters, {})
    size = parameters.get("severity")
    if isinstance(size, float) and size.is_integer():
        size = int(size)
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= LARGEST:
        raise ValueError(f"resize takes a whole number of pixels from 1 to {LARGEST} as its severity, not {size!r}")
    return {} if size == min(height, width) else {"size": size}


@dataclass(frozen=True, eq=False)
class SizedDataset(Dataset):
    """The images of a data set on canvases of another size."""

    inner: Dataset
    size: int

    def image(self, index: int) -> NDArray[np.uint8]:
        """The same image; see `Dataset.image`."""
        return self.inner.image(index)

    def canvas(self, index: int, geometry: Geometry) -> NDArray[np.uint8]:
        """The canvas under the geometry scaled to the size; see `Dataset.canvas`."""
        if geometry.resize is None:
            own = self.inner.canvas(index, geometry)
            return canvas(own, replace(geometry, resize=self.size, crop=None), self.samples.ids[index])
        return self.inner.canvas(index, scaled(geometry, self.size))


def scaled(geometry: Geometry, size: int) -> Geometry:
    """A geometry with a `resize`, in proportion: its crop, or without one its short side, becomes `size` pixels."""
    if geometry.resize is None or geometry.crop is None:
        return replace(geometry, resize=size)
    return replace(geometry, resize=round(geometry.resize * size / geometry.crop), crop=size)


def _derive(inputs: ViewInputs) -> Derived:
    inner, geometry = inputs.open(inputs.shift.dataset), inputs.geometry
    size: Any = inputs.shift.parameters["severity"]
    own = geometry.crop or geometry.resize or min(inner.canvas(0, geometry).shape[:2])
    if size == own:
        return Derived(inner)
    sized = SizedDataset(
        inner.samples, inner.classes, inner.class_names, inner, size, groups=inner.groups, notes=inner.notes
    )
    return Derived(sized, {"size": size})


_Sizes = Annotated[tuple[Annotated[int, Strict(), Field(ge=1, le=LARGEST)], ...], DISTINCT, LISTED]


class ResolutionOptions(BaseModel):
    """What an entry ``{suite: resolution}`` takes."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    sizes: _Sizes = Field(
        (128, 160, 224, 288),
        description="Sides of the canvas in pixels; that of the model's own canvas changes nothing.",
    )
    mode: Literal["geometry", "resize"] = Field(
        "geometry",
        description="geometry: scale the model's geometry and feed that size, to models with a free height and width. "
        "resize: resize the canvas, then preprocess it as ever.",
    )


def _expand(entry: ResolutionOptions) -> list[Variant]:
    fed = entry.mode == "geometry"
    return [Variant(entry.mode, size, VERSION, {"severity": size}, fed) for size in sorted(entry.sizes)]


_SOURCE = "the test resolution of FixRes (arXiv 1906.06423) and of arXiv 2007.08558; resized by Pillow on uint8"
SHIFTS = (PixelShift("resize", "resolution", VERSION, f"{_SOURCE}, bilinear, antialiased", (), _resolve, resize),)
VIEWS = (
    View(
        "geometry",
        "resolution",
        VERSION,
        f"{_SOURCE} with the filter of the model's geometry",
        _derive,
        "ask for it in a spec by {suite: resolution, sizes: [...]}, or resize the canvas by apply_shift(..., 'resize')",
    ),
)
SUITES = (Suite("resolution", ResolutionOptions, _expand),)
