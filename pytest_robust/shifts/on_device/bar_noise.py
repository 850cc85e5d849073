"""ImageNet-C-bar's noise; see `pytest_robust.shifts.bar_noise`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from pytest_robust.shifts import bar_noise
from pytest_robust.shifts.draws import Draws
from pytest_robust.shifts.on_device.pixels import clipped, from_fixed, quotient, table, take
from pytest_robust.shifts.on_device.waves import angle, axes, cosine, each, sine, turns
from pytest_robust.shifts.pixels import FRACTION, GUARD, fixed
from pytest_robust.shifts.waves import RADIAN, TURN
from pytest_robust.shifts.waves import angle as host_angle
from pytest_robust.shifts.waves import sine as host_sine

if TYPE_CHECKING:
    from pytest_robust.shifts.on_device.bits import BatchBits


def blue_noise_sample(images: torch.Tensor, bits: BatchBits, level: float) -> torch.Tensor:
    """See `bar_noise.blue_noise_sample`; a transform's last bits differ, as one value in billions shows."""
    height, width = images.shape[1:3]
    spectrum = np.sqrt(bar_noise.squares(height, width))
    kept = _coloured(bits, 0, torch.tensor(spectrum).to(images.device)) > level * 0.3 - 2.5
    return images * kept[..., None]


def brownish_noise(images: torch.Tensor, bits: BatchBits, level: float) -> torch.Tensor:
    """See `bar_noise.brownish_noise`; last bits as in `blue_noise_sample`."""
    height, width = images.shape[1:3]
    spectrum = torch.tensor(1 / (bar_noise.squares(height, width) + 1)).to(images.device)
    noise = torch.stack([_coloured(bits, channel, spectrum) for channel in range(3)], dim=-1)
    return _added(images, noise * (6.4 * level))


def _coloured(bits: BatchBits, lane: int, spectrum: torch.Tensor) -> torch.Tensor:
    """Noise float64 (N, H, W) of this amplitude spectrum over its standard deviation."""
    phases = bits.uint16(spectrum.numel(), lane=lane).reshape(-1, *spectrum.shape)
    noise = torch.fft.ifft2(torch.complex(spectrum * cosine(phases), spectrum * sine(phases))).real
    deviation = noise.std(dim=(1, 2), keepdim=True, correction=0)
    return torch.where(deviation == 0, 0, noise / deviation)


def perlin_noise(images: torch.Tensor, bits: BatchBits, level: float) -> torch.Tensor:
    """See `bar_noise.perlin_noise`; the same bytes."""
    height, width = images.shape[1:3]
    cell = min(height, width) / 7
    share = 0.05 * level
    turbulence = torch.zeros(images.shape[:3], dtype=torch.float64, device=images.device)
    for octave in range(5):
        turbulence += _perlin(bits, octave, height, width, cell / 2**octave, images.device).abs() * 0.5**octave
    grey = (turbulence * 0.5 + 0.5).clamp(max=1) * (255 * share)
    grey = (grey * (1 << FRACTION)).round().to(torch.int32)
    return from_fixed(images.to(torch.int32) * fixed(1 - share).item() + grey[..., None])


def _perlin(bits: BatchBits, lane: int, height: int, width: int, cell: float, device: torch.device) -> torch.Tensor:
    """Gradient noise on a lattice of `cell` pixels, (N, H, W)."""
    down, across = (quotient(axis, cell) for axis in axes(height, width, device))
    column, row = across.to(torch.int64), down[:, 0].to(torch.int64)
    shape = 2, int((height - 1) / cell) + 2, int((width - 1) / cell) + 2
    sides = (bits.uint16(math.prod(shape), lane=lane + 1).to(torch.float64) - 32767.5).reshape(-1, *shape)
    length = (sides[:, 0] * sides[:, 0] + sides[:, 1] * sides[:, 1]).sqrt()
    vertical, horizontal = sides[:, 0] / length, sides[:, 1] / length
    x = across - column
    ease = x * x * (3 - 2 * x)
    left, right = horizontal[:, :, column] * x, horizontal[:, :, column + 1] * (x - 1)
    flat = left + ease * (right - left)
    left, right = vertical[:, :, column], vertical[:, :, column + 1]
    steep = left + ease * (right - left)
    y = down - row[:, None]
    above = flat[:, row] + y * steep[:, row]
    below = flat[:, row + 1] + (y - 1) * steep[:, row + 1]
    return 1.5 * (above + y * y * (3 - 2 * y) * (below - above))


def single_frequency_greyscale(images: torch.Tensor, bits: BatchBits, level: float) -> torch.Tensor:
    """See `bar_noise.single_frequency_greyscale`; the same bytes."""
    _, height, width, _ = images.shape
    waves = [bar_noise.direction(Draws(one)) for one in bits.streams]
    y, x, phase = (each(list(numbers), images.device) for numbers in zip(*waves, strict=True))
    down, across = (torch.arange(side, device=images.device) for side in (height, width))
    places = ((down[:, None] * y + across * x + phase) & 0xFFFFFFFF) >> 16
    return _added(images, (sine(places) * (19.6 * level))[..., None])


def cocentric_sine_waves(images: torch.Tensor, bits: BatchBits, level: float) -> torch.Tensor:
    """See `bar_noise.cocentric_sine_waves`; the same bytes."""
    _, height, width, _ = images.shape
    side, device = min(height, width), images.device
    drawn = []
    for one in bits.streams:
        draws = Draws(one)
        ends = (width, height, 10, side / 10, side / 10)
        drawn.append([draws.uniform(0, end) for end in ends])
    right, down, frequency, amplitude, ring = (each(list(numbers), device) for numbers in zip(*drawn, strict=True))
    y, x = axes(height, width, device)
    y, x = y - down, x - right
    bend = sine(angle(turns(x, y) * (frequency * TURN)))
    rings = ((x * x + y * y).sqrt() + bend * amplitude) / ring
    return _added(images, ((rings - rings.floor() - 0.5) * (12.8 * level))[..., None])


def plasma_noise(images: torch.Tensor, bits: BatchBits, level: float) -> torch.Tensor:
    """See `bar_noise.plasma_noise`; the same bytes."""
    _, height, width, _ = images.shape
    device, strength = images.device, 6.4 * level
    drawn = [bar_noise.plasma(Draws(one), min(height, width)) for one in bits.streams]
    times, octaves, sharpness, scales = zip(*drawn, strict=True)
    time, count, scale = (each(list(numbers), device) for numbers in (times, octaves, scales))
    y, x = axes(height, width, device)
    y, x = y / scale, x / scale
    frequency, slow, damping = 1.0, 1.0, [1.0] * len(drawn)
    for octave in range(max(octaves)):
        offset, soft = each([one / slow for one in times], device), each(damping, device)
        along = cosine(angle((y * frequency + offset) * RADIAN)) / soft
        across = sine(angle((x * frequency + offset) * RADIAN)) / soft
        going = octave < count
        x, y = (
            torch.where(going, x + (along - across * 0.3), x),
            torch.where(going, y + (across + along * 0.3), y),
        )
        frequency, slow = frequency * 1.93, slow * 1.15
        damping = [one * (2.25 - sharp) for one, sharp in zip(damping, sharpness, strict=True)]
    still = each([float(host_sine()[host_angle(np.array(one * RADIAN))]) for one in times], device)
    gains = table(device, bar_noise.colours, strength)
    phases = (x - time, (x + y + still) * 0.5, y + time)
    added = torch.stack([take(gains, angle(phase * RADIAN)) for phase in phases], dim=-1)
    return from_fixed(images.to(torch.int32) * fixed(1 - strength / 255).item() + added)


def _added(images: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Image + noise in grey levels, clipped and truncated; see `draws.added`."""
    return clipped((noise + GUARD).floor() + images)
