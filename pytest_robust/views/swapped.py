"""Amplitude of one image, phase of another: each sample mixed with a partner of the same data set.

After amplitude-phase recombination (arXiv 2108.08487). The label of a mixed image is that of the image whose phase it
has: the sample's own in `amplitude_swap`, the partner's in `phase_swap`. The partner is drawn by the spec's seed from
all other samples, so the other label can always be found again, and `pytest_robust.metrics.phase` compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from pytest_robust.data import Dataset
from pytest_robust.errors import RobustError
from pytest_robust.measurement import Samples, digest_of
from pytest_robust.shifts import fourier
from pytest_robust.shifts.suites import DISTINCT, LISTED
from pytest_robust.shifts.swaps import Axes, amplitude_swap, partner_of, phase_swap
from pytest_robust.spec.catalog import Suite, Variant
from pytest_robust.spec.types import Given  # noqa: TC001 - pydantic reads it
from pytest_robust.views.base import Derived, View, ViewInputs

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from pytest_robust.spec.plan import Geometry

VERSION = 1
_RULES: dict[str, Callable[..., Any]] = {"amplitude_swap": amplitude_swap, "phase_swap": phase_swap}


@dataclass(frozen=True, eq=False)
class SwappedDataset(Dataset):
    """Every image mixed with its partner's, on the canvas.

    Attributes:
        amplitude_labels: class of the image that gave most of the amplitude, uint16, shape (n,).
    """

    inner: Dataset
    partners: NDArray[np.intp]
    rule: Callable[..., Any]
    alpha: float
    axes: Axes
    amplitude_labels: NDArray[np.uint16]

    def image(self, index: int) -> NDArray[np.uint8]:
        """The sample's own image, unmixed; see `Dataset.image`."""
        return self.inner.image(index)

    def canvas(self, index: int, geometry: Geometry) -> NDArray[np.uint8]:
        """The mixed canvas; see `Dataset.canvas`.

        Raises:
            RobustError: the two canvases differ in size.
        """
        partner = int(self.partners[index])
        own, other = (self.inner.canvas(position, geometry) for position in (index, partner))
        if own.shape != other.shape:
            ids = self.samples.ids
            raise RobustError(
                f"{ids[index]} and its partner {ids[partner]} differ in size, {own.shape[1]}x{own.shape[0]} and "
                f"{other.shape[1]}x{other.shape[0]} pixels; give the data set a geometry with a crop"
            )
        mixed: NDArray[np.uint8] = self.rule(own, other, self.alpha, self.axes)
        return mixed


def _derive(inputs: ViewInputs) -> Derived:
    shift, parameters = inputs.shift, inputs.shift.parameters
    base = inputs.open(shift.dataset)
    samples, axes = base.samples, parameters["axes"]
    if len(samples.ids) < 2:
        raise RobustError(f"{shift.mark}: {shift.label} needs two samples or more, and there is one; raise the limit")
    partners = partner_of(inputs.seed, samples.ids)
    own, other = samples.labels, samples.labels[partners]
    if shift.shift == "phase_swap":
        own, other = other, own
        samples = Samples(samples.ids, own, digest_of([samples.digest.encode(), own.astype("<u2").tobytes()]))
    alpha: Any = parameters["severity"]
    dataset = SwappedDataset(
        samples,
        base.classes,
        base.class_names,
        base,
        partners,
        _RULES[shift.shift],
        float(alpha),
        "hw" if axes == "hw" else "chw",
        other,
        groups=base.groups,
        notes=base.notes,
    )
    return Derived(dataset, {"alpha": alpha, "axes": axes})


class FourierOptions(fourier.FourierOptions):
    """What an entry ``{suite: fourier}`` takes; naming one of the shifts leaves the others out."""

    amplitude_swap: Given[Annotated[list[Annotated[float, Field(gt=0, le=1)]], DISTINCT, LISTED]] = Field(
        default=None,
        description="Shares of the amplitude spectrum that come from another sample, 1 being all of it; the label is"
        " the sample's own. Only made if named.",
    )
    phase_swap: Given[Annotated[list[Annotated[float, Field(gt=0.5, le=1)]], DISTINCT, LISTED]] = Field(
        default=None,
        description="Shares of the phase that come from another sample, above 0.5; the label is the other sample's."
        " Only made if named.",
    )
    axes: Axes = Field(
        default="chw", description="Axes of the swaps' transform: chw, colours too, or hw, each colour by itself."
    )


def _expand(entry: FourierOptions) -> list[Variant]:
    (pixels,) = fourier.SUITES
    swaps = entry.model_fields_set & {*_RULES}
    if "axes" in entry.model_fields_set and not swaps:
        raise ValueError("axes is that of amplitude_swap and phase_swap, neither of which is asked for")
    shifts = {shift.name for shift in fourier.SHIFTS}
    variants = [] if swaps and not entry.model_fields_set & {*shifts, "frequency"} else list(pixels.expand(entry))
    for name in _RULES:
        for alpha in sorted(getattr(entry, name) or ()):
            number = int(alpha) if float(alpha).is_integer() else alpha
            variants.append(Variant(name, number, VERSION, {"severity": number, "axes": entry.axes}))
    return variants


_SOURCE = "amplitude-phase recombination (arXiv 2108.08487); real part, rounded to the nearest level, then clipped"
VIEWS = tuple(
    View(
        name,
        "fourier",
        VERSION,
        _SOURCE,
        _derive,
        f"ask for it in a spec by {{suite: fourier, {name}: [1]}}, or mix two images by "
        f"pytest_robust.shifts.swaps.{name}(image, partner)",
        options={"axes": "chw"},
    )
    for name in _RULES
)
SUITES = (Suite("fourier", FourierOptions, _expand),)
