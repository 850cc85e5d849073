"""CLEVER beyond linear models, and the law behind it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import weibull_max
from torch import nn

from pytest_robust.attacks import Clever, Victim, clever
from pytest_robust.attacks.norms import Norm
from pytest_robust.attacks.reverse_weibull import upper_end
from pytest_robust.errors import RobustError
from pytest_robust.spec.plan import Preprocess


@pytest.mark.parametrize("shape", [2.0, 6.0])
def test_the_end_of_a_reverse_weibull_law_is_found(shape: float) -> None:
    drawn = weibull_max.rvs(shape, loc=10.0, scale=2.0, size=500, random_state=np.random.default_rng(0))
    end = upper_end(drawn)
    assert end.fitted
    assert end.p > 0.05
    assert end.value == pytest.approx(10.0, abs=0.25)
    assert end.value >= drawn.max()


def test_the_end_moves_and_scales_with_the_values() -> None:
    drawn = weibull_max.rvs(3.0, size=200, random_state=np.random.default_rng(1))
    plain, moved = upper_end(drawn + 2), upper_end(1e4 * (drawn + 2))
    assert moved.value == pytest.approx(1e4 * plain.value, rel=1e-6)


def test_what_no_law_fits_gives_the_largest_value() -> None:
    two = np.repeat([1.0, 2.0], 200)
    assert upper_end(two) == (2.0, False, pytest.approx(0, abs=1e-3))
    assert upper_end(np.full(50, 3.0)) == (3.0, False, 0.0)
    assert upper_end(np.array([1.0, 2.0])) == (2.0, False, 0.0)
    for wrong in (np.nan, np.inf):
        with pytest.raises(ValueError, match="no finite number"):
            upper_end(np.array([1.0, wrong, 2.0]))


def test_a_slope_that_floats_cannot_hold_is_refused() -> None:
    """Finite gradients, the square of whose length is not."""

    class Steep(nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            total = 1e25 * pixels.flatten(1).sum(1)
            return torch.stack([total, -total], 1)

    images = np.zeros((1, 2, 2, 3), np.uint8)
    config = Clever("l2", batches=2, points=2)
    with pytest.raises(RobustError, match="the gradient around the image a is no finite number"):
        clever(config, Victim(Steep(), Preprocess()), images, np.array([0]), ("a",), np.array([[1]]))


class Rising(nn.Module):
    """Two logits whose gap is ``8 - sum of s(x)``, steeper the brighter: s' = 1 + x, so its slope is known."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        total = (pixels + pixels**2 / 2).flatten(1).sum(1)
        return torch.stack([8 - total, torch.zeros_like(total)], 1)


@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2), ("l1", np.inf)])
def test_the_slope_is_the_largest_within_reach_and_never_beyond(norm: Norm, dual: float) -> None:
    radius = {"linf": 0.1, "l2": 0.3, "l1": 0.5}[norm]
    canvases = np.full((1, 2, 2, 3), 51, np.uint8)
    made = clever(
        Clever(norm, batches=40, points=32, radius=radius),
        Victim(Rising(), Preprocess()),
        canvases,
        np.array([0]),
        ("a",),
        np.array([[1]]),
    )
    at_image = np.linalg.norm(np.full(12, 1.2), dual)
    beyond = {"linf": 12 * 1.3, "l2": at_image + radius, "l1": 1.2 + radius}[norm]
    assert at_image < made.slopes[0, 0] <= beyond * 1.02
    gap = 8 - 12 * (0.2 + 0.02)
    assert made.scores[0, 0] == pytest.approx(min(gap / made.slopes[0, 0], radius))


def test_points_depend_on_the_seed_and_the_id_alone() -> None:
    canvases, labels = np.full((2, 2, 2, 3), 51, np.uint8), np.zeros(2, np.int64)
    targets = np.ones((2, 1), np.int64)

    def slopes(ids: tuple[str, ...], seed: int = 0) -> list[float]:
        victim, count = Victim(Rising(), Preprocess()), len(ids)
        config = Clever(batches=4, points=70)
        made = clever(config, victim, canvases[:count], labels[:count], ids, targets[:count], seed=seed)
        return made.slopes[:, 0].tolist()

    both = slopes(("a", "b"))
    assert both[0] != both[1]
    assert slopes(("b",)) == both[1:]
    assert slopes(("a", "b")) == both
    assert slopes(("a", "b"), seed=1) != both
