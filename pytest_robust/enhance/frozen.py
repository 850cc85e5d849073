"""How things are while an enhancer is trained."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """The module in eval mode and without gradients of its own; as it was afterwards."""
    modes = [(one, one.training) for one in module.modules()]
    wanted = [(one, one.requires_grad) for one in module.parameters()]
    module.eval().requires_grad_(False)
    try:
        yield
    finally:
        for one, training in modes:
            one.training = training
        for parameter, requires in wanted:
            parameter.requires_grad_(requires)


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """On a CPU every operator can be; on a GPU some have no such kernel."""
    before = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(device.type == "cpu" or before)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warns)
