"""A classifier of a spec as a function of pixels under autograd: its torch twin, and its black box."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pytest_robust.errors import RobustError
from pytest_robust.gradients import TorchGraph, load
from pytest_robust.gradients.registry import INSTEAD
from pytest_robust.models.files import read_model
from pytest_robust.models.portions import Portions
from pytest_robust.models.scoring import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pytest_robust.models import Model
    from pytest_robust.spec.plan import ModelPlan, Preprocess

LEAST = float(np.finfo(np.float32).tiny)
"""A probability below this counts as this much before its logarithm is taken."""

_AT_ONCE = 16
"""Clean images that a twin is checked on at once."""


class Victim(nn.Module):
    """Pixels -> logits: enhancer, preprocess and graph of one model, all differentiable.

    It is what `Model.predict` runs, but for two roundings: a canvas that has to be resized is not rounded to grey
    levels after that, and a model that takes uint8 is given the floats.

    Of probabilities it gives the logarithm. That differs from the logits before the softmax by one number per image,
    so gaps between classes and the cross-entropy are those of the logits, down to probabilities of 1e-38; the single
    logit is then the log-probability.

    Attributes:
        offset: outputs before the first class.
    """

    def __init__(
        self,
        graph: nn.Module,
        preprocess: Preprocess,
        *,
        offset: int = 0,
        probabilities: bool = False,
        enhancer: nn.Module | None = None,
    ) -> None:
        """Put a twin together.

        Args:
            graph: the model's input tensor -> its output.
            preprocess: canvas -> input tensor, as the spec has it.
            offset: outputs before the first class.
            probabilities: whether the output holds them, and no logits.
            enhancer: pixels -> pixels, in front of the preprocess.
        """
        super().__init__()
        self.offset = offset
        self._graph = graph
        self._enhancer = enhancer
        self._probabilities = probabilities
        self._preprocess = preprocess
        std = torch.tensor(preprocess.std, dtype=torch.float64).expand(3)
        mean = torch.tensor(preprocess.mean, dtype=torch.float64).expand(3)
        self._factor: Tensor
        self._shift: Tensor
        self.register_buffer("_factor", (255 * preprocess.scale / std).float().view(3, 1, 1))
        self.register_buffer("_shift", (mean / std).float().view(3, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """The logits of a batch.

        Args:
            pixels: RGB in [0, 1], shape (N, 3, H, W).

        Returns:
            Shape (N, outputs).

        Raises:
            RobustError: the model cannot take images of that size, or lets no gradient through and one is asked for.
        """
        if self._enhancer is not None:
            pixels = self._enhancer(pixels).clamp(0, 1)
        pixels = self._fit(pixels)
        if self._preprocess.channels == "bgr":
            pixels = pixels.flip(1)
        inputs = pixels * self._factor - self._shift
        scores: Tensor = self._graph(inputs if self._preprocess.layout == "nchw" else inputs.permute(0, 2, 3, 1))
        return as_logits(scores.flatten(1), self._probabilities)

    @property
    def sides(self) -> tuple[int, int] | None:
        """Height and width in pixels that the first graph fixes; None where it leaves one of them open."""
        shape: tuple[int | None, ...] = getattr(self._enhancer or self._graph, "shape", ())
        planar = self._enhancer is not None or self._preprocess.layout == "nchw"
        match shape[2:] if planar else shape[1:3]:
            case (int(height), int(width)):
                return height, width
        return None

    @property
    def weights(self) -> dict[str, Tensor]:
        """The graph's float constants by their names in this module, but single numbers, which are scales and the like.

        Quantized weights are none of them. `torch.func.functional_call` takes others in their place under these names.
        """
        constants = "_graph.constant_"
        return {name: value for name, value in self.named_buffers() if name.startswith(constants) and value.numel() > 1}

    def _fit(self, pixels: Tensor) -> Tensor:
        size, (height, width) = self._preprocess.size, pixels.shape[2:]
        if size is None or (height, width) == (size, size):
            return pixels
        if self._preprocess.fit == "resize":
            return functional.interpolate(pixels, (size, size), mode="bilinear", antialias=True)
        if min(height, width) < size:
            raise RobustError(
                f"a centre crop of {size} pixels was wanted from images of {height}x{width}: enlarge the geometry or "
                "set preprocess.fit: resize"
            )
        top, left = round((height - size) / 2), round((width - size) / 2)
        return pixels[:, :, top : top + size, left : left + size]


def open_victim(plan: ModelPlan, device: str | torch.device = "cpu") -> Victim:
    """The torch twin of a model of the spec, with its enhancer.

    Raises:
        RobustError: a file is missing or not as pinned, has operators without a known gradient, or does not show
            whether its output holds logits or probabilities.
    """
    graph = load(plan, device)
    file = read_model(plan.path, None if plan.candidate else plan.sha256)
    kind = kind_of(plan.output_kind, graph.output, file, "attacks by gradient")
    enhancer: TorchGraph | None = None
    if plan.enhancer:
        read_model(plan.enhancer.path, plan.enhancer.sha256)
        enhancer = load(plan.enhancer.path, device, enhancer=True)
    victim = Victim(
        graph,
        plan.preprocess,
        offset=plan.label_offset,
        probabilities=kind == "probabilities",
        enhancer=enhancer,
    )
    return victim.to(device).eval()


def as_logits(scores: Tensor, probabilities: bool) -> Tensor:
    """Logits as they are, probabilities by their logarithm."""
    return scores.clamp_min(LEAST).log() if probabilities else scores


def black_box(model: Model, probabilities: bool = False) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """A model in ONNX Runtime as a function canvases (N, H, W, 3) -> logits (N, outputs), for attacks by queries."""

    def logits(canvases: NDArray[np.uint8]) -> NDArray[np.float32]:
        scores = torch.from_numpy(model.outputs(canvases)).float()
        made: NDArray[np.float32] = as_logits(scores, probabilities).numpy()
        return made

    return logits


def as_pixels(canvases: NDArray[np.uint8], device: str | torch.device = "cpu") -> Tensor:
    """Canvases uint8 (N, H, W, 3) as pixels in [0, 1], float32 (N, 3, H, W)."""
    return torch.from_numpy(canvases).to(device).permute(0, 3, 1, 2).float().contiguous() / 255


def check_twin(
    victim: Victim, canvases: NDArray[np.uint8], predicted: NDArray[np.uint16], *, least: float = 0.95
) -> float:
    """The share of clean images on which the twin says what ONNX Runtime says.

    Float models agree on all but near ties; graphs with integer kernels disagree now and then.

    Args:
        victim: the twin.
        canvases: clean images, uint8 (N, H, W, 3), N at least 1.
        predicted: ONNX Runtime's classes, uint16 (N,).
        least: the share that must agree.

    Raises:
        RobustError: fewer agree, so that attacks on the twin would say little of the model; or memory runs out for one.
    """
    device = next(victim.buffers()).device
    with torch.no_grad():
        portions = Portions(_AT_ONCE)
        columns = portions(len(canvases), lambda here: victim(as_pixels(canvases[here], device)).argmax(1))
        top = torch.cat(columns).cpu().numpy() - victim.offset
    share = float(np.mean(top.astype(np.uint16) == predicted))
    if share < least:
        raise RobustError(
            f"the torch twin agrees with ONNX Runtime on {share:.1%} of {len(predicted)} clean images and {least:.0%} "
            f"are needed: {INSTEAD}"
        )
    return share
