"""Stretching and equalising histograms of 256 levels, per image and channel.

Steps have no slope, so gradients pass straight through, as if nothing had been done. Images are floats (N, 3, H, W) in
[0, 1], up to 2**24 pixels, and are rounded to levels first.
"""

from __future__ import annotations

import torch
from torch import Tensor

_LEVELS = 256


def autocontrast(images: Tensor) -> Tensor:
    """Stretch each channel: ``floor((v - min) * 255 / (max - min + 0.1))`` for the level v."""
    levels = (images * 255).round()
    low, high = levels.amin((2, 3), keepdim=True), levels.amax((2, 3), keepdim=True)
    return _straight_through(images, ((levels - low) * 255 / (high - low + 0.1)).floor())


def equalize(images: Tensor) -> Tensor:
    """Give each channel a flat histogram, by the rule of Pillow's ``ImageOps.equalize``."""
    levels = (images.detach() * 255).round().clamp(0, 255).long().flatten(2)
    counts = torch.zeros_like(levels[:, :, :1]).to(images.dtype).expand(-1, -1, _LEVELS)
    counts = counts.scatter_add(2, levels, torch.ones_like(levels).to(images.dtype))
    last = counts.gather(2, levels.amax(2, keepdim=True))
    step = ((counts.sum(2, keepdim=True) - last) / 255).floor()
    below = counts.cumsum(2) - counts
    divisor = step.clamp_min(1)
    table = (((divisor / 2).floor() + below) / divisor).floor().clamp_max(255)
    same = torch.arange(_LEVELS, dtype=images.dtype, device=images.device).expand_as(table)
    table = torch.where(step > 0, table, same)
    return _straight_through(images, table.gather(2, levels).view_as(images))


def _straight_through(images: Tensor, levels: Tensor) -> Tensor:
    return images + (levels / 255 - images).detach()
