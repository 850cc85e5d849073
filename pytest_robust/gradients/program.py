"""What a graph becomes: kernels in order, each value freed after its last use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from pytest_robust.gradients.registry import Kernel
    from pytest_robust.models.files import ModelFile

NOTHING, ANCHOR, IMAGES = range(3)
"""The first slots: an input left out, the empty tensor of the graph's precision and device, the images."""


@dataclass(frozen=True, slots=True)
class Step:
    """One kernel call; numbers are slots."""

    kernel: Kernel
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    free: tuple[int, ...]
    label: str


@dataclass(frozen=True, slots=True)
class Program:
    """What a graph computes.

    Attributes:
        steps: in order.
        constants: slot -> value, float32, int64 or bool on the CPU.
        output: the slot of the result.
        slots: how many there are.
        quantized: the slots of `constants` whose floats are whole numbers that stand for others.
    """

    steps: tuple[Step, ...]
    constants: dict[int, Tensor]
    output: int
    slots: int
    quantized: frozenset[int]


def call(step: Step, arguments: Sequence[Tensor | None], file: ModelFile) -> tuple[Tensor, ...]:
    """What the step makes, always as a tuple.

    Raises:
        RobustError: torch refuses these values; memory that runs out is left to the caller.
    """
    try:
        made = step.kernel(*arguments)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, IndexError) as error:
        shapes = ", ".join(str(tuple(one.shape)) for one in arguments if one is not None)
        why = str(error).split("\n", 1)[0].rstrip(". ")
        raise file.error(f"failed at the node {step.label} on values of shape {shapes}: {why}") from error
    return made if isinstance(made, tuple) else (made,)
