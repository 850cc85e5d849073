"""From a model's outputs to predicted classes: which output, its shape, the label offset, ties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.measurement import NO_LABEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.measurement import Scores
    from pytest_robust.models.files import ModelFile

NEAR_TIE = 1e-3
"""Share of the size of a sample's outputs under which a margin may flip between devices.

Float32 differs between a CPU and CUDA by about 1e-7 to 1e-6 of the outputs' size, TF32 and float16 by up to
1e-3, so the bound is generous for float32. Integer kernels differ by more, and have device classes.
"""

_SCORES = ("tensor(float)", "tensor(float16)", "tensor(double)", "tensor(uint8)", "tensor(int8)")


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a model said of a batch.

    Attributes:
        predicted: class per image, uint16, shape (B,); `NO_LABEL` where the top output is no class.
        near_tie: whether another device might say otherwise, bool, shape (B,); see `decide`.
        scores: what the outputs say of the true labels, where that was asked for.
        dubious: whether outputs that were scored as logits all look like probabilities.
        weight_sums: of the enhancer's augmentations over the batch, see `augmentations`; None where it gives none.
    """

    predicted: NDArray[np.uint16]
    near_tie: NDArray[np.bool_]
    scores: Scores | None = None
    dubious: bool = False
    weight_sums: NDArray[np.int64] | None = None


def decide(scores: NDArray[Any], offset: int, kept: Sequence[int] | None = None) -> Prediction:
    """Predicted class = argmax - offset; of equal outputs the lowest index wins.

    A near tie is a top-1/top-2 margin of at most `NEAR_TIE` times the root mean square of the sample's
    outputs. For many classes that is about their standard deviation; for two
    classes the deviation is half the margin itself and would never find one.

    Args:
        scores: finite logits or probabilities, shape (B, outputs), two outputs or more.
        offset: outputs before the first class.
        kept: two or more classes; the others are as if the model had no output for them, and probabilities that are
            renormalised over the kept ones have the same order.
    """
    columns = None if kept is None else np.array(kept, np.int64) + offset
    if columns is not None:
        scores = scores[:, columns]
    top = np.argmax(scores, axis=1)
    pair = np.partition(scores, -2, axis=1)[:, -2:].astype(np.float64)
    size = np.sqrt(np.mean(np.square(scores, dtype=np.float64), axis=1))
    label = (top.astype(np.int64) if columns is None else columns[top]) - offset
    predicted = np.where(label < 0, NO_LABEL, label).astype(np.uint16)
    return Prediction(predicted, pair[:, 1] - pair[:, 0] <= NEAR_TIE * size)


@dataclass(frozen=True, slots=True)
class Classes:
    """What the outputs must cover.

    Attributes:
        offset: outputs before the first class.
        count: number of classes of the data set, None if it is not known.
        max_label: largest true label, checked where the count is not known.
    """

    offset: int
    count: int | None = None
    max_label: int | None = None

    def complaint(self, outputs: int) -> str | None:
        """What is wrong with that many outputs, with the remedy; continues a sentence on the model."""
        least = max(2, self.offset + 1)
        if outputs < least:
            return f"has {outputs} output(s) per image, and a classifier needs {least} or more here"
        if outputs - self.offset > NO_LABEL:
            return f"has {outputs} outputs per image, more than the {NO_LABEL} classes that can be stored"
        if self.count is None:
            if self.max_label is not None and self.max_label >= outputs - self.offset:
                return (
                    f"has {outputs} outputs and label_offset {self.offset}, too few for the data set's label "
                    f"{self.max_label}: correct the labels or set output.label_offset"
                )
            return None
        if outputs == self.count + self.offset:
            return None
        said = f"has {outputs} outputs for {self.count} classes"
        if 0 < outputs - self.count <= 1:
            return f"{said}: set output.label_offset: {outputs - self.count}"
        if self.offset:
            return f"{said} and label_offset {self.offset}: correct output.label_offset"
        return f"{said}: let dataset.classes list every class in the order of the model's outputs"


def choose_output(outputs: Sequence[Any], wanted: str | None, classes: Classes, file: ModelFile) -> str:
    """Name of the output that holds the classes.

    Args:
        outputs: the session's outputs (`name`, `type`, `shape`).
        wanted: the spec's `output.name`; None takes the only output of shape (N, classes[, 1, 1]).
        classes: what the output must cover.
        file: the model, for the messages.

    Raises:
        RobustError: no such output, several, a ZipMap, or one whose number of outputs does not fit.
    """
    chosen = _only(outputs, classes, file) if wanted is None else _named(outputs, wanted, file)
    width = _width(chosen.shape)
    complaint = None if width is None else classes.complaint(width)
    if complaint:
        raise file.error(complaint)
    return str(chosen.name)


def _named(outputs: Sequence[Any], wanted: str, file: ModelFile) -> Any:
    chosen = next((one for one in outputs if one.name == wanted), None)
    if chosen is None:
        raise file.error(f"has no output {wanted!r}: output.name must be one of {_listed(outputs)}")
    if not _is_tensor(chosen):
        raise file.error(_zipmap(chosen))
    if not _may_be_scores(chosen):
        raise file.error(f"gives {_listed([chosen])}, which is not of shape (N, classes): name another output")
    return chosen


def _only(outputs: Sequence[Any], classes: Classes, file: ModelFile) -> Any:
    able = [one for one in outputs if _may_be_scores(one)]
    fitting = [one for one in able if classes.count and _width(one.shape) == classes.count + classes.offset]
    candidates = fitting or able
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise file.error(
            f"has {len(candidates)} outputs of shape (N, classes), {_listed(candidates)}: name one with "
            f"output: {{name: {candidates[0].name}}}"
        )
    strange = next((one for one in outputs if not _is_tensor(one)), None)
    if strange is not None:
        raise file.error(_zipmap(strange))
    raise file.error(f"has no output of shape (N, classes), only {_listed(outputs)}: it is no classifier")


def _is_tensor(output: Any) -> bool:
    return bool(output.type.startswith("tensor("))


def _may_be_scores(output: Any) -> bool:
    return output.type in _SCORES and len(_squeezed(output.shape)) in (0, 2)


def _squeezed(shape: Sequence[int | str | None]) -> list[int | str | None]:
    """The shape without the ones that follow (N, outputs); empty if the model does not declare one."""
    kept = list(shape)
    while len(kept) > 2 and kept[-1] == 1:
        kept.pop()
    return kept


def _width(shape: Sequence[int | str | None]) -> int | None:
    """Outputs per image of a declared shape, None if it is free."""
    kept = _squeezed(shape)
    return kept[1] if len(kept) == 2 and isinstance(kept[1], int) else None


def scores_of(raw: Any, classes: Classes, file: ModelFile) -> NDArray[Any]:
    """The output of a run as finite scores of shape (B, outputs).

    Raises:
        RobustError: another shape, an unfitting number of outputs, or NaN or infinity.
    """
    scores = np.asarray(raw)
    if scores.ndim > 2 and all(side == 1 for side in scores.shape[2:]):
        scores = scores.reshape(scores.shape[:2])
    if scores.ndim != 2:
        raise file.error(f"gave an output of shape {scores.shape}, not (N, classes): name another with output.name")
    complaint = classes.complaint(scores.shape[1])
    if complaint:
        raise file.error(complaint)
    if scores.dtype.kind != "f":
        return scores.astype(np.float32)
    bad = np.count_nonzero(~np.isfinite(scores).all(axis=1))
    if bad:
        raise file.error(
            f"gave NaN or infinity for {bad} of {len(scores)} images: check its weights, preprocess and float16 range"
        )
    return scores.astype(np.float32) if scores.dtype == np.float16 else scores


def _zipmap(output: Any) -> str:
    return (
        f"gives its output {output.name!r} as {output.type}, a list and no array: export it without ZipMap "
        "(options={'zipmap': False})"
    )


def _described(output: Any) -> str:
    return f"{output.type} {[side if side is not None else '?' for side in output.shape]}"


def _listed(outputs: Sequence[Any]) -> str:
    return ", ".join(f"{one.name!r} ({_described(one)})" for one in outputs)
