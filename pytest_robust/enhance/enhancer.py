"""DynTTA (arXiv 2212.04681): augmentations of the test image, blended as an estimator says."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from pytest_robust.enhance.augmentations import LOW_PASS, RULES, SINGLE
from pytest_robust.enhance.augmentations.frequency import filter_bank
from pytest_robust.enhance.networks import ImageToImage, resnet18, small_resnet
from pytest_robust.models.augmentations import NAMES, NETWORK

Size = Literal["small", "resnet18"]

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_FIRST_SHARE = 0.9
"""The network's weight before training: with the magnitudes neutral and the network an identity, an untrained enhancer
changes little, which stands in for pretrained weights."""


class DynTTA(nn.Module):
    """Pixels -> enhanced pixels, magnitudes and weights.

    An image's result depends on that image alone once the module is in eval mode.
    """

    def __init__(self, size: Size) -> None:
        """Build it with random weights.

        Args:
            size: ``resnet18`` as in the paper; ``small``, in proportion for images of about 32 pixels.
        """
        super().__init__()
        build, width = (resnet18, 32) if size == "resnet18" else (small_resnet, 8)
        self.estimator = build(2 * len(NAMES))
        self.network = ImageToImage(width)
        self._mean: Tensor
        self._std: Tensor
        self.register_buffer("_mean", torch.tensor(_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("_std", torch.tensor(_STD).view(3, 1, 1), persistent=False)
        last = self.estimator[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, std=0.01)
        with torch.no_grad():
            last.bias.zero_()
            for place, one in enumerate(RULES):
                if one.magnitude is not None:
                    last.bias[place] = one.magnitude.neutral_raw
            last.bias[-1] = math.log(len(RULES) * _FIRST_SHARE / (1 - _FIRST_SHARE))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Enhance a batch.

        Args:
            images: RGB in [0, 1], shape (N, 3, H, W), sides of 4 or more.

        Returns:
            The enhanced images in [0, 1], of the same shape; the magnitudes (N, 50), 0 for augmentations without one;
            the weights (N, 50), which sum to 1. Columns are `models.augmentations.NAMES`.
        """
        raw, scores = self.estimator((images - self._mean) / self._std).chunk(2, 1)
        weights = scores.softmax(1)
        columns = [raw[:, place] for place in range(len(RULES))]
        magnitudes = torch.stack(
            [
                torch.zeros_like(column) if one.magnitude is None else one.magnitude(column)
                for one, column in zip(RULES, columns, strict=True)
            ]
            + [torch.zeros_like(columns[0])],
            1,
        )
        return blend(images, magnitudes, weights, self.network(images)), magnitudes, weights


def blend(images: Tensor, magnitudes: Tensor, weights: Tensor, network: Tensor) -> Tensor:
    """The augmentations' sum, each times its weight.

    Args:
        images: in [0, 1], (N, 3, H, W).
        magnitudes: (N, 50).
        weights: (N, 50).
        network: what the image-to-image network makes of the images.

    Returns:
        Images in [0, 1].
    """
    share = weights.view(-1, len(NAMES), 1, 1, 1)
    made = share[:, NAMES.index(NETWORK)] * network
    for place, one in enumerate(SINGLE):
        made = made + share[:, place] * one(images, magnitudes[:, place])
    first, second = len(SINGLE), len(SINGLE) + len(LOW_PASS)
    made = made + filter_bank(images, weights[:, first:second], weights[:, second : len(RULES)])
    return made.clamp(0, 1)
