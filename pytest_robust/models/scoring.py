"""From a model's outputs to what they say of the true labels, sample by sample.

The outputs that may be predicted share a probability of 1: logits by their softmax, probabilities by their sum. So a
background class that was cut off, or classes that a label subset leaves out, change nothing between a model that
gives logits and the same model with a softmax behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.measurement import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.models.endings import OutputKind
    from pytest_robust.models.files import ModelFile

LEAST = 2.0**-23
"""Probabilities count as this much in the log-likelihood, the step of float32 at 1, if they are less: 15.9 nats."""

_ROUNDING = 1e-2
_STEPS = 256
"""Quantized probabilities come in that many steps or more, and each may be one step off."""


def kind_of(stated: OutputKind | None, output: str, file: ModelFile, wanting: str = "scores") -> OutputKind:
    """Whether an output holds logits or probabilities: as the spec states it, or as the graph shows.

    Args:
        stated: by the spec.
        output: its name.
        file: the model.
        wanting: what must know it, for the sentence.

    Raises:
        RobustError: the spec does not say and the graph does not show it.
    """
    if stated:
        return stated
    match file.endings.get(output):
        case "logits":
            return "logits"
        case "probabilities":
            return "probabilities"
    raise file.error(
        f"ends in {file.endings.get(output)}, which does not show whether {output!r} holds logits or probabilities: "
        f"for {wanting} set output: {{kind: logits}} or {{kind: probabilities}}"
    )


@dataclass(frozen=True, slots=True)
class Scorer:
    """Scores the outputs of one model.

    Attributes:
        kind: what the outputs are.
        offset: outputs before the first class.
        file: the model, for the messages.
    """

    kind: OutputKind
    offset: int
    file: ModelFile

    def __call__(self, outputs: NDArray[Any], labels: NDArray[np.integer], kept: Sequence[int] | None = None) -> Scores:
        """Score a batch in float64; what is said of a sample depends on its own outputs alone.

        Args:
            outputs: finite, float, shape (B, outputs).
            labels: true classes, shape (B,).
            kept: the classes that may be predicted; all outputs, with those before the first class, unless given.

        Raises:
            RobustError: probabilities that are none.
        """
        if self.kind == "probabilities":
            self._check(outputs)
        if kept is None:
            own = labels.astype(np.int64) + self.offset
            known = (own >= 0) & (own < outputs.shape[1])
        else:
            outputs = outputs[:, np.array(kept, np.int64) + self.offset]
            matches = labels[:, None] == np.array(kept, np.int64)
            own, known = matches.argmax(axis=1), matches.any(axis=1)
        # Rows side by side in memory are summed in one order, whatever the number of rows.
        rows = np.ascontiguousarray(outputs, np.float64)
        own = np.where(known, own, 0)[:, None]
        raw = np.take_along_axis(rows, own, axis=1)
        before = np.arange(rows.shape[1]) < own
        rank = ((rows > raw) | ((rows == raw) & before)).sum(axis=1)
        chances = _softmax(rows) if self.kind == "logits" else _shares(rows)
        chance = np.take_along_axis(chances, own, axis=1)
        confidence = chances.max(axis=1)
        np.put_along_axis(chances, own, chance - 1, axis=1)
        return Scores(
            top5=known & (rank < 5),
            confidence=confidence.astype(np.float32),
            nll=np.where(known, -np.log(np.maximum(chance[:, 0], LEAST)), np.nan).astype(np.float32),
            brier=np.where(known, np.square(chances).sum(axis=1), np.nan).astype(np.float32),
            outputs=self.kind,
        )

    def _check(self, outputs: NDArray[Any]) -> None:
        least, most = float(outputs.min()), float(outputs.max())
        total = float(outputs.sum(axis=1, dtype=np.float64).max())
        room = outputs.shape[1] / _STEPS if self.file.integer else _ROUNDING
        if least < 0 or most > 1 + _ROUNDING or total > 1 + room:
            raise self.file.error(
                f"gives numbers from {least:.4g} to {most:.4g} with sums up to {total:.4g}, no probabilities: "
                "set output: {kind: logits}, or name another"
            )


def joined(parts: Sequence[Scores]) -> Scores:
    """The scores of several batches of one model as one."""
    return Scores(
        top5=np.concatenate([part.top5 for part in parts]),
        confidence=np.concatenate([part.confidence for part in parts]),
        nll=np.concatenate([part.nll for part in parts]),
        brier=np.concatenate([part.brier for part in parts]),
        outputs=parts[0].outputs,
    )


def look_like_probabilities(outputs: NDArray[Any]) -> bool:
    """Whether every row lies in [0, 1] and sums to 1, which those of logits never all do."""
    sums = outputs.sum(axis=1, dtype=np.float64)
    return bool(outputs.min() >= 0 and np.abs(sums - 1).max() <= _ROUNDING)


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return _shares(np.exp(logits - logits.max(axis=1, keepdims=True)))


def _shares(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each value's share of its row's sum. A row that quantization rounded to zeros says nothing: equal shares."""
    sums = values.sum(axis=1, keepdims=True)
    shares: NDArray[np.float64] = np.where(sums > 0, values, 1)
    shares /= shares.sum(axis=1, keepdims=True)
    return shares
