"""What a training refuses, before it begins and after an epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.enhance.images import Images

_LEAST_SIDE = 8
"""In pixels: of a smaller image the quarter has no statistics to train by."""


def first_and_last(images: Images, labels: Sequence[int], ids: Sequence[str]) -> NDArray[np.uint8]:
    """The first and the last canvas, uint8 (2, H, W, 3), held to what canvases are.

    Raises:
        RobustError: there are fewer images than labels, or not as many ids; or these two are no canvases, or too small.
    """
    if len(ids) != len(labels):
        raise RobustError(f"there are {len(labels)} labels and {len(ids)} ids; give both for each image")
    try:
        shown = images[np.array([0, len(labels) - 1])]
    except IndexError as error:
        raise RobustError(f"there are {len(labels)} labels and fewer images; give one for each image") from error
    if shown.dtype != np.uint8 or shown.ndim != 4 or shown.shape[3] != 3:
        raise RobustError(f"images are uint8 (N, H, W, 3), RGB; convert these, of {shown.dtype} {shown.shape[1:]} each")
    height, width = shown.shape[1:3]
    if min(height, width) < _LEAST_SIDE:
        raise RobustError(f"the images have {height}x{width} pixels; train on {_LEAST_SIDE}x{_LEAST_SIDE} or more")
    return shown


def check_classifier(classifier: nn.Module, pixels: Tensor, labels: Sequence[int]) -> None:
    """Show it some images (N, 3, H, W) in [0, 1].

    Raises:
        RobustError: it gives no logits (N, outputs), or nan, lets no gradient through, or has no output for a label.
    """
    with torch.enable_grad():
        made = classifier(pixels.clone().requires_grad_())
    if not isinstance(made, Tensor) or made.ndim != 2 or len(made) != len(pixels):
        found = f"a tensor of shape {tuple(made.shape)}" if isinstance(made, Tensor) else f"a {type(made).__name__}"
        raise RobustError(f"of {len(pixels)} images the classifier makes {found}; wrap it to give logits (N, outputs)")
    if bool(made.isnan().any()):
        raise RobustError("the classifier makes nan of clean images; correct its weights or its preprocessing")
    if not made.requires_grad:
        raise RobustError(_deaf("its output is detached from its input"))
    outputs = made.shape[1]
    wrong = [label for label in labels if not 0 <= label < outputs]
    if wrong:
        raise RobustError(
            f"a label asks for output {wrong[0]} of the classifier, which has the outputs 0 to {outputs - 1}; give the "
            "labels of its classes"
        )


def is_reached(enhancer: nn.Module) -> bool:
    """Whether a gradient came through to any of its parameters."""
    return any(one.grad is not None and bool(one.grad.any()) for one in enhancer.parameters())


def check_learnt(enhancer: nn.Module, reached: bool, epoch: int) -> None:
    """Refuse what an epoch has made of an enhancer, counted from 0; `reached` says whether any gradient was there.

    Raises:
        RobustError: none was, or a number of its state is not finite.
    """
    if not reached:
        raise RobustError(_deaf(f"all gradients of epoch {epoch + 1} were 0"))
    if not all(bool(one.isfinite().all()) for one in enhancer.state_dict().values()):
        raise RobustError(f"a weight was no finite number after epoch {epoch + 1}; train with a smaller learning rate")


def _deaf(why: str) -> str:
    return f"no gradient comes through the classifier ({why}); train through one without rounding or argmax"
