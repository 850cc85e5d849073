"""Changes of colour, light and sharpness, as Pillow's enhancers define them, with one magnitude per image.

Images are floats (N, 3, H, W) in [0, 1], magnitudes (N,); what leaves [0, 1] is clipped.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601."""

_LEAST = 1e-6
"""A pixel below this counts as this much where a power is taken: at 0 a small exponent has no finite slope."""


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Move away from grey: 0 is grey, 1 changes nothing."""
    grey = _luma(images)
    return (grey + _spread(factor) * (images - grey)).clamp(0, 1)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Move away from the image's mean luminance: 0 is flat, 1 changes nothing."""
    mean = _luma(images).mean((2, 3), keepdim=True)
    return (mean + _spread(factor) * (images - mean)).clamp(0, 1)


def sharpness(images: Tensor, factor: Tensor) -> Tensor:
    """Move away from the image smoothed by 1 1 1, 1 5 1, 1 1 1: 0 is smooth, 1 changes nothing; the rim stays.

    The images have 3 x 3 pixels or more.
    """
    inner = images[:, :, 1:-1, 1:-1]
    smooth = (9 * functional.avg_pool2d(images, 3, 1) + 4 * inner) / 13
    detail = functional.pad(inner - smooth, (1, 1, 1, 1))
    return (images + (_spread(factor) - 1) * detail).clamp(0, 1)


def brightness(images: Tensor, step: Tensor) -> Tensor:
    """Add to every value; 0 changes nothing."""
    return (images + _spread(step)).clamp(0, 1)


def hue(images: Tensor, radians: Tensor) -> Tensor:
    """Turn the hue of the HSV hexcone, whose full turn is 2 pi; value and saturation stay."""
    red, green, blue = images.unbind(1)
    value, chroma = images.amax(1), images.amax(1) - images.amin(1)
    divisor = chroma.clamp_min(1e-8)
    sixth = torch.where(
        red == value,
        (green - blue) / divisor,
        torch.where(green == value, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    turned = sixth + (radians * (3 / torch.pi)).view(-1, 1, 1)
    planes = []
    for start in (5, 3, 1):
        place = turned + start
        place = place - 6 * (place / 6).floor()
        planes.append(value - chroma * torch.minimum(place, 4 - place).clamp(0, 1))
    return torch.stack(planes, 1)


def invert(images: Tensor) -> Tensor:
    """The image's largest value minus every value.

    DynTTA takes the largest value of the whole batch; here no image may depend on its neighbours.
    """
    return images.amax((1, 2, 3), keepdim=True) - images


def gamma(images: Tensor, exponent: Tensor) -> Tensor:
    """Every value to a power of 0 or more; 1 changes nothing."""
    made: Tensor = images.clamp_min(_LEAST) ** _spread(exponent)
    return made


def _luma(images: Tensor) -> Tensor:
    red, green, blue = images.unbind(1)
    return (_LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue).unsqueeze(1)


def _spread(magnitudes: Tensor) -> Tensor:
    return magnitudes.view(-1, 1, 1, 1)
