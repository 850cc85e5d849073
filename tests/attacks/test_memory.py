"""Where memory runs out for a twin, scores and fingerprints are made of fewer images at once and are the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from pytest_robust.attacks import Clever, Recipe, Victim, check_twin, clever, make_fingerprint, other_classes
from pytest_robust.errors import RobustError
from tests.attacks.conftest import Source
from tests.attacks.linear import SIDE, linear

SAID = "CUDA out of memory. Tried to allocate 20.00 MiB."


@contextmanager
def hungry(victim: Victim, room: int, *, climbing: bool = False) -> Iterator[list[int]]:
    """Let a twin fail on more than `room` images, or only where their gradient is asked for; gives how many it saw."""
    shown: list[int] = []

    def look(module: torch.nn.Module, given: tuple[torch.Tensor]) -> None:
        shown.append(len(given[0]))
        if len(given[0]) > room and (given[0].requires_grad or not climbing):
            raise torch.OutOfMemoryError(SAID)

    handle = victim.register_forward_pre_hook(look)
    try:
        yield shown
    finally:
        handle.remove()


def test_scores_of_clever_do_not_depend_on_how_many_points_fit() -> None:
    victim, images = linear(3), np.full((2, SIDE, SIDE, 3), 128, np.uint8)
    labels = np.zeros(2, np.int64)
    config = Clever("l2", batches=3, points=70)

    def scores() -> np.ndarray:
        return clever(config, victim, images, labels, "ab", other_classes(labels, 3)).scores

    plain = scores()
    assert np.isfinite(plain).all()
    with hungry(victim, 10) as shown:
        np.testing.assert_allclose(scores(), plain, rtol=1e-6)
    assert shown.count(64) == 1, "what did not suffice is not tried again"
    assert max(shown[4:]) == 8


def test_one_point_that_does_not_fit_is_a_sentence(digits: Source) -> None:
    images, labels = digits.samples.canvases[:2], digits.samples.labels[:2].astype(np.int64)
    targets = other_classes(labels, 10)[:, :1]
    said = pytest.raises(RobustError, match=r"^memory ran out for 1 image at once: CUDA out of memory")
    with hungry(digits.victim, 0, climbing=True), said:
        clever(Clever(batches=2, points=4), digits.victim, images, labels, "ab", targets)


def test_a_twin_is_checked_on_as_many_images_as_fit(digits: Source) -> None:
    images = digits.samples.canvases
    share = check_twin(digits.victim, images, digits.predict(images))
    with hungry(digits.victim, 3) as shown:
        assert check_twin(digits.victim, images, digits.predict(images)) == share
    assert max(shown[3:]) == 2
    with hungry(digits.victim, 0), pytest.raises(RobustError, match="memory ran out for 1 image at once"):
        check_twin(digits.victim, images, digits.predict(images))


def test_a_fingerprint_is_made_of_as_many_images_as_fit(digits: Source) -> None:
    recipe, sides = Recipe("rc", iterations=3, draws=1), digits.samples.canvases.shape[1:3]

    def made() -> tuple[np.ndarray, tuple[str, ...]]:
        found = make_fingerprint(recipe, digits.victim, digits.predict, sides, count=8, batch_size=20)
        return found.images, found.notes

    plain, none = made()
    assert none == ()
    with hungry(digits.victim, 7):
        few, notes = made()
    assert np.abs(few.astype(int) - plain).mean() < 0.01, "the same, but for the last bits of floats"
    assert notes == ("memory did not suffice for making 20 images at once; it went on with 5",)
    said = pytest.raises(RobustError, match="memory ran out for 1 image at once")
    with hungry(digits.victim, 0, climbing=True), said:
        make_fingerprint(recipe, digits.victim, digits.predict, sides, count=8, classes=10)
