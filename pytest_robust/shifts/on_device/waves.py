"""Sine, arc tangent and power by the tables of `pytest_robust.shifts.waves`, in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pytest_robust.shifts import waves
from pytest_robust.shifts.on_device.pixels import table, take

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def sine(angles: torch.Tensor) -> torch.Tensor:
    """Of whole parts of a turn, 0 to 65,535; see `waves.sine`."""
    return take(table(angles.device, waves.sine), angles)


def cosine(angles: torch.Tensor) -> torch.Tensor:
    """As `sine`."""
    return take(table(angles.device, waves.cosine), angles)


def angle(values: torch.Tensor) -> torch.Tensor:
    """See `waves.angle`; int64."""
    return values.round().to(torch.int64) & (waves.TURN - 1)


def turns(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """See `waves.turns`."""
    high, wide = y.abs(), x.abs()
    longer = torch.maximum(high, wide)
    ratio = torch.minimum(high, wide) / torch.where(longer == 0, 1, longer)
    eighth = take(table(y.device, waves.arc), (ratio * waves.SLOTS).round().to(torch.int64))
    quarter = torch.where(high > wide, 0.25 - eighth, eighth)
    return torch.copysign(torch.where(x < 0, 0.5 - quarter, quarter), y)


def power(values: torch.Tensor, exponent: float) -> torch.Tensor:
    """See `waves.power`."""
    patterns = values.contiguous().view(torch.int64)
    mantissas, scales = (table(values.device, _powers, exponent, part) for part in (0, 1))
    binary = ((patterns >> 52) - (1023 - waves.REACH)).clamp(0, len(scales) - 1)
    return take(mantissas, (patterns & waves.MANTISSA) >> 36) * take(scales, binary)


def _powers(exponent: float, part: int) -> NDArray[np.float64]:
    return waves.powers(exponent)[part]


def axes(height: int, width: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows (H, 1) and columns (W,), float64."""
    y, x = (torch.arange(side, dtype=torch.float64, device=device) for side in (height, width))
    return y[:, None], x


def each(numbers: list[float] | list[int], device: torch.device) -> torch.Tensor:
    """A number of each image, (N, 1, 1): float64 or int64."""
    made = torch.tensor(numbers, dtype=torch.float64 if isinstance(numbers[0], float) else torch.int64)
    return made.to(device)[:, None, None]
