"""ImageNet-C: its 15 corruptions in the paper's order, the 4 extras, and what a spec entry may ask of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, create_model

from pytest_robust.shifts import (
    blur,
    colour,
    defocus,
    digital,
    elastic,
    fog,
    frost,
    glass,
    motion,
    noise,
    snow,
    spatter,
    zoom,
)
from pytest_robust.shifts.base import PixelShift
from pytest_robust.shifts.on_device import twin
from pytest_robust.shifts.severity import IMAGENET_C, SEVERITIES, check_options
from pytest_robust.shifts.suites import severity_suite
from pytest_robust.spec.catalog import Suite, Variant
from pytest_robust.spec.types import Given, Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits
    from pytest_robust.spec.plan import Json

_Folder = Given[Text]

NAME = "imagenet-c"
QUALITY = 85
"""ImageNet-C is published as JPEG files of this quality."""

ONE_PER_SAMPLE = "one-per-sample"
FROST, OWN_FROST = "frost", "frost_procedural"

_CHOICE = 1 << 32
"""The lane of the stream that chooses a sample's corruption; the corruptions draw from the lowest ones."""


def _reloaded(shift: PixelShift) -> PixelShift:
    """The shift with the option `jpeg85`: its result goes through a JPEG file as ImageNet-C's did."""
    options: dict[str, Json] = {**shift.options, "jpeg85": False}

    def resolve(parameters: Mapping[str, Json], height: int, width: int) -> dict[str, Any]:
        check_options(shift.name, parameters, options)
        reload = parameters.get("jpeg85", False)
        if not isinstance(reload, bool):
            raise ValueError(f"{shift.name} takes true or false as jpeg85, not {reload!r}")
        numbers = shift.resolve({k: v for k, v in parameters.items() if k != "jpeg85"}, height, width)
        return {**numbers, "jpeg85": True} if numbers and reload else numbers

    def apply(
        images: NDArray[np.uint8], bits: Sequence[Bits], *, jpeg85: bool = False, **numbers: Any
    ) -> NDArray[np.uint8]:
        made = shift.apply(images, bits, **numbers)
        return digital.jpeg_compression(made, bits, QUALITY) if jpeg85 else made

    # the codec is the host's
    sibling = None if shift.device_apply is None else twin(__name__, "reloaded", shift=shift)
    return replace(shift, resolve=resolve, apply=apply, options=options, device_apply=sibling)


_FAMILIES = (noise, blur, defocus, glass, motion, zoom, snow, frost, fog, spatter, colour, elastic, digital)
_MEMBERS = {
    shift.name: _reloaded(shift) if shift.suite == NAME else shift for family in _FAMILIES for shift in family.SHIFTS
}
_PUBLISHED = tuple(shift for shift in _MEMBERS.values() if shift.suite == NAME and shift.name != OWN_FROST)


def _one_per_sample() -> PixelShift:
    """Each sample under one corruption at one severity, drawn evenly among all that are asked for."""
    members = {shift.name for shift in _MEMBERS.values() if shift.suite == NAME}
    options: dict[str, Json] = {
        "corruptions": [OWN_FROST if shift.name == FROST else shift.name for shift in _PUBLISHED],
        "severities": list(SEVERITIES),
        "table": "auto",
        "textures": None,
        "jpeg85": False,
    }

    def resolve(parameters: Mapping[str, Json], height: int, width: int) -> dict[str, Any]:
        check_options(ONE_PER_SAMPLE, parameters, options)
        if parameters.get("severity") is not None:
            raise ValueError(f"{ONE_PER_SAMPLE} draws the severity; it takes none, not {parameters['severity']!r}")
        chosen = {**options, **parameters}
        for key in ("corruptions", "severities"):
            listed = chosen[key]
            if not isinstance(listed, list) or not listed:
                raise ValueError(f"{ONE_PER_SAMPLE} takes a list as {key}, not {listed!r}")
            if twice := [one for position, one in enumerate(listed) if one in listed[:position]]:
                raise ValueError(f"{ONE_PER_SAMPLE} takes each of its {key} once, and {twice[0]!r} is given twice")
        resolved: dict[str, Any] = {"corruptions": chosen["corruptions"], "severities": chosen["severities"]}
        for name in resolved["corruptions"]:
            if not isinstance(name, str) or name not in members:
                raise ValueError(f"{ONE_PER_SAMPLE} takes corruptions of {NAME}, not {name!r}")
            own = {key: chosen[key] for key in ("table", "jpeg85", *(["textures"] if name == FROST else []))}
            for severity in resolved["severities"]:
                if severity == 0:
                    raise ValueError(f"{ONE_PER_SAMPLE} takes severities from 1 to 5, not 0")
                numbers = _MEMBERS[name].resolve({"severity": severity, **own}, height, width)
                resolved |= {key: numbers[key] for key in ("table", "digest", "jpeg85") if key in numbers}
        return resolved

    def apply(images: NDArray[np.uint8], bits: Sequence[Bits], **numbers: Any) -> NDArray[np.uint8]:
        out = np.empty(images.shape, np.uint8)
        for shift, mine, own in shares(bits, **numbers):
            out[mine] = shift.apply(images[mine], [bits[i] for i in mine], **own)
        return out

    # raised with every member's
    version = 1 + sum(_MEMBERS[name].version - 1 for name in members)
    source = f"the protocol of DynTTA (arXiv 2212.04681) over {IMAGENET_C}"
    sibling = twin(__name__, "one_per_sample")
    return PixelShift(
        ONE_PER_SAMPLE, NAME, version, source, (), resolve, apply, options, device_apply=sibling, groups=_groups
    )


def shares(
    bits: Sequence[Bits],
    *,
    corruptions: Sequence[str],
    severities: Sequence[int],
    table: int,
    digest: str = "",
    jpeg85: bool = False,
) -> Iterator[tuple[PixelShift, list[int], dict[str, Any]]]:
    """The corruptions that samples draw under `one-per-sample`: each with the samples' positions and its numbers."""
    cells, drawn = list(product(corruptions, severities)), _drawn(bits, len(corruptions) * len(severities))
    for number in sorted(set(drawn)):
        name, severity = cells[number]
        mine = [position for position, choice in enumerate(drawn) if choice == number]
        # the two kinds of frost share their table, and the digest stands for the folder
        numbers = _MEMBERS[OWN_FROST if name == FROST else name].resolve({"severity": severity, "table": table}, 1, 1)
        extra = {"digest": digest} if name == FROST else {}
        yield _MEMBERS[name], mine, {**numbers, **extra, "jpeg85": jpeg85}


def _drawn(bits: Sequence[Bits], count: int) -> list[int]:
    return [int(one.uint16(1, lane=_CHOICE)[0]) * count >> 16 for one in bits]


def _groups(
    bits: Sequence[Bits], *, corruptions: Sequence[str], severities: Sequence[int], **numbers: Any
) -> dict[str, list[str]]:
    """What each sample draws under `one-per-sample`."""
    cells = list(product(corruptions, severities))
    chosen = [cells[number] for number in _drawn(bits, len(cells))]
    return {
        "drawn_corruption": [name for name, _ in chosen],
        "drawn_severity": [str(severity) for _, severity in chosen],
    }


SHIFTS = (*_MEMBERS.values(), _one_per_sample())


def _suite() -> Suite:
    plain = severity_suite(NAME, _PUBLISHED)
    fields: dict[str, Any] = {
        "textures": (
            _Folder,
            Field(
                None,
                description="A folder of frost photographs, for the shift `frost`; relative to this file. Without one "
                f"the pictures are made by rule, and the shift is called `{OWN_FROST}`.",
            ),
        ),
        "jpeg85": (
            bool,
            Field(False, description=f"Store each shifted image as JPEG of quality {QUALITY} and read it again."),
        ),
        "draw": (
            Literal["all", "one-per-sample"],
            Field("all", description="one-per-sample: one cell, each image under one corruption and severity."),
        ),
    }
    options = create_model("imagenet_c_entry", __base__=plain.options, **fields)

    def expand(entry: Any) -> list[Variant]:
        _check(entry)
        if entry.stored is not None:
            return list(plain.expand(entry))
        extra: dict[str, Json] = {"jpeg85": True} if entry.jpeg85 else {}
        own = {} if entry.textures is None else {"textures": entry.textures}
        if entry.draw == ONE_PER_SAMPLE:
            names = [variant.shift for variant in plain.expand(entry.model_copy(update={"severities": (1,)}))]
            parameters: dict[str, Json] = {
                "corruptions": [OWN_FROST if name == FROST and not own else name for name in names],
                "severities": sorted(entry.severities or SEVERITIES),
                "table": entry.table,
                **own,
                **extra,
            }
            shift = SHIFTS[-1]
            return [Variant(shift.name, None, shift.version, parameters)]
        made = []
        for variant in plain.expand(entry):
            given = {**variant.parameters, **(own if variant.shift == FROST else {}), **extra}
            name = OWN_FROST if variant.shift == FROST and not own else variant.shift
            made.append(replace(variant, shift=name, version=_MEMBERS[name].version, parameters=given))
        return made

    return Suite(NAME, options, expand)


def _check(entry: Any) -> None:
    if entry.stored is not None:
        asked = {"textures", "jpeg85", "draw"} & entry.model_fields_set
        if asked:
            raise ValueError(
                f"{' and '.join(sorted(asked))}: says how images are made; those of `stored` are made already"
            )
    if entry.textures is not None and FROST not in entry.corruptions:
        raise ValueError(f"textures are for {FROST}, which this entry does not ask for")


SUITES = (_suite(),)
