"""ImageNet-C-bar and CIFAR-10-C-bar (Mintun et al. 2021, arXiv 2102.11273): the tables and the suite.

The rules follow the released generators (facebookresearch/augmentation-corruption) with the numbers of `level`
that it has for images of 224 and of 32 pixels. Lengths that are there shares of the side of a square canvas are here
shares of the short side. Each image draws its own parameters, from tables and whole numbers, so the
published images themselves do not come back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pytest_robust.shifts import bar_cover, bar_noise, bar_warp
from pytest_robust.shifts.base import PixelShift
from pytest_robust.shifts.on_device import twin
from pytest_robust.shifts.severity import SEVERITIES, chosen, table_for
from pytest_robust.shifts.suites import DISTINCT, LISTED, STORED_VERSION
from pytest_robust.spec.catalog import Suite, Variant
from pytest_robust.spec.types import Given, Text  # noqa: TC001 - pydantic reads them

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits
    from pytest_robust.shifts.on_device.bits import BatchBits
    from pytest_robust.spec.plan import Json

Levels = tuple[float, float, float, float, float]

_IMAGENET: dict[Any, Levels] = {
    bar_noise.blue_noise_sample: (0.8, 1.6, 2.4, 4, 5.6),
    bar_noise.brownish_noise: (1, 2, 3, 4, 5),
    bar_warp.caustic_refraction: (2.35, 3.2, 4.9, 6.6, 9.15),
    bar_cover.checkerboard_cutout: (2, 3, 4, 5, 6),
    bar_noise.cocentric_sine_waves: (3, 5, 8, 9, 10),
    bar_cover.inverse_sparkles: (1, 2, 4, 9, 10),
    bar_noise.perlin_noise: (4.6, 5.2, 5.8, 7.6, 8.8),
    bar_noise.plasma_noise: (4.75, 7, 8.5, 9.25, 10),
    bar_noise.single_frequency_greyscale: (1, 1.5, 2, 4.5, 5),
    bar_cover.sparkles: (1, 2, 3, 5, 6),
}
_CIFAR: dict[Any, Levels] = {
    bar_noise.blue_noise_sample: (0.7, 1.4, 2.1, 3.5, 4.2),
    bar_noise.brownish_noise: (2.5, 4, 5.5, 6.5, 7),
    bar_warp.circular_motion_blur: (2.8, 3.6, 4.4, 5.2, 6),
    bar_cover.checkerboard_cutout: (1, 2, 3, 4, 5),
    bar_cover.inverse_sparkles: (1, 1.5, 2.5, 4.5, 5),
    bar_cover.lines: (0.5, 1, 1.5, 2, 2.5),
    bar_warp.pinch_and_twirl: (5.5, 6, 6.5, 8.5, 10),
    bar_warp.ripple: (5.5, 6, 6.5, 7.5, 8),
    bar_cover.sparkles: (0.7, 3.5, 5.6, 6.3, 7),
    bar_warp.transverse_chromatic_abberation: (1, 2, 5, 9, 10),
}

_SOURCE = "Mintun et al. 2021 (arXiv 2102.11273), facebookresearch/augmentation-corruption; drawn per image"
_OURS = {
    "checkerboard_cutout": "squares are counted downwards from 0, where the released code has double ones about 0",
    "circular_motion_blur": "bilinear, where the released code has cubic splines",
    "cocentric_sine_waves": "angles in 65,536 parts",
    "lines": "coverage by distance; the released code draws with scikit-image's line_aa",
    "perlin_noise": "each octave draws its own gradients",
    "plasma_noise": "angles in 65,536 parts",
    "caustic_refraction": "angles in 65,536 parts",
}

_ON_HOST = {"caustic_refraction", "lines"}
"""What has no twin in `pytest_robust.shifts.on_device`."""


def _shift(rule: Any) -> PixelShift:
    name: str = rule.__name__
    options: dict[str, Json] = {"table": "auto"}
    tables = {word: levels[rule] for word, levels in (("imagenet", _IMAGENET), ("cifar", _CIFAR)) if rule in levels}

    def resolve(parameters: Mapping[str, Json], height: int, width: int) -> dict[str, Any]:
        severity, table = chosen(name, parameters, options, tables)
        if severity == 0:
            return {}
        if table == "auto":
            nearest = "cifar" if table_for(height, width) == 32 else "imagenet"
            table = nearest if nearest in tables else next(iter(tables))
        return {"table": table, "level": tables[table][severity - 1]}

    def apply(images: NDArray[np.uint8], bits: Sequence[Bits], *, table: str, level: float) -> NDArray[np.uint8]:
        made: NDArray[np.uint8] = rule(images, bits, level)
        return made

    sibling = twin(rule.__module__, name)

    def device_apply(images: torch.Tensor, bits: BatchBits, *, table: str, level: float) -> torch.Tensor:
        return sibling(images, bits, level=level)

    source = f"{_SOURCE}; {_OURS[name]}" if name in _OURS else _SOURCE
    on_host = name in _ON_HOST
    return PixelShift(
        name,
        "imagenet-c-bar",
        1,
        source,
        SEVERITIES,
        resolve,
        apply,
        options,
        device_apply=None if on_host else device_apply,
    )


SHIFTS = tuple(_shift(rule) for rule in sorted({*_IMAGENET, *_CIFAR}, key=lambda rule: str(rule.__name__)))

_NAMES = tuple(shift.name for shift in SHIFTS)
_MEMBERS = {word: {rule.__name__ for rule in levels} for word, levels in (("imagenet", _IMAGENET), ("cifar", _CIFAR))}


class CBarOptions(BaseModel):
    """What an entry ``{suite: imagenet-c-bar}`` takes."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    table: Literal["auto", "imagenet", "cifar"] = Field(
        "auto",
        description="The levels of ImageNet-C-bar or of CIFAR-10-C-bar; auto takes those of CIFAR where the short side "
        "has up to 48 pixels, as far as a corruption has both.",
    )
    corruptions: Annotated[tuple[Literal[_NAMES], ...], DISTINCT, LISTED] = Field(  # type: ignore[valid-type]
        default_factory=tuple,
        description="Which of the 15 corruptions; default the ten of ImageNet-C-bar, with table: cifar the ten of "
        "CIFAR-10-C-bar.",
    )
    severities: Annotated[tuple[Literal[1, 2, 3, 4, 5], ...], DISTINCT, LISTED] = Field(
        (1, 2, 3, 4, 5), description="Which severities; default all."
    )
    stored: Given[Text] = Field(
        None,
        description="A folder of the published images, in the layout of ImageNet-C or CIFAR-10-C, to read in place of "
        "making them; `table` then only chooses the ten. ${NAME} is filled in when the run starts.",
    )


def _expand(entry: CBarOptions) -> list[Variant]:
    members = _MEMBERS["cifar" if entry.table == "cifar" else "imagenet"]
    chosen: set[str] = set(entry.corruptions) or members
    strays = sorted(chosen - members) if entry.table != "auto" else []
    if strays:
        raise ValueError(f"{' and '.join(strays)}: not in the table {entry.table}; take table: auto, or the other one")
    common: dict[str, Json] = {"table": entry.table} if entry.stored is None else {"stored": entry.stored}
    return [
        Variant(
            shift.name,
            severity,
            shift.version if entry.stored is None else STORED_VERSION,
            {"severity": severity, **common},
        )
        for shift in SHIFTS
        if shift.name in chosen
        for severity in sorted(entry.severities)
    ]


SUITES = (Suite("imagenet-c-bar", CBarOptions, _expand),)
