"""Amplitude and phase of two images, mixed (amplitude-phase recombination, arXiv 2108.08487).

The label of a mixed image is that of the image that gives the phase: of `image` in `amplitude_swap`, of `partner`
in `phase_swap` with alpha 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pytest_robust.shifts.rng import Streams
from pytest_robust.shifts.spectrum import canvas, planes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Spectrum = NDArray[np.complexfloating[Any, Any]]

Axes = Literal["chw", "hw"]

_AXES: dict[str, tuple[int, ...]] = {"chw": (0, 1, 2), "hw": (1, 2)}

_ZERO = 1e-6
"""Amplitudes below, in grey levels summed over the canvas, are 0 and have the phase 0.

The rounding noise of a transform is 1e-9 there, and has a phase of its own on every machine.
"""


def amplitude_swap(
    image: NDArray[np.uint8], partner: NDArray[np.uint8], alpha: float = 1.0, axes: Axes = "chw"
) -> NDArray[np.uint8]:
    """The image's phase with the amplitude ``(1 - alpha) * own + alpha * partner's``.

    Args:
        image: uint8 (H, W, 3).
        partner: of the same shape.
        alpha: 0, the image itself, to 1, APR-P of the paper.
        axes: over which the transform runs: `chw`, channels too, as in the paper's code, or `hw`, each channel by
            itself.

    Returns:
        uint8 (H, W, 3): the real part, rounded to the nearest level, then clipped.

    Raises:
        ValueError: the shapes differ, or alpha or axes is none of these.
    """
    own, other = _spectra(image, partner, alpha, axes)
    return _image((1 - alpha) * np.abs(own) + alpha * np.abs(other), _phase(own), image, axes)


def phase_swap(
    image: NDArray[np.uint8], partner: NDArray[np.uint8], alpha: float = 1.0, axes: Axes = "chw"
) -> NDArray[np.uint8]:
    """The image's amplitude with the phase of ``(1 - alpha) * own + alpha * partner's`` unit phasors.

    Opposite phases at alpha 0.5 leave the image its own. Arguments, result and errors as in `amplitude_swap`.
    """
    own, other = _spectra(image, partner, alpha, axes)
    kept = _phase(own)
    mixed = (1 - alpha) * kept + alpha * _phase(other)
    length = np.abs(mixed)
    clear = length > _ZERO
    phase = np.where(clear, mixed / np.where(clear, length, 1), kept)
    return _image(np.abs(own), phase, image, axes)


def partner_of(seed: int, ids: Sequence[str]) -> NDArray[np.intp]:
    """For each sample the position of its partner, drawn uniformly from all others.

    A partner hangs on the seed, the sample's id and the set of ids, not on their order.

    Args:
        seed: the spec's seed.
        ids: the distinct ids of at least two samples.

    Returns:
        intp (N,); never the sample's own position.

    Raises:
        ValueError: there are fewer than two ids.
    """
    if len(ids) < 2:
        raise ValueError(f"a partner needs a second sample; there {'is one' if ids else 'are none'}")
    order = sorted(range(len(ids)), key=lambda position: ids[position])
    streams = Streams(seed, "partner", {})
    partners = np.empty(len(ids), np.intp)
    for rank, position in enumerate(order):
        words = streams.for_id(ids[position]).uint16(4).astype(object)
        drawn = int(words[0] | words[1] << 16 | words[2] << 32 | words[3] << 48)
        step = 1 + (drawn * (len(ids) - 1) >> 64)
        partners[position] = order[(rank + step) % len(ids)]
    return partners


def _spectra(
    image: NDArray[np.uint8], partner: NDArray[np.uint8], alpha: float, axes: Axes
) -> tuple[Spectrum, Spectrum]:
    if image.shape != partner.shape:
        raise ValueError(f"image and partner must have one shape, not {image.shape} and {partner.shape}")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be from 0 to 1, not {alpha!r}")
    if axes not in _AXES:
        raise ValueError(f"axes must be chw or hw, not {axes!r}")
    own, other = (np.fft.rfftn(planes(one), axes=_AXES[axes]) for one in (image, partner))
    return own, other


def _phase(spectrum: Spectrum) -> Spectrum:
    amplitude = np.abs(spectrum)
    clear = amplitude > _ZERO
    return np.where(clear, spectrum / np.where(clear, amplitude, 1), 1)


def _image(amplitude: NDArray[Any], phase: Spectrum, image: NDArray[np.uint8], axes: Axes) -> NDArray[np.uint8]:
    height, width, channels = image.shape
    shape = (channels, height, width)[-len(_AXES[axes]) :]
    return np.ascontiguousarray(canvas(np.fft.irfftn(amplitude * phase, s=shape, axes=_AXES[axes])))
