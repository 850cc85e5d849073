"""Random Lp-norm corruptions (arXiv 2305.05400), drawn anew for every image.

The paper evaluates floats; a canvas is uint8. So noise is rounded to the nearest grey level and added, then
clipped as in the paper. Rounding erases what is below half a level and adds some 1/12 of a squared level to the
variance of the rest; dithering would keep the mean of each value, but adds up to a quarter of a squared level.
Measured on mid-grey, where nothing is clipped, for the imperceptible sets: the L2 norm stays within 1 %, but a norm
that lives on small values or on the largest one does not. L0.5 keeps 60 % (CIFAR) and 77 % (TinyImageNet) of its
epsilon, since half and a third of the values become 0, L1 keeps 99 %, L50 gains up to 7 %, and L-infinity 0.01, 2.55
levels, becomes 3 levels. Below the sets' epsilons, noise of less than half a level disappears altogether.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict

from pytest_robust.shifts.base import PixelShift
from pytest_robust.shifts.gammas import FINITE
from pytest_robust.shifts.lp_sampling import Inside, chosen, lp_noise
from pytest_robust.shifts.lp_sets import SETS, SIDES
from pytest_robust.shifts.on_device import twin
from pytest_robust.shifts.quantiles import normal
from pytest_robust.shifts.severity import check_options
from pytest_robust.shifts.suites import DISTINCT, LISTED
from pytest_robust.spec.catalog import Suite, Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits
    from pytest_robust.spec.plan import Json

    Noise = Callable[[Bits, int], NDArray[np.float32]]

LARGEST = 1e9
"""The largest epsilon of a finite norm."""


def impulse(images: NDArray[np.uint8], bits: Sequence[Bits], epsilon: float) -> NDArray[np.uint8]:
    """Replace ``round(epsilon * d)`` distinct channel values, of d, by 0 or 255, equally likely."""
    return _replaced(images, bits, epsilon, lambda words: (words >> 15) * np.uint16(255))


def impulse_linear(images: NDArray[np.uint8], bits: Sequence[Bits], epsilon: float) -> NDArray[np.uint8]:
    """Replace ``round(epsilon * d)`` distinct channel values, of d, by any of the 256 levels, equally likely."""
    return _replaced(images, bits, epsilon, lambda words: words >> 8)


def salt_and_pepper(images: NDArray[np.uint8], bits: Sequence[Bits], epsilon: float) -> NDArray[np.uint8]:
    """Turn ``round(epsilon * H * W)`` distinct pixels black or white, equally likely."""
    out = images.copy()
    for target, one in zip(out, bits, strict=True):
        pixels = target.reshape(-1, 3)
        struck = chosen(one, len(pixels), epsilon)
        pixels[struck] = ((one.uint16(len(struck), lane=2) >> 15) * np.uint16(255))[:, None]
    return out


def common_brightness(images: NDArray[np.uint8], bits: Sequence[Bits], epsilon: float) -> NDArray[np.uint8]:
    """Shift all values of an image by ``+epsilon`` or by ``-epsilon``, equally likely."""

    def noise(one: Bits, count: int) -> NDArray[np.float32]:
        up = one.uint16(1) >> 15
        return np.where(up, np.float32(epsilon), np.float32(-epsilon))

    return _added(images, bits, noise)


def gaussian(images: NDArray[np.uint8], bits: Sequence[Bits], epsilon: float) -> NDArray[np.uint8]:
    """Add ``N(0, epsilon)``."""
    return _added(images, bits, lambda one, count: normal().take(one.uint16(count)) * np.float32(epsilon))


def _replaced(
    images: NDArray[np.uint8],
    bits: Sequence[Bits],
    epsilon: float,
    levels: Callable[[NDArray[np.uint16]], NDArray[Any]],
) -> NDArray[np.uint8]:
    out = images.copy()
    for target, one in zip(out, bits, strict=True):
        values = target.reshape(-1)
        struck = chosen(one, len(values), epsilon)
        values[struck] = levels(one.uint16(len(struck), lane=2))
    return out


def _added(images: NDArray[np.uint8], bits: Sequence[Bits], noise: Noise) -> NDArray[np.uint8]:
    out = np.empty(images.shape, np.uint8)
    count = math.prod(images.shape[1:])
    for target, image, one in zip(out, images, bits, strict=True):
        levels = np.multiply(noise(one, count), np.float32(255))
        np.rint(levels, out=levels)
        shifted = image + levels.reshape(image.shape if levels.size == count else ())
        target[...] = np.clip(shifted, 0, 255, out=shifted)
    return out


_SOURCE = "arXiv 2305.05400 (Calafiore et al. 1998); drawn per image, rounded to the nearest grey level"
_INSIDE: Json = "ball"


def _shift(
    name: str,
    rule: Callable[..., NDArray[np.uint8]],
    largest: float = 1.0,
    options: Mapping[str, Json] | None = None,
    **fixed: float,
) -> PixelShift:
    options = options or {}

    def resolve(parameters: Mapping[str, Json], height: int, width: int) -> dict[str, Any]:
        check_options(name, parameters, options)
        epsilon = parameters.get("severity")
        if isinstance(epsilon, bool) or not isinstance(epsilon, int | float) or not 0 <= epsilon <= largest:
            raise ValueError(f"{name} takes an epsilon from 0 to {largest:g} as its severity, not {epsilon!r}")
        chosen_options = {key: parameters.get(key, default) for key, default in options.items()}
        if chosen_options.get("inside", "ball") not in get_args(Inside):
            raise ValueError(f"{name} takes ball or hull as inside, not {chosen_options['inside']!r}")
        return {"epsilon": float(epsilon), **chosen_options} if epsilon else {}

    sibling = twin(__name__, rule.__name__, **fixed)
    return PixelShift(name, "lp-noise", 1, _SOURCE, (), resolve, rule, options, device_apply=sibling)


def _norm(p: float) -> PixelShift:
    def norm(images: NDArray[np.uint8], bits: Sequence[Bits], epsilon: float, inside: Inside) -> NDArray[np.uint8]:
        return _added(images, bits, lambda one, count: lp_noise(one, count, p, epsilon, inside))

    return _shift(f"l{p:g}", norm, 1 if p == math.inf else LARGEST, {"inside": _INSIDE}, p=p)


SHIFTS = (
    _shift("l0", impulse),
    _shift("l0linear", impulse_linear),
    *(_norm(p) for p in FINITE),
    _norm(math.inf),
    _shift("saltpepper", salt_and_pepper),
    _shift("common_brightness", common_brightness),
    _shift("gaussian", gaussian),
)

Norm = Literal["0", "0.5", "1", "2", "5", "10", "50", "200", "inf"]
_Epsilons = Annotated[tuple[Annotated[float, Strict(), Field(ge=0, le=LARGEST)], ...], DISTINCT, LISTED]
_Shares = Annotated[tuple[Annotated[float, Strict(), Field(ge=0, le=1)], ...], DISTINCT, LISTED]


def _shortest(norm: str) -> str:
    try:
        short = f"{float(norm):g}"
    except ValueError:
        return norm
    if short != norm and short in get_args(Norm):
        raise ValueError(f"write {norm} as {short}")
    return norm


def _within_bounds(norms: dict[Norm, tuple[float, ...]]) -> dict[Norm, tuple[float, ...]]:
    for norm in ("0", "inf"):
        if (largest := max(norms.get(norm, (0,)))) > 1:
            raise ValueError(f"p = {norm} takes epsilons from 0 to 1, not {largest:g}")
    return norms


_Key = Annotated[Norm, BeforeValidator(_shortest)]
_SAME_AT_ANY_SIZE: dict[Norm, tuple[float, ...]] = {"0": (0.01, 0.03, 0.1), "inf": (0.01, 0.03, 0.1)}


class LpNoiseOptions(BaseModel):
    """What an entry ``{suite: lp-noise}`` takes: norms with their epsilons, or a set of the paper."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    norms: Annotated[dict[_Key, _Epsilons], AfterValidator(_within_bounds)] = Field(
        _SAME_AT_ANY_SIZE,
        description="p -> epsilons, pixels in [0, 1]. For 0 an epsilon is the share of the channel values that are "
        "replaced. The default takes the two norms whose epsilons mean the same at any canvas size.",
    )
    inside: Inside = Field("ball", description="Uniform in the ball, or on its hull. Says nothing for p = 0.")
    impulse: Literal["max", "linear"] = Field(
        "max", description="What p = 0 puts in: black or white, or any level (the shift is l0linear then)."
    )
    saltpepper: _Shares = Field(default_factory=tuple, description="Shares of the pixels that turn black or white.")
    common_brightness: _Shares = Field(default_factory=tuple, description="One shift up or down for the whole image.")
    gaussian: _Shares = Field(default_factory=tuple, description="Standard deviations of Gaussian noise.")
    set: Literal["lp-test", "lp-imperceptible", "lp-test-v1", "lp-imperceptible-v1"] | None = Field(
        None, description="A set of the paper, in place of norms; its epsilons belong to the canvas size of `data`."
    )
    data: Literal["cifar", "tinyimagenet"] | None = Field(
        None, description="The data set that the set's epsilons are for: cifar at 32 x 32, tinyimagenet at 64 x 64."
    )


def _expand(entry: LpNoiseOptions) -> list[Variant]:
    data = _data_of_set(entry)
    asked = dict(_of_norms(entry) if data is None else SETS[str(entry.set), data])
    return [
        Variant(
            shift.name,
            int(epsilon) if float(epsilon).is_integer() else epsilon,
            shift.version,
            {"severity": epsilon, **({"inside": entry.inside} if shift.options else {})},
            # the share of values that l0 and its kin replace is the same at any size, but a set is one thing
            side=SIDES.get(data or ""),
        )
        for shift in SHIFTS
        for epsilon in sorted(asked.get(shift.name, ()))
    ]


def _data_of_set(entry: LpNoiseOptions) -> str | None:
    """The data set whose epsilons a set's entry takes; None for an entry of norms."""
    if entry.set is None and entry.data is None:
        return None
    if entry.set is None:
        raise ValueError("data says which epsilons of a set are meant; name the set, or remove data")
    stray = entry.model_fields_set - {"set", "data", "inside"}
    if stray:
        raise ValueError(f"a set has its own epsilons; remove {' and '.join(sorted(stray))}, or set")
    places = [data for name, data in SETS if name == entry.set]
    data = entry.data or (places[0] if len(places) == 1 else None)
    if data not in places:
        raise ValueError(f"the set {entry.set} has epsilons for {' and '.join(places)}; say which by data")
    return data


def _of_norms(entry: LpNoiseOptions) -> Mapping[str, Sequence[float]]:
    further = {
        "saltpepper": entry.saltpepper,
        "common_brightness": entry.common_brightness,
        "gaussian": entry.gaussian,
    }
    norms = entry.norms if "norms" in entry.model_fields_set or not any(further.values()) else {}
    if "impulse" in entry.model_fields_set and "0" not in norms:
        raise ValueError("impulse says what p = 0 puts in, and norms has no 0")
    zero = "l0linear" if entry.impulse == "linear" else "l0"
    return {**{zero if norm == "0" else f"l{norm}": epsilons for norm, epsilons in norms.items()}, **further}


SUITES = (Suite("lp-noise", LpNoiseOptions, _expand),)
