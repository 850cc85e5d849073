"""Fourier filters after DynTTA (arXiv 2212.04681), and a single sine wave after Yin et al. 2019 (arXiv 1906.08988)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, Strict

from pytest_robust.shifts.base import PixelShift
from pytest_robust.shifts.on_device import twin
from pytest_robust.shifts.pixels import each
from pytest_robust.shifts.severity import check_options
from pytest_robust.shifts.spectrum import canvas, disk, filtered, planes
from pytest_robust.shifts.suites import DISTINCT, LISTED
from pytest_robust.shifts.waves import TURN, sine
from pytest_robust.spec.catalog import Suite, Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits
    from pytest_robust.spec.plan import Json


def low_pass(images: NDArray[np.uint8], bits: Sequence[Bits], radius: float) -> NDArray[np.uint8]:
    """Keep the frequencies within `radius` times the distance of the spectrum's corner, channel by channel."""
    mask = disk(*images.shape[1:3], radius)
    return each(images, lambda image: canvas(filtered(planes(image), mask)))


def high_pass(images: NDArray[np.uint8], bits: Sequence[Bits], radius: float) -> NDArray[np.uint8]:
    """Remove those frequencies instead, the mean with them: what is darker than its surroundings clips to 0."""
    mask = disk(*images.shape[1:3], radius)

    def rule(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        levels = planes(image)
        levels -= filtered(levels, mask)
        return canvas(levels)

    return each(images, rule)


def single_frequency(
    images: NDArray[np.uint8], bits: Sequence[Bits], amplitude: float, frequency: Sequence[int]
) -> NDArray[np.uint8]:
    """Add a sine wave of this peak, rounded to whole levels; each channel of each image draws its phase.

    `frequency` counts cycles over the canvas, down and to the right. One beyond half a side is seen as its alias.
    """
    height, width = images.shape[1:3]
    steps = [
        (TURN * cycles * np.arange(side, dtype=np.int64) // side).astype(np.uint16)
        for cycles, side in zip(frequency, (height, width), strict=True)
    ]
    plane = steps[0][:, None] + steps[1]
    wave = sine_levels(amplitude)
    out = np.empty(images.shape, np.uint8)
    for target, image, one in zip(out, images, bits, strict=True):
        for channel, phase in enumerate(one.uint16(3)):
            shifted = image[..., channel] + wave.take(plane + phase)
            target[..., channel] = np.clip(shifted, 0, 255, out=shifted)
    return out


@lru_cache(maxsize=16)
def sine_levels(amplitude: float) -> NDArray[np.int16]:
    """Angle -> whole grey levels of a sine of this peak, (65536,)."""
    return np.rint(sine() * (255 * amplitude)).astype(np.int16)


def _shift(
    rule: Callable[..., NDArray[np.uint8]],
    key: str,
    identity: float,
    source: str,
    options: Mapping[str, Json] | None = None,
) -> PixelShift:
    name: str = rule.__name__
    options = options or {}

    def resolve(parameters: Mapping[str, Json], height: int, width: int) -> dict[str, Any]:
        check_options(name, parameters, options)
        value = parameters.get("severity")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValueError(f"{name} takes a number from 0 to 1 as its severity, the {key}, not {value!r}")
        if value == 0 and identity != 0:
            raise ValueError(f"{name} takes a {key} above 0; {identity:g} changes nothing")
        rest: dict[str, Any] = {option: parameters.get(option, default) for option, default in options.items()}
        if "frequency" in rest:
            rest["frequency"] = _frequency(name, rest["frequency"])
        return {} if value == identity else {key: float(value), **rest}

    sibling = twin(__name__, name)
    return PixelShift(name, "fourier", 1, source, (), resolve, rule, options, device_apply=sibling)


def _frequency(name: str, pair: object) -> list[int]:
    if isinstance(pair, list | tuple) and len(pair) == 2:
        found = [one for one in pair if isinstance(one, int) and not isinstance(one, bool) and abs(one) <= _MOST]
        if len(found) == 2:
            return found
    raise ValueError(f"{name} takes two whole numbers of cycles, down and right, as frequency, not {pair!r}")


_MOST = 1 << 16
_DYNTTA = "DynTTA (arXiv 2212.04681); float64 transform, rounded to the nearest grey level"
_YIN = "after Yin et al. 2019 (arXiv 1906.08988); the severity is the wave's peak, not its L2 norm"
_DEFAULT: list[Json] = [8, 8]

SHIFTS = (
    _shift(low_pass, "radius", 1, _DYNTTA),
    _shift(high_pass, "radius", 0, _DYNTTA),
    _shift(single_frequency, "amplitude", 0, _YIN, {"frequency": _DEFAULT}),
)

_Number = Annotated[float, Strict(), Field(ge=0, le=1)]
_Numbers = Annotated[tuple[_Number, ...], DISTINCT, LISTED]
_Positive = Annotated[tuple[Annotated[float, Strict(), Field(gt=0, le=1)], ...], DISTINCT, LISTED]
_Cycles = Annotated[int, Strict(), Field(ge=-_MOST, le=_MOST)]


class FourierOptions(BaseModel):
    """What an entry ``{suite: fourier}`` takes; naming one of the shifts leaves the others out."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    low_pass: _Positive = Field(
        (0.5, 0.25, 0.1), description="Radii: what is kept, as a share of the spectrum's corner; 1 changes nothing."
    )
    high_pass: _Numbers = Field((0.02, 0.05, 0.1), description="Radii: what is removed; 0 changes nothing.")
    single_frequency: _Numbers = Field((0.05, 0.1, 0.2), description="Peaks of an added sine wave, white being 1.")
    frequency: tuple[_Cycles, _Cycles] = Field(
        (8, 8), description="Cycles of the sine wave over the canvas, down and to the right."
    )


def _expand(entry: FourierOptions) -> list[Variant]:
    asked = entry.model_fields_set & {shift.name for shift in SHIFTS}
    if "frequency" in entry.model_fields_set and asked and "single_frequency" not in asked:
        raise ValueError("frequency is that of single_frequency, which is not asked for")
    variants = []
    for shift in SHIFTS:
        if asked and shift.name not in asked:
            continue
        options: dict[str, Any] = {"frequency": list(entry.frequency)} if shift.options else {}
        # the smaller the disk that is kept, the stronger
        for severity in sorted(getattr(entry, shift.name), reverse=shift.name == "low_pass"):
            number = int(severity) if severity.is_integer() else severity
            variants.append(Variant(shift.name, number, shift.version, {"severity": number, **options}))
    return variants


SUITES = (Suite("fourier", FourierOptions, _expand),)
