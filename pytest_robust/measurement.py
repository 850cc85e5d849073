"""The one value that flows through the house: what a cell measured.

A measurement is made by the engine, kept in the run's store, travels on pytest's report from a worker to the
controller, is judged by the verdict and stored in a golden. `to_plain` gives only int, float, str, bytes, list
and dict, because nothing else survives the way between two processes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

NO_LABEL = 65535
"""Stored where the model's top output is no class of the data set (a background class)."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """The labelled images of a data set, sorted by id.

    Attributes:
        ids: n stable names, unique; never a position in a batch.
        labels: true class indices, uint16, shape (n,).
        digest: sha256 over ids, labels and image contents.
    """

    ids: tuple[str, ...]
    labels: NDArray[np.uint16]
    digest: str

    def to_plain(self) -> dict[str, Any]:
        """The samples as plain values."""
        return {"ids": list(self.ids), "labels": self.labels.astype("<u2").tobytes(), "digest": self.digest}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Samples:
        """Rebuild what `to_plain` made."""
        return cls(tuple(plain["ids"]), np.frombuffer(plain["labels"], "<u2").astype(np.uint16), plain["digest"])

    @property
    def labels_digest(self) -> str:
        """sha256 over the true labels alone."""
        return hashlib.sha256(self.labels.astype("<u2").tobytes()).hexdigest()


@dataclass(frozen=True, slots=True)
class Provenance:
    """What made a measurement. `options` are the runtime settings that may change its bits."""

    model_sha256: str
    onnxruntime: str
    providers: tuple[str, ...]
    device: str
    device_class: str
    geometry: str
    preprocess: str
    options: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def fell_back(self) -> bool:
        """Whether `auto` took the CPU although this onnxruntime is built for CUDA; `device` then says why."""
        return self.device.startswith("cpu (")

    def to_plain(self) -> dict[str, Any]:
        """The provenance as plain values."""
        return {
            "model_sha256": self.model_sha256,
            "onnxruntime": self.onnxruntime,
            "providers": list(self.providers),
            "device": self.device,
            "device_class": self.device_class,
            "geometry": self.geometry,
            "preprocess": self.preprocess,
            "options": dict(self.options),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Provenance:
        """Rebuild what `to_plain` made."""
        return cls(**{**plain, "providers": tuple(plain["providers"])})


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What the probabilities of a model say of every sample, beyond the predicted class.

    Attributes:
        top5: whether the true label is among the five most probable classes, bool, shape (n,).
        confidence: probability of the predicted class, float32, shape (n,).
        nll: negative log-likelihood of the true label in nats, float32, shape (n,).
        brier: sum over the classes of the squared error of the probability, float32, shape (n,).
        outputs: what the probabilities were taken from.

    `nll` and `brier` are NaN where the model has no output for the true label.
    """

    top5: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    nll: NDArray[np.float32]
    brier: NDArray[np.float32]
    outputs: Literal["logits", "probabilities"] = "logits"

    def to_plain(self) -> dict[str, Any]:
        """The scores as plain values."""
        numbers = {"confidence": self.confidence, "nll": self.nll, "brier": self.brier}
        plain = {name: values.astype("<f4").tobytes() for name, values in numbers.items()}
        return {"top5": np.packbits(self.top5).tobytes(), **plain, "outputs": self.outputs}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Scores:
        """Rebuild what `to_plain` made."""
        numbers = {
            name: np.frombuffer(plain[name], "<f4").astype(np.float32) for name in ("confidence", "nll", "brier")
        }
        packed = np.frombuffer(plain["top5"], np.uint8)
        top5 = np.unpackbits(packed, count=len(numbers["nll"])).astype(np.bool_)
        return cls(top5, **numbers, outputs=plain["outputs"])


@dataclass(frozen=True, slots=True, eq=False)
class Attacked:
    """What an attack did to every sample, and what the measured model made of it; arrays are of shape (n,).

    Attributes:
        source: name of the model that the images were crafted on; the measured model's own for a white-box attack.
        tried: which samples were attacked: the source has their clean image right, bool.
        success: which of them turned the source itself, confirmed by ONNX Runtime on the rounded image, bool.
        clean: what the measured model predicts of the clean images, uint16.
        distortions: l0, l1, l2 and linf of the change of every attacked image, pixels counting from 0 to 1; NaN where
            the source was not turned, float32.
        queries: how often the attack showed each sample to the source, uint32.
        targets: the class that each sample was to be taken for, uint16; None where any wrong class would do.
        near_target: whether that class is among the measured model's five most probable, bool; None without targets.
    """

    source: str
    tried: NDArray[np.bool_]
    success: NDArray[np.bool_]
    clean: NDArray[np.uint16]
    distortions: Mapping[str, NDArray[np.float32]]
    queries: NDArray[np.uint32]
    targets: NDArray[np.uint16] | None = None
    near_target: NDArray[np.bool_] | None = None

    def to_plain(self) -> dict[str, Any]:
        """The record as plain values."""
        return {
            "source": self.source,
            "tried": np.packbits(self.tried).tobytes(),
            "success": np.packbits(self.success).tobytes(),
            "clean": self.clean.astype("<u2").tobytes(),
            "distortions": {norm: values.astype("<f4").tobytes() for norm, values in self.distortions.items()},
            "queries": self.queries.astype("<u4").tobytes(),
            "targets": None if self.targets is None else self.targets.astype("<u2").tobytes(),
            "near_target": None if self.near_target is None else np.packbits(self.near_target).tobytes(),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Attacked:
        """Rebuild what `to_plain` made."""
        clean = np.frombuffer(plain["clean"], "<u2").astype(np.uint16)

        def bits(packed: bytes) -> NDArray[np.bool_]:
            return np.unpackbits(np.frombuffer(packed, np.uint8), count=len(clean)).astype(np.bool_)

        targets, near = plain["targets"], plain["near_target"]
        return cls(
            plain["source"],
            bits(plain["tried"]),
            bits(plain["success"]),
            clean,
            {norm: np.frombuffer(raw, "<f4").astype(np.float32) for norm, raw in plain["distortions"].items()},
            np.frombuffer(plain["queries"], "<u4").astype(np.uint32),
            None if targets is None else np.frombuffer(targets, "<u2").astype(np.uint16),
            None if near is None else bits(near),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """Predictions of one model under one shift.

    Attributes:
        samples: digest of the `Samples` that the arrays follow.
        predicted: predicted class per sample, uint16, shape (n,); `NO_LABEL` where it is none of the classes.
        near_tie: samples whose top-1/top-2 margin is under the numeric noise of the device, bool, shape (n,).
        correct: how many predictions equal the true label.
        parameters: the shift's parameters after resolution for the canvas size.
        canvas_digest: sha256 over the first 32 shifted canvases.
        seconds: time spent on ``decode``, ``shift``, ``inference`` and in ``total``; of that on ``craft``, where the
            images of an attack were crafted for this cell.
        groups: ``column=value`` -> {n, correct}, where the data set has group columns.
        notes: sentences on the samples that a reader of the result must know.
        scores: what the probabilities say, where the spec asks for it.
        attacked: what an attack did, where the shift is one.
        enhancer_weights: mean weight of each augmentation by name, where an enhancer stands in front that gives them.
    """

    samples: str
    predicted: NDArray[np.uint16]
    near_tie: NDArray[np.bool_]
    correct: int
    shift_version: int
    canvas_digest: str
    provenance: Provenance
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    source: Literal["generated", "stored"] = "generated"
    cached: bool = False
    groups: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    scores: Scores | None = None
    attacked: Attacked | None = None
    enhancer_weights: Mapping[str, float] | None = None

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.predicted)

    @property
    def accuracy(self) -> float:
        """Share of correct predictions in [0, 1]; 0 for no samples."""
        return self.correct / self.n if self.n else 0.0

    def to_plain(self) -> dict[str, Any]:
        """The measurement as plain values."""
        return {
            "samples": self.samples,
            "predicted": self.predicted.astype("<u2").tobytes(),
            "near_tie": np.packbits(self.near_tie).tobytes(),
            "correct": self.correct,
            "shift_version": self.shift_version,
            "canvas_digest": self.canvas_digest,
            "parameters": dict(self.parameters),
            "seconds": dict(self.seconds),
            "source": self.source,
            "cached": self.cached,
            "groups": {name: dict(counts) for name, counts in self.groups.items()},
            "notes": list(self.notes),
            "scores": self.scores.to_plain() if self.scores else None,
            "attacked": self.attacked.to_plain() if self.attacked else None,
            "enhancer_weights": dict(self.enhancer_weights) if self.enhancer_weights else None,
            "provenance": self.provenance.to_plain(),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Measurement:
        """Rebuild what `to_plain` made."""
        predicted = np.frombuffer(plain["predicted"], "<u2").astype(np.uint16)
        packed = np.frombuffer(plain["near_tie"], np.uint8)
        return cls(
            samples=plain["samples"],
            predicted=predicted,
            near_tie=np.unpackbits(packed, count=len(predicted)).astype(np.bool_),
            correct=plain["correct"],
            shift_version=plain["shift_version"],
            canvas_digest=plain["canvas_digest"],
            parameters=plain["parameters"],
            seconds=plain["seconds"],
            source=plain["source"],
            cached=plain["cached"],
            groups=plain["groups"],
            notes=tuple(plain["notes"]),
            scores=Scores.from_plain(plain["scores"]) if plain.get("scores") else None,
            attacked=Attacked.from_plain(plain["attacked"]) if plain.get("attacked") else None,
            enhancer_weights=plain["enhancer_weights"],
            provenance=Provenance.from_plain(plain["provenance"]),
        )


def count_correct(predicted: NDArray[np.uint16], labels: NDArray[np.uint16]) -> int:
    """Number of positions where prediction and true label agree."""
    return int(np.count_nonzero(predicted == labels))


def count_groups(
    predicted: NDArray[np.uint16], labels: NDArray[np.uint16], columns: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, int]]:
    """``column=value`` -> {n, correct} for every value of every column, sorted; a column has one value per sample."""
    right = predicted == labels
    counts: dict[str, dict[str, int]] = {}
    for column in sorted(columns):
        values, inverse = np.unique(np.array(columns[column], dtype=object).astype(str), return_inverse=True)
        sizes = np.bincount(inverse, minlength=len(values))
        hits = np.bincount(inverse[right], minlength=len(values))
        for value, n, correct in zip(values.tolist(), sizes.tolist(), hits.tolist(), strict=True):
            counts[f"{column}={value}"] = {"n": n, "correct": correct}
    return counts


def digest_of(parts: Sequence[bytes]) -> str:
    """sha256 over length-prefixed parts, so that no two different sequences share their bytes."""
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(len(part).to_bytes(8, "little"))
        hasher.update(part)
    return hasher.hexdigest()
