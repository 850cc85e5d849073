"""One attack on one source, batch by batch: crafted on the torch twin, confirmed by ONNX Runtime. It imports torch."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pytest_robust.attacks import (
    Confirmed,
    Crafted,
    Samples,
    Square,
    black_box,
    check_twin,
    choose_targets,
    confirm,
    craft,
    craft_by_queries,
    open_victim,
)
from pytest_robust.attacks.named import named
from pytest_robust.errors import RobustError
from pytest_robust.models.portions import ran_out
from pytest_robust.models.runtime import telling
from pytest_robust.models.scoring import look_like_probabilities

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pytest_robust.attacks import Victim
    from pytest_robust.data import Dataset
    from pytest_robust.models import Model
    from pytest_robust.spec.plan import CellPlan


class Attacker:
    """Attacks samples that the source has right.

    Args:
        cell: whose attack and source.
        model: the source in ONNX Runtime.
        dataset: the samples.
        seed: the spec's.
        threads: cores to craft on.
    """

    def __init__(self, cell: CellPlan, model: Model, dataset: Dataset, seed: int, threads: int) -> None:
        self._cell = cell
        self._model = model
        self._dataset = dataset
        self._seed = seed
        self._threads = threads
        parameters: Any = cell.shift.parameters
        self._parameters = parameters

    def __call__(
        self, images: NDArray[np.uint8], at: NDArray[np.intp], predicted: NDArray[np.uint16]
    ) -> tuple[Confirmed, NDArray[np.int64] | None]:
        """Attack a batch.

        Args:
            images: clean canvases, uint8 (N, H, W, 3).
            at: their positions among the samples.
            predicted: what the source says of them, their labels.

        Returns:
            The outcome, and the targets where the attack has such; a sample whose target is its label is left clean.

        Raises:
            RobustError: the source lets no gradient through, or refuses the attack's numbers.
        """
        samples = self._dataset.samples
        ids = [samples.ids[i] for i in at.tolist()]
        labels = samples.labels[at].astype(np.int64)
        targets = self._targets(images, labels, ids)
        batch = Samples(images, labels, predicted, ids, targets)
        with torch_threads(self._threads):
            with self._placed():
                crafted = self._craft(batch)
            return confirm(lambda shown: self._model.predict(shown).predicted, crafted, batch), targets

    @property
    def by_gradient(self) -> bool:
        """Whether the attack asks the twin for anything, so that the twin must be as the source is."""
        return bool(self._parameters["attack"] != "square" and self._parameters.get("epsilon") != 0)

    def check(self, images: NDArray[np.uint8], predicted: NDArray[np.uint16]) -> None:
        """Hold the twin against the source.

        Args:
            images: clean canvases, uint8 (N, H, W, 3).
            predicted: what the source says of them.

        Raises:
            RobustError: they differ, or the source lets no gradient through.
        """
        with torch_threads(self._threads), self._placed():
            # one near tie among a few images says nothing
            check_twin(self._victim, images, predicted, least=min(0.95, 1 - 1 / len(images)))

    def _craft(self, batch: Samples) -> Crafted:
        count = len(batch.ids)
        if self._parameters.get("epsilon") == 0:
            return Crafted(batch.attacked, batch.canvases.copy(), np.zeros(count, np.bool_), np.zeros(count, np.int64))
        attack, offset = named(self._parameters), self._cell.source.label_offset
        if isinstance(attack, Square):
            probabilities = look_like_probabilities(self._model.outputs(batch.canvases))
            logits = black_box(self._model, probabilities)
            return craft_by_queries(attack, logits, batch, offset=offset, seed=self._seed)
        return craft(attack, self._victim, batch, seed=self._seed)

    def _targets(
        self, images: NDArray[np.uint8], labels: NDArray[np.int64], ids: list[str]
    ) -> NDArray[np.int64] | None:
        kind = self._parameters.get("targeted")
        if kind is None:
            return None
        offset, classes = self._cell.source.label_offset, self._dataset.classes
        first = max(-offset, 0)
        scores = self._model.outputs(images)[:, max(offset, 0) :]
        with self._placed():
            scores = scores[:, : None if classes is None else classes - first]
            return choose_targets(kind, scores, labels, ids, self._seed, first=first)

    @contextmanager
    def _placed(self) -> Iterator[None]:
        """What the attacks say of numbers, with the line that gives these; what is said of a model names its own."""
        mark, label, source = self._cell.shift.mark, self._cell.shift.label, self._cell.source.name
        try:
            yield
        except Exception as error:
            if str(error).startswith(f"{mark.file}:"):
                raise
            if ran_out(error):
                said = str(error.__cause__ or error)
                raise RobustError(
                    f"{mark}: memory ran out for {label} on {source}{f' ({telling(said)})' if said else ''}: make a "
                    "pack by pytest-robust craft where there is more of it, and show that by `pack:`"
                ) from error
            if isinstance(error, RobustError):
                raise RobustError(f"{mark}: {error}") from error
            raise

    @cached_property
    def _victim(self) -> Victim:
        return open_victim(self._cell.source, "cpu" if self._model.gpu is None else f"cuda:{self._model.gpu}")


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use the cores of this process, and no more, meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
