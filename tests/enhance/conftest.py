"""Enhancers small enough for tests, and the digits' classifier."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pytest_robust.attacks import Victim, open_victim
from pytest_robust.enhance import DynTTA
from pytest_robust.spec.plan import Preprocess
from tests.conftest import CHECKOUT
from tests.models.opening import plan_of
from tests.one_thread import one_thread  # noqa: F401

HALVES = Preprocess(mean=(0.5,) * 3, std=(0.5,) * 3)
RESNET = CHECKOUT / "specs" / "resnet.onnx"


@pytest.fixture(scope="session")
def victim() -> Victim:
    return open_victim(plan_of(RESNET, preprocess=HALVES))


def awake(size: str = "small", seed: int = 0) -> DynTTA:
    """An enhancer in eval mode whose weights are such that every part of it has a say."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = DynTTA(size)  # type: ignore[arg-type]
        with torch.no_grad():
            for value in made.parameters():
                value.add_(0.05 * torch.randn_like(value))
            made.estimator[-1].bias[50:] = torch.randn(50)  # type: ignore[index]
    return made.eval()


def pictures(count: int = 4, height: int = 12, width: int = 12, seed: int = 0) -> torch.Tensor:
    """Whole grey levels in [0, 1], (N, 3, H, W)."""
    drawn = np.random.default_rng(seed).integers(0, 256, (count, 3, height, width))
    return torch.from_numpy(drawn).float() / 255
