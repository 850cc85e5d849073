"""A small trained classifier of real digits, as a torch twin and in ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_robust.attacks import Samples, Victim, open_victim
from pytest_robust.data import digits_arrays
from pytest_robust.models import Model
from pytest_robust.spec.plan import Preprocess
from tests.conftest import CHECKOUT
from tests.models.opening import opened, plan_of
from tests.one_thread import one_thread  # noqa: F401


@dataclass(frozen=True)
class Source:
    victim: Victim
    model: Model
    samples: Samples

    def predict(self, canvases: NDArray[np.uint8]) -> NDArray[np.uint16]:
        return self.model.predict(canvases).predicted


def source_of(
    path: Path, canvases: NDArray[np.uint8], labels: NDArray[np.integer], ids: tuple[str, ...], preprocess: Preprocess
) -> Source:
    model = opened(path, batch_size=32, preprocess=preprocess)
    samples = Samples(canvases, labels.astype(np.int64), model.predict(canvases).predicted, ids)
    return Source(open_victim(plan_of(path, preprocess=preprocess)), model, samples)


@pytest.fixture(scope="session")
def digits() -> Source:
    """The ResNet of the demonstration on 24 test digits."""
    canvases, labels, ids = digits_arrays("test")
    halves = Preprocess(mean=(0.5,) * 3, std=(0.5,) * 3)
    return source_of(CHECKOUT / "specs" / "resnet.onnx", canvases[:24], labels[:24], ids[:24], halves)
