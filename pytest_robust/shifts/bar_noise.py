"""ImageNet-C-bar: noise of a given spectrum, Perlin noise and waves."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.shifts.draws import Draws, added, each_drawn, truncated
from pytest_robust.shifts.pixels import fixed
from pytest_robust.shifts.waves import RADIAN, TURN, angle, cosine, sine, turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.shifts.base import Bits


def blue_noise_sample(images: NDArray[np.uint8], bits: Sequence[Bits], level: float) -> NDArray[np.uint8]:
    """Blacken the pixels where blue noise of unit variance is not above ``0.3 level - 2.5``."""
    height, width = images.shape[1:3]
    spectrum = np.sqrt(squares(height, width))

    def rule(image: NDArray[np.uint8], draws: Draws) -> NDArray[np.uint8]:
        kept = _coloured(draws.bits, 0, spectrum) > level * 0.3 - 2.5
        return image * kept[..., None]

    return each_drawn(images, bits, rule)


def brownish_noise(images: NDArray[np.uint8], bits: Sequence[Bits], level: float) -> NDArray[np.uint8]:
    """Add noise of the amplitude spectrum ``1 / (k**2 + 1)``, standard deviation 6.4 level, to each channel."""
    height, width = images.shape[1:3]
    spectrum = 1 / (squares(height, width) + 1)

    def rule(image: NDArray[np.uint8], draws: Draws) -> NDArray[np.int16]:
        noise = np.stack([_coloured(draws.bits, channel, spectrum) for channel in range(3)], axis=-1)
        return added(image, noise * (6.4 * level))

    return each_drawn(images, bits, rule)


def squares(height: int, width: int) -> NDArray[np.float64]:
    """Squared frequencies in cycles per canvas, (H, W)."""
    rows, columns = (np.fft.fftfreq(side, 1 / side) for side in (height, width))
    found: NDArray[np.float64] = np.rint(rows)[:, None] ** 2 + np.rint(columns) ** 2
    return found


def _coloured(bits: Bits, lane: int, spectrum: NDArray[np.float64]) -> NDArray[np.float64]:
    """Noise (H, W) of this amplitude spectrum and random phases, over its standard deviation.

    The real part of a complex field, as in the released code: its own mean stays. The transform's last bits differ
    between machines by 1e-15 of it, which meets a step of what is made of it once in some 100 million images.
    """
    phases = bits.uint16(spectrum.size, lane=lane).reshape(spectrum.shape)
    field = np.empty(spectrum.shape, np.complex128)
    field.real = spectrum * cosine().take(phases)
    field.imag = spectrum * sine().take(phases)
    noise: NDArray[np.float64] = np.fft.ifft2(field).real
    deviation = noise.std()
    # a canvas of one pixel has none
    return noise / deviation if deviation else np.zeros_like(noise)


def perlin_noise(images: NDArray[np.uint8], bits: Sequence[Bits], level: float) -> NDArray[np.uint8]:
    """Blend with grey turbulence, its share 0.05 level: five octaves of Perlin noise, from 7 cells a canvas side."""
    height, width = images.shape[1:3]
    cell = min(height, width) / 7
    share = 0.05 * level
    slope = fixed(1 - share)

    def rule(image: NDArray[np.uint8], draws: Draws) -> NDArray[np.int32]:
        turbulence = np.zeros((height, width))
        for octave in range(5):
            turbulence += np.abs(_perlin(draws.bits, octave, height, width, cell / 2**octave)) * 0.5**octave
        grey = fixed(np.minimum(turbulence * 0.5 + 0.5, 1) * (255 * share))
        return truncated(np.multiply(image, slope, dtype=np.int32) + grey[..., None])

    return each_drawn(images, bits, rule)


def _perlin(bits: Bits, lane: int, height: int, width: int, cell: float) -> NDArray[np.float64]:
    """Gradient noise on a lattice of `cell` pixels, (H, W); times 1.5, as in the released code."""
    across, down = np.arange(width) / cell, np.arange(height) / cell
    column, row = across.astype(np.intp), down.astype(np.intp)
    shape = (2, int(row[-1]) + 2, int(column[-1]) + 2)
    count = shape[0] * shape[1] * shape[2]
    sides = (bits.uint16(count, lane=lane + 1).astype(np.float64) - 32767.5).reshape(shape)
    vertical, horizontal = sides / np.sqrt(sides[0] ** 2 + sides[1] ** 2)
    x = across - column
    ease = x * x * (3 - 2 * x)
    left, right = horizontal.take(column, axis=1) * x, horizontal.take(column + 1, axis=1) * (x - 1)
    flat = left + ease * (right - left)
    left, right = vertical.take(column, axis=1), vertical.take(column + 1, axis=1)
    steep = left + ease * (right - left)
    y = (down - row)[:, None]
    above = flat.take(row, axis=0) + y * steep.take(row, axis=0)
    below = flat.take(row + 1, axis=0) + (y - 1) * steep.take(row + 1, axis=0)
    noise: NDArray[np.float64] = 1.5 * (above + y * y * (3 - 2 * y) * (below - above))
    return noise


def single_frequency_greyscale(images: NDArray[np.uint8], bits: Sequence[Bits], level: float) -> NDArray[np.uint8]:
    """Add one grey wave of peak 19.6 level, of random direction, phase and frequency up to half a cycle per pixel."""
    height, width = images.shape[1:3]
    down, across = np.arange(height, dtype=np.uint32), np.arange(width, dtype=np.uint32)
    wave = sine() * (19.6 * level)

    def rule(image: NDArray[np.uint8], draws: Draws) -> NDArray[np.int16]:
        y, x, phase = (np.uint32(number) for number in direction(draws))
        return added(image, wave.take((down * y)[:, None] + (across * x + phase) >> 16))

    return each_drawn(images, bits, rule)


def direction(draws: Draws) -> tuple[int, int, int]:
    """Frequencies down and to the right, in 2**-32 turns per pixel, wrapped, and the phase in 2**-32 turns."""
    # the larger of the two frequencies is uniform, the other below it
    larger = (draws.word() << 16 | draws.word()) - (1 << 31)
    smaller = abs(larger) * (2 * draws.word() - 65535) >> 16
    phase = draws.word() << 16
    steps = (larger, smaller) if draws.below(2) else (smaller, larger)
    return steps[0] & 0xFFFFFFFF, steps[1] & 0xFFFFFFFF, phase


def cocentric_sine_waves(images: NDArray[np.uint8], bits: Sequence[Bits], level: float) -> NDArray[np.uint8]:
    """Add grey saw-tooth rings of height 12.8 level about a random centre, bent by a wave along the angle."""
    height, width = images.shape[1:3]
    side = min(height, width)

    def rule(image: NDArray[np.uint8], draws: Draws) -> NDArray[np.int16]:
        x: NDArray[np.float64] = np.broadcast_to(np.arange(width) - draws.uniform(0, width), (height, width))
        y = np.broadcast_to((np.arange(height) - draws.uniform(0, height))[:, None], (height, width))
        frequency, amplitude, ring = draws.uniform(0, 10), draws.uniform(0, side / 10), draws.uniform(0, side / 10)
        bend = sine().take(angle(turns(x, y) * (frequency * TURN)))
        rings = (np.sqrt(x * x + y * y) + bend * amplitude) / ring
        return added(image, (rings - np.floor(rings) - 0.5) * (12.8 * level))

    return each_drawn(images, bits, rule)


def plasma_noise(images: NDArray[np.uint8], bits: Sequence[Bits], level: float) -> NDArray[np.uint8]:
    """Blend with coloured plasma, its share ``6.4 level / 255``: sines of coordinates that sines have bent."""
    height, width = images.shape[1:3]
    side = min(height, width)
    strength = 6.4 * level
    slope, gains = fixed(1 - strength / 255), colours(strength)

    def rule(image: NDArray[np.uint8], draws: Draws) -> NDArray[np.int32]:
        time, octaves, sharpness, scale = plasma(draws, side)
        x: NDArray[Any] = np.arange(width)[None, :] / scale
        y: NDArray[Any] = np.arange(height)[:, None] / scale
        frequency, slow, damping = 1.0, 1.0, 1.0
        for _ in range(octaves):
            along = cosine().take(angle((y * frequency + time / slow) * RADIAN)) / damping
            across = sine().take(angle((x * frequency + time / slow) * RADIAN)) / damping
            x, y = x + (along - across * 0.3), y + (across + along * 0.3)
            frequency, slow, damping = frequency * 1.93, slow * 1.15, damping * (2.25 - sharpness)
        still = float(sine()[angle(np.array(time * RADIAN))])
        levels = np.multiply(image, slope, dtype=np.int32)
        for channel, phase in enumerate((x - time, (x + y + still) * 0.5, y + time)):
            levels[..., channel] += gains.take(angle(phase * RADIAN))
        return truncated(levels)

    return each_drawn(images, bits, rule)


def plasma(draws: Draws, side: int) -> tuple[float, int, float, float]:
    """The time, how many octaves, their sharpness, and the scale in pixels."""
    time, octaves = draws.uniform(0, 6 * np.pi), 4 + draws.below(3)
    return time, octaves, draws.uniform(0.5, 1), draws.uniform(0.075, 0.2) * side


@lru_cache(maxsize=16)
def colours(strength: float) -> NDArray[np.int32]:
    """Angle -> what a channel gains, in fixed point."""
    return fixed(sine() * strength)
