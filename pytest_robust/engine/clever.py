"""CLEVER of a model of the spec: its score on some clean images, by its torch twin, kept for later runs."""

from __future__ import annotations

import hashlib
import json
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.data import open_dataset
from pytest_robust.errors import RobustError
from pytest_robust.metrics.clever import CleverResult
from pytest_robust.models.portions import Portions
from pytest_robust.same_samples import places

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_robust.engine.cache import Cache
    from pytest_robust.measurement import Measurement, Samples
    from pytest_robust.settings import Settings
    from pytest_robust.spec.plan import CellPlan, Json

_KIND = "clever"
_FORMAT = 2
"""Raised whenever what is kept of a score changes."""
_COMPUTING = ("pytest-robust", "numpy", "scipy", "torch")


def clever_of(
    cell: CellPlan,
    seed: int,
    options: Mapping[str, Json],
    clean: Measurement,
    samples: Samples,
    settings: Settings,
    cache: Cache | None = None,
) -> CleverResult:
    """Score a model, or remember how it scored.

    The images are those that a `limit` of that number would choose: the same for every model.

    Args:
        cell: the model's clean cell.
        seed: the spec's.
        options: ``norm``, ``batches``, ``points``, ``radius``, ``targets`` and the number of ``samples``.
        clean: what the model makes of the clean images.
        samples: what that was measured on.
        settings: the run's options.
        cache: where scores are kept.

    Raises:
        RobustError: the model lets no gradient through, is another file than was measured, or its twin differs from it.
    """
    device = clean.provenance.device if clean.provenance.device.startswith("cuda") else "cpu"
    key = _key(cell, seed, options, clean, settings, device)
    known = cache.get(_KIND, key) if cache else None
    if known is not None:
        return CleverResult.from_plain(known)
    found = _score(cell, seed, options, clean, samples, settings, device)
    if cache:
        cache.put(_KIND, key, found.to_plain())
    return found


def _score(
    cell: CellPlan,
    seed: int,
    options: Mapping[str, Json],
    clean: Measurement,
    samples: Samples,
    settings: Settings,
    device: str,
) -> CleverResult:
    import torch

    from pytest_robust.attacks import Clever, check_twin, choose_targets, clever, open_victim, other_classes
    from pytest_robust.attacks.victim import as_pixels
    from pytest_robust.engine.attacker import torch_threads
    from pytest_robust.models import model_digest

    asked: Any = options
    if model_digest(cell.model) != clean.provenance.model_sha256:
        raise RobustError(
            f"{cell.model.mark}: the file of {cell.model.name} is not the one that was measured; run again"
        )
    limits = [number for number in (asked["samples"], settings.limit) if number is not None]
    part = open_dataset(cell.shift.dataset, limit=min(limits))
    labels, ids = part.samples.labels.astype(np.int64), part.samples.ids
    canvases = np.stack([part.canvas(index, cell.model.geometry) for index in range(len(ids))])
    victim = open_victim(cell.model, device)
    try:
        with torch_threads(settings.threads):
            predicted = clean.predicted[places(part.samples, samples)]
            check_twin(victim, canvases, predicted, least=min(0.95, 1 - 1 / len(ids)))
            with torch.no_grad():
                parts = Portions(len(ids))(
                    len(ids), lambda here: victim(as_pixels(canvases[here], device)).cpu().numpy()
                )
            scores = np.concatenate(parts)[:, max(victim.offset, 0) :]
            first = max(-victim.offset, 0)
            classes = part.classes - first if part.classes else scores.shape[1]
            if asked["targets"] == "all":
                targets = other_classes(labels - first, classes) + first
            else:
                targets = choose_targets(asked["targets"], scores[:, :classes], labels, ids, seed, first=first)[:, None]
            config = Clever(asked["norm"], asked["batches"], asked["points"], asked["radius"])
            found = clever(config, victim, canvases, labels, ids, targets, seed=seed)
    except RobustError as error:
        raise RobustError(f"CLEVER of {cell.model.name}: {error}") from None
    known = ~np.isnan(found.scores)
    return CleverResult(found.untargeted, int(found.fitted[known].sum()), int(known.sum()), int(found.flat.sum()))


def _key(
    cell: CellPlan, seed: int, options: Mapping[str, Json], clean: Measurement, settings: Settings, device: str
) -> str:
    """Everything that a score is made of; the measured samples and canvases stand for the images."""
    model, made = cell.model, clean.provenance
    parts = [
        [_FORMAT, *((name, metadata.version(name)) for name in _COMPUTING)],
        [made.model_sha256, made.geometry, made.preprocess, model.output, model.output_kind, model.label_offset],
        [clean.samples, clean.canvas_digest, hashlib.sha256(clean.predicted.astype("<u2").tobytes()).hexdigest()],
        [seed, cell.shift.dataset.seed, settings.limit, device, dict(options)],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
