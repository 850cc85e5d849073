"""Scaling by multiples: the whole image, or what is seen of it, at another size.

After ImageNet-CS (arXiv 2209.02132), which publishes neither its multiples nor its way back to the network's
input; both are therefore fields of the spec. The severity of a scaling is its multiple m, its strength
``|log2 m|``; multiple 1 is the exact identity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict

from pytest_robust.shifts.base import PixelShift
from pytest_robust.shifts.on_device import twin
from pytest_robust.shifts.severity import check_options
from pytest_robust.shifts.suites import DISTINCT, LISTED
from pytest_robust.spec.catalog import Suite, Variant
from pytest_robust.spec.types import Count, Given  # noqa: TC001 - pydantic reads them

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits
    from pytest_robust.spec.plan import Json

Mode = Literal["down_up", "zoom_crop", "shrink_pad", "feed_scaled"]
Pad = Literal["constant", "reflect", "edge"]
Interpolation = Literal["bilinear", "bicubic", "nearest"]

LARGEST = 16
"""The largest multiple: 224 pixels become 3,584."""


def down_up(images: NDArray[np.uint8], bits: Sequence[Bits], multiple: float, interpolation: str) -> NDArray[np.uint8]:
    """Resize by the multiple, then back: the framing stays, detail is lost."""
    height, width = images.shape[1:3]
    return _resized(_resized(images, *scaled((height, width), multiple), interpolation), height, width, interpolation)


def zoom_crop(
    images: NDArray[np.uint8], bits: Sequence[Bits], multiple: float, interpolation: str
) -> NDArray[np.uint8]:
    """Enlarge, multiple above 1, and keep the centre."""
    height, width = images.shape[1:3]
    large = _resized(images, *scaled(images.shape[1:3], multiple), interpolation)
    top, left = (large.shape[1] - height) // 2, (large.shape[2] - width) // 2
    return large[:, top : top + height, left : left + width].copy()


def shrink_pad(
    images: NDArray[np.uint8], bits: Sequence[Bits], multiple: float, interpolation: str, pad: Pad, fill: int
) -> NDArray[np.uint8]:
    """Shrink, multiple below 1, and pad around the centre; `fill` is the grey level of constant padding."""
    height, width = images.shape[1:3]
    small = _resized(images, *scaled(images.shape[1:3], multiple), interpolation)
    top, left = (height - small.shape[1]) // 2, (width - small.shape[2]) // 2
    around = ((0, 0), (top, height - small.shape[1] - top), (left, width - small.shape[2] - left), (0, 0))
    if pad == "constant":
        return np.pad(small, around, constant_values=fill)
    return np.pad(small, around, mode=pad)


def feed_scaled(
    images: NDArray[np.uint8], bits: Sequence[Bits], multiple: float, interpolation: str
) -> NDArray[np.uint8]:
    """Resize by the multiple, and let the model see that size."""
    return _resized(images, *scaled(images.shape[1:3], multiple), interpolation)


def scaled(sides: Sequence[int], multiple: float) -> tuple[int, int]:
    """The sides of a canvas at a multiple, at least 1 pixel each."""
    height, width = sides
    return max(1, int(height * multiple + 0.5)), max(1, int(width * multiple + 0.5))


def _resized(images: NDArray[np.uint8], height: int, width: int, interpolation: str) -> NDArray[np.uint8]:
    """Pillow's resize, which widens its filter when it shrinks; uint8 in, uint8 out."""
    from PIL import Image

    method = Image.Resampling[interpolation.upper()]
    out = np.empty((len(images), height, width, 3), np.uint8)
    for target, image in zip(out, images, strict=True):
        target[...] = np.asarray(Image.fromarray(image).resize((width, height), method))
    return out


def _takes(mode: str, multiple: float) -> bool:
    return not ((mode == "zoom_crop" and multiple < 1) or (mode == "shrink_pad" and multiple > 1))


def _shift(rule: Callable[..., NDArray[np.uint8]], **options: Json) -> PixelShift:
    name: str = rule.__name__
    options = {"interpolation": "bilinear", **options}

    def resolve(parameters: Mapping[str, Json], height: int, width: int) -> dict[str, Any]:
        check_options(name, parameters, options)
        multiple = parameters.get("severity")
        if isinstance(multiple, bool) or not isinstance(multiple, int | float) or not 0 < multiple <= LARGEST:
            raise ValueError(f"{name} takes a multiple above 0 and up to {LARGEST} as its severity, not {multiple!r}")
        if not _takes(name, multiple):
            raise ValueError(f"{name} cannot take the multiple {multiple:g}; {_RANGE[name]}")
        chosen = {key: parameters.get(key, default) for key, default in options.items()}
        for key, value in chosen.items():
            _check(name, key, value)
        return {} if multiple == 1 else {"multiple": float(multiple), **chosen}

    fed = name == "feed_scaled"
    sibling = twin(__name__, name)
    return PixelShift(name, "scaling", 1, _SOURCE, (), resolve, rule, options, changes_size=fed, device_apply=sibling)


def _check(name: str, key: str, value: Json) -> None:
    if key == "fill":
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 255:
            raise ValueError(f"{name} takes a whole grey level from 0 to 255 as fill, not {value!r}")
        return
    choices = get_args(Pad if key == "pad" else Interpolation)
    if value not in choices:
        raise ValueError(f"{name} takes one of {', '.join(choices)} as {key}, not {value!r}")


_SOURCE = "after ImageNet-CS (arXiv 2209.02132); resized by Pillow on uint8, antialiased when shrinking"
_RANGE = {"zoom_crop": "it enlarges, from 1 on", "shrink_pad": "it shrinks, up to 1"}

SHIFTS = (
    _shift(down_up),
    _shift(zoom_crop),
    _shift(shrink_pad, pad="constant", fill=0),
    _shift(feed_scaled),
)


_Modes = Annotated[tuple[Mode, ...], DISTINCT, LISTED]


def _listed(value: object) -> object:
    # strict validation takes a tuple, but no list, from a function
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


class ScalingOptions(BaseModel):
    """What an entry ``{suite: scaling}`` takes."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    multiples: Annotated[tuple[Annotated[float, Strict(), Field(gt=0, le=LARGEST)], ...], DISTINCT, LISTED] = Field(
        (0.25, 0.5, 2.0, 4.0),
        description="Factors of both sides; 1 is the identity. Default: those of these four that the mode takes.",
    )
    mode: Annotated[_Modes, BeforeValidator(_listed, json_schema_input_type=Mode | _Modes)] = Field(
        ("down_up",),
        description="down_up: resize and back. zoom_crop: enlarge, keep the centre. shrink_pad: shrink, pad. "
        "feed_scaled: the model sees the resized canvas. Of several modes each takes the multiples it can.",
    )
    pad: Pad = Field("constant", description="What shrink_pad puts around the image.")
    fill: int = Field(0, ge=0, le=255, description="The grey level of constant padding.")
    interpolation: Interpolation = Field("bilinear", description="How images are resized.")
    per_class: Given[Count] = Field(
        None,
        description="Measure this entry on up to so many images of each class, a part of those that the data set's "
        "limit leaves; 50 in ImageNet-CS. The drop from clean is then taken over the same images.",
    )


def _expand(entry: ScalingOptions) -> list[Variant]:
    modes: tuple[str, ...] = entry.mode
    asked = entry.multiples if "multiples" in entry.model_fields_set else ()
    for multiple in asked:
        if not any(_takes(mode, multiple) for mode in modes):
            raise ValueError(f"{' and '.join(modes)} cannot take the multiple {multiple:g}; {_RANGE[modes[0]]}")
    stray = {"pad", "fill"} & entry.model_fields_set
    if stray and "shrink_pad" not in modes:
        raise ValueError(f"{' and '.join(sorted(stray))}: only the mode shrink_pad pads, and it is not asked for")
    if "fill" in stray and entry.pad != "constant":
        raise ValueError(f"fill is the level of constant padding; pad is {entry.pad}")
    return [
        Variant(
            shift.name,
            _number(multiple),
            shift.version,
            {"severity": _number(multiple), **{key: getattr(entry, key) for key in shift.options}},
            shift.changes_size,
        )
        for shift in SHIFTS
        if shift.name in modes
        for multiple in sorted(entry.multiples)
        if _takes(shift.name, multiple)
    ]


def _number(multiple: float) -> int | float:
    return int(multiple) if multiple.is_integer() else multiple


SUITES = (Suite("scaling", ScalingOptions, _expand),)
